"""All checks of the reference platform: the columns cover it from the name to the pod."""

from __future__ import annotations

from dataclasses import replace

import pytest

from live.checks import COLUMNS
from tests.unit.operations.support import make_platform


def test_each_check_is_shown_in_its_column() -> None:
    platform = make_platform()
    for column in COLUMNS:
        assert {check.link for check in column.checks(platform)} == {column.__name__.rpartition(".")[2]}


def test_every_link_of_the_reference_platform_is_measured() -> None:
    platform = make_platform()
    kinds = [check.id.partition("/")[0] for column in COLUMNS for check in column.checks(platform)]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "slices": 1,
        "nodes": 2,
        "host-certificates": 2,
        "api-server": 2,
        "cluster-certificates": 2,
        "coredns": 2,
        "kube-proxy": 2,
        "pod-addresses": 2,
        "flat": 2,
        "routes": 4,
        "issued-certificates": 1,
        "mesh-authorities": 1,
        "identities": 2,
        "istiod": 2,
        "remote-clusters": 2,
        "endpoints": 2,
        "strict-mtls": 2,
        "application": 6,
        "metallb": 2,
        "gateway": 2,
        "gateway-address": 2,
        "gateway-readiness": 2,
        "published-ca": 1,
        "certificate": 2,
        "https": 3,
        "name-server": 2,
        "health-view": 2,
    }


@pytest.mark.parametrize(
    ("applications", "of_namespaces", "missing"),
    [
        ({}, {}, {"application", "endpoints", "identities", "strict-mtls"}),
        ({"replicas": 0}, {}, {"endpoints", "identities", "strict-mtls"}),
        ({"replicas": 1}, {"injection": False}, {"endpoints", "identities", "strict-mtls"}),
        ({"replicas": 1}, {"mtls": "PERMISSIVE"}, {"strict-mtls"}),
    ],
)
def test_nothing_is_asked_of_pods_that_are_not_declared(
    applications: dict[str, object], of_namespaces: dict[str, object], missing: set[str]
) -> None:
    """A platform without applications of the mesh could never be well: there was no sidecar to look at."""
    platform = make_platform()
    environment = platform.stack.environment
    other = environment.model_copy(
        update={
            "applications": {
                name: spec.model_copy(update=applications)
                for name, spec in environment.applications.items()
                if applications
            },
            "namespaces": {
                name: spec.model_copy(update=of_namespaces) for name, spec in environment.namespaces.items()
            },
        }
    )
    bare = replace(platform, stack=replace(platform.stack, environment=other))
    kinds, fewer = (
        {check.id.partition("/")[0] for column in COLUMNS for check in column.checks(each)}
        for each in (platform, bare)
    )
    assert kinds - fewer == missing
