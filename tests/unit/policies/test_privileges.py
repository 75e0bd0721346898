"""No pod has privileges on its node: each one alone is enough."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from components.manifests import Manifest, named
from policies.privileges import ALLOWED, POLICY
from report.model import UNKNOWN
from tests.unit.policies.support import NOT_KNOWN, changed, pod_of, violations, web

CONTAINER = ("spec", "template", "spec", "containers", 0)


def deployment() -> Manifest:
    return web()[2]


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        (True, ("spec", "template", "spec", "hostNetwork"), "hostNetwork: true"),
        (True, ("spec", "template", "spec", "hostPID"), "hostPID: true"),
        (True, ("spec", "template", "spec", "hostIPC"), "hostIPC: true"),
        (True, (*CONTAINER, "securityContext", "privileged"), "privileged: true"),
        (True, (*CONTAINER, "securityContext", "allowPrivilegeEscalation"), "allowPrivilegeEscalation"),
        (None, (*CONTAINER, "securityContext", "allowPrivilegeEscalation"), "allowPrivilegeEscalation"),
        (["SYS_ADMIN"], (*CONTAINER, "securityContext", "capabilities", "add"), "capability SYS_ADMIN"),
        (8080, (*CONTAINER, "ports", 0, "hostPort"), "hostPort 8080"),
        (True, (*CONTAINER, "securityContext", "windowsOptions", "hostProcess"), "hostProcess"),
        (
            [{"name": "root", "hostPath": {"path": "/"}}],
            ("spec", "template", "spec", "volumes"),
            "hostPath /",
        ),
    ],
)
def test_each_privilege_is_found(value: Any, path: tuple[str | int, ...], words: str) -> None:
    (said,) = violations(POLICY, changed(deployment(), value, *path))
    assert words in said


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (False, ("spec", "template", "spec", "hostNetwork")),
        (["NET_BIND_SERVICE"], (*CONTAINER, "securityContext", "capabilities", "add")),
        ([{"name": "tmp", "emptyDir": {}}], ("spec", "template", "spec", "volumes")),
    ],
)
def test_what_is_harmless_passes(value: Any, path: tuple[str | int, ...]) -> None:
    assert violations(POLICY, changed(deployment(), value, *path)) == []


@pytest.mark.parametrize("key", ["initContainers", "ephemeralContainers"])
def test_init_and_ephemeral_containers_are_looked_at(key: str) -> None:
    container = {**pod_of(web())["containers"][0], "name": "other"}
    path = ("spec", "template", "spec", key)
    assert violations(POLICY, changed(deployment(), [container], *path)) == []
    worse = changed(container, True, "securityContext", "privileged")
    (said,) = violations(POLICY, changed(deployment(), [worse], *path))
    assert "container other" in said


@pytest.mark.parametrize(
    "wrap",
    [
        lambda pod: named("v1", "Pod", "p", "shop", spec=pod),
        lambda pod: named("apps/v1", "StatefulSet", "s", "shop", spec={"template": {"spec": pod}}),
        lambda pod: named("batch/v1", "Job", "j", "shop", spec={"template": {"spec": pod}}),
        lambda pod: named(
            "batch/v1", "CronJob", "c", "shop", spec={"jobTemplate": {"spec": {"template": {"spec": pod}}}}
        ),
    ],
)
def test_every_kind_that_makes_pods_is_looked_at(wrap: Any) -> None:
    pod = pod_of(web())
    assert violations(POLICY, wrap(pod)) == []
    assert len(violations(POLICY, wrap({**pod, "hostNetwork": True}))) == 1


def speaker() -> Manifest:
    """MetalLB's, as released: what of it matters here."""
    context = {"allowPrivilegeEscalation": False, "capabilities": {"add": ["NET_RAW"], "drop": ["ALL"]}}
    pod = {"hostNetwork": True, "containers": [{"name": "speaker", "securityContext": context}]}
    return named("apps/v1", "DaemonSet", "speaker", "metallb-system", spec={"template": {"spec": pod}})


def test_a_part_of_the_platform_has_the_privileges_that_are_named_and_no_other() -> None:
    assert violations(POLICY, speaker()) == []
    worse = changed(speaker(), True, "spec", "template", "spec", "hostPID")
    assert len(violations(POLICY, worse)) == 1


def test_another_object_of_its_namespace_has_none_of_them() -> None:
    other = copy.deepcopy(speaker())
    other["metadata"]["name"] = "listener"
    assert len(violations(POLICY, other)) == 2


def test_each_exception_says_why() -> None:
    assert all(len(why) > 20 for privileges in ALLOWED.values() for why in privileges.values())


def test_a_value_that_is_not_known_is_not_passed_over() -> None:
    unknown = changed(deployment(), UNKNOWN, *CONTAINER, "securityContext", "privileged")
    assert violations(POLICY, unknown) == [NOT_KNOWN]
