"""All checks of the reference platform: the columns cover it from the name to the pod."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from access.outputs import parse_outputs
from live.checks import COLUMNS
from live.doctor import keys
from live.doctor.model import Check
from live.doctor.platform import Platform
from live.doctor.runner import run_checks, validate
from stacks.ledger import Ledger, assign
from stacks.load import Stack
from stacks.model import Environment
from tests.unit.operations.support import make_platform, raw_outputs


def test_each_check_is_shown_in_its_column() -> None:
    platform = make_platform()
    for column in COLUMNS:
        assert {check.link for check in column.checks(platform)} == {column.__name__.rpartition(".")[2]}


def test_every_link_of_the_reference_platform_is_measured() -> None:
    platform = make_platform()
    kinds = [check.id.partition("/")[0] for column in COLUMNS for check in column.checks(platform)]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "slices": 1,
        "host": 6,
        "services": 6,
        "kubelet": 4,
        "schedulable": 2,
        "nodes": 2,
        "host-certificates": 2,
        "control-plane": 2,
        "api-server": 2,
        "cluster-certificates": 2,
        "admission": 2,
        "coredns": 2,
        "kube-proxy": 2,
        "pod-addresses": 2,
        "flat": 2,
        "sessions": 4,
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
        "name-servers-agree": 1,
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


# -- What checks rest on


def reference() -> dict[str, Any]:
    """The reference's declaration, to be changed."""
    environment = make_platform().stack.environment
    return environment.model_dump(mode="json", by_alias=True, exclude_unset=True)


def adopted(declared: dict[str, Any], region: str) -> None:
    ranges = {"podCidr": "10.20.0.0/16", "serviceCidr": "10.21.0.0/16"}
    declared["regions"][region]["cluster"] = {"kind": "adopted", "kubeconfigSecret": "theirs", **ranges}
    for key in ("fabric", "loadBalancer"):
        del declared["regions"][region][key]


def shapes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Declarations in which other checks are there than in the reference."""
    yield "reference", reference()
    declared = reference()
    adopted(declared, "us")
    declared["regions"]["us"]["meshNetwork"] = "elsewhere"
    yield "one adopted", declared
    declared = reference()
    for region in declared["regions"].values():
        del region["fabric"]
    yield "tunnels", {**declared, "tunnels": {"mtu": 1400}}
    us = declared["regions"]["us"]
    rented = {key: value for key, value in us.items() if key not in ("machineNetwork", "loadBalancer")}
    regions = {**declared["regions"], "us": {**rented, "gatewayNodes": ["us-worker-1"]}}
    yield "rented machines", {**declared, "regions": regions, "tunnels": {"mtu": 1400}}
    declared = reference()
    yield "one region", {**declared, "regions": {"eu": declared["regions"]["eu"]}}
    declared = reference()
    del declared["regions"]["eu"]["cluster"]["nodes"]["eu-worker-1"]
    yield "no worker", declared
    yield "nothing exposed", {**reference(), "ingresses": {}, "applications": {}}
    declared = reference()
    del declared["globalLoadBalancer"]
    yield "no name servers", declared
    declared = reference()
    declared["ingresses"]["assetmanagement"]["redirectHttp"] = True
    yield (
        "containerd of its makers, redirects",
        {
            **declared,
            "versions": {**declared["versions"], "containerd": "2.4.2"},
        },
    )
    declared = reference()
    cluster = declared["regions"]["eu"]["cluster"]
    cluster["apiServerAddress"] = "10.101.1.100"
    for number in (2, 3):
        node = {**cluster["nodes"]["eu-cp-1"], "address": f"10.101.1.{20 + number}"}
        cluster["nodes"][f"eu-cp-{number}"] = node
    yield "three control planes", declared
    declared = reference()
    declared["namespaces"]["greencompute"]["injection"] = False
    yield "no mesh", declared
    declared = reference()
    database = {"geoipDatabase": "/var/lib/GeoIP/countries.mmdb", "delegated": True}
    yield (
        "names of the world",
        {**declared, "globalLoadBalancer": {**declared["globalLoadBalancer"], **database}},
    )
    backends = [{"application": "asset-mgr-ms-svc"}, {"service": "legacy", "port": 80}]
    route = {"namespace": "greencompute", "rules": [{"backends": backends}], "redirectHttp": True}
    hosts = ["*.lab.crossmesh.test", "lab.crossmesh.test"]
    yield "routes", {**reference(), "ingresses": {}, "routes": {"api": {**route, "hosts": hosts}}}
    yield "backups", {**reference(), "backups": {"destination": "/mnt/backups"}}


def checks_of(declared: dict[str, Any]) -> list[Check]:
    environment = Environment.model_validate(declared)
    stack = Stack("lab", environment, assign(environment, Ledger()), frozenset(), Path("Pulumi.lab.yaml"))
    outputs = raw_outputs()
    outputs["regions"] = {region: outputs["regions"][region] for region in declared["regions"]}
    if environment.global_load_balancer is None:
        outputs["nameservers"] = []
    platform = Platform(stack, parse_outputs("lab", outputs), {})
    return [check for column in COLUMNS for check in column.checks(platform)]


SHAPES = dict(shapes())


@pytest.mark.parametrize("shape", SHAPES)
def test_every_foundation_is_a_check_and_none_rests_on_itself(shape: str) -> None:
    """The runner refuses both before it begins: a platform of no shape may meet that."""
    checks = checks_of(SHAPES[shape])
    validate(checks)
    ids = {check.id for check in checks}
    for check in checks:
        assert check.foundations <= ids - {check.id}, check.id


@pytest.mark.parametrize("shape", SHAPES)
def test_everything_but_machines_and_what_up_recorded_rests_on_something(shape: str) -> None:
    ground = {check.id.partition("/")[0] for check in checks_of(SHAPES[shape]) if not check.foundations}
    assert ground <= {"slices", "host", "issued-certificates", "backup", "delegation"}


def test_every_key_is_that_of_a_check_of_some_platform() -> None:
    kinds = {check.id.partition("/")[0] for declared in SHAPES.values() for check in checks_of(declared)}
    written = set(re.findall(r'(?:Key\(f?|part\()"([a-z-]+)', inspect.getsource(keys)))
    assert written == kinds


def test_a_circle_and_an_unknown_foundation_are_refused_before_anything_is_asked() -> None:
    checks = checks_of(SHAPES["reference"])
    first = checks[0]
    unknown = replace(first, rests_on=(keys.host("nobody"),))
    with pytest.raises(ValueError, match="host/nobody"):
        run_checks([unknown, *checks[1:]])
    circle = replace(first, rests_on=(keys.pod_addresses("eu"),))
    with pytest.raises(ValueError, match="slices"):
        run_checks([circle, *checks[1:]])
