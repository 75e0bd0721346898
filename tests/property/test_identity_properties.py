"""Whatever names a declaration has, no two resources meet, and everybody says of each where it belongs."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from access.outputs import parse_outputs
from components import charts
from components.platform import Platform
from components.tokens import APPLICATION, INGRESS, MESH_NAMESPACE, REGION
from gate.changes import change_set
from live.checks import COLUMNS as CHECKS
from live.doctor.platform import Platform as Examined
from live.state import parse_state
from playbooks.tokens import HOST_PHASE
from report.model import Against
from stacks.ledger import Ledger, assign
from stacks.load import Stack
from stacks.model import Environment
from tests.unit.components import support
from tests.unit.stacks.small import small

LABELS = st.sampled_from(
    [
        "a",
        "a-a",
        "a-a-a",
        "eu",
        "eu-west",
        "west",
        "west-shop",
        "shop",
        "shop-web",
        "web",
        "web-api",
        "api",
        "b-a",
    ]
)
NAMES = st.lists(LABELS, min_size=1, max_size=3, unique=True)


@st.composite
def declarations(draw: st.DrawFn) -> dict[str, Any]:
    regions, namespaces, applications = draw(NAMES), draw(NAMES), draw(NAMES)
    ingresses = draw(st.lists(LABELS, max_size=2, unique=True))
    chosen = {name: draw(st.sampled_from(namespaces)) for name in applications}
    return small(
        {name: region(name, number) for number, name in enumerate(regions)},
        ssh={"privateKeyFile": "/k", "knownHostsFile": "/h"},
        namespaces={name: {"podSecurity": "privileged"} for name in namespaces},
        applications={
            name: {"namespace": namespace, "image": "example.test/x:1"} for name, namespace in chosen.items()
        },
        ingresses={
            name: {
                "namespace": chosen[applications[0]],
                "host": f"{name}.example.test",
                "paths": [{"path": "/", "application": applications[0]}],
            }
            for name in ingresses
        },
        globalLoadBalancer={},
    )


def region(name: str, number: int) -> dict[str, Any]:
    return {
        "machineNetwork": f"10.0.{number}.0/24",
        "fabric": {"asn": 65001, "peers": [{"address": f"10.0.{number}.1", "asn": 65000}]},
        "loadBalancer": {"first": f"10.0.{number}.200", "last": f"10.0.{number}.209"},
        "cluster": {
            "kind": "bareMetal",
            "nodes": {
                f"{name}-cp": {"address": f"10.0.{number}.11", "role": "control-plane"},
                f"{name}-w": {"address": f"10.0.{number}.12", "role": "worker"},
            },
        },
        "edges": {f"{name}-e": {"address": f"10.0.{number}.13"}},
    }


def expected(
    environment: Environment, each: support.Registered, cluster: str
) -> tuple[str, tuple[str, ...] | None]:
    """Region and key of a resource by what it does, not by its name; None where the key is not looked at."""
    if each.type == HOST_PHASE:
        host = each.inputs["host"]
        for name, spec in environment.regions.items():
            if host in spec.edges:
                return name, ("regions", name, "edges", host)
            if host in spec.cluster.nodes:  # type: ignore[union-attr]
                return name, ("regions", name, "cluster", "nodes", host)
    if each.kubernetes:
        metadata = each.inputs["metadata"]
        name, own = metadata["name"], each.type.rpartition(":")[2]
        if own in ("Deployment", "Service") and metadata["namespace"] in environment.namespaces:
            return cluster, ("applications", name)
        if own == "Ingress":
            return cluster, ("ingresses", name)
        if own == "PeerAuthentication" and metadata["namespace"] in environment.namespaces:
            return cluster, ("namespaces", metadata["namespace"])
        return cluster, None
    return each.region, None


@given(declarations())
# Each run registers hundreds of resources: one that fails is small enough to be read as it is.
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
def test_no_two_resources_meet_and_all_say_where_each_belongs(declaration: dict[str, Any]) -> None:
    environment = Environment.model_validate(declaration)
    stack = Stack("lab", environment, assign(environment, Ledger()), frozenset(), Path("Pulumi.lab.yaml"))
    with patch.object(charts, "istio", support.chart), patch.object(charts, "metallb", support.metallb):
        # The recording refuses a URN that is registered twice.
        up = support.run(lambda: Platform("lab", stack, "root key").outputs, preview=False)

    counted = {
        REGION: len(environment.regions),
        MESH_NAMESPACE: len(environment.regions) * len(environment.namespaces),
        APPLICATION: len(environment.regions) * len(environment.applications),
        INGRESS: len(environment.regions) * len(environment.ingresses),
    }
    assert {token: len(up.of(token)) for token in counted} == counted

    entries = [entry(each) for each in up.resources.values()]
    shown = {
        resource.urn: (resource.region, resource.declared)
        for resource in change_set(map(creation, entries), Against.NOTHING).after
    }
    applied = {
        resource.urn: (resource.region, resource.declared)
        for resource in parse_state("lab", {"deployment": {"resources": entries}}).resources
    }
    assert shown == applied
    providers = {each.urn: each.inputs["clusterIdentifier"] for each in up.of("pulumi:providers:kubernetes")}
    for urn, each in up.resources.items():
        place, key = expected(environment, each, providers.get(each.provider.rpartition("::")[0], ""))
        assert applied[urn][0] == place, urn
        assert key is None or applied[urn][1] == key, urn

    told = {
        "apiServer": "https://192.0.2.1:6443",
        "gatewayAddress": "192.0.2.2",
        "podCidr": "172.30.0.0/20",
        "serviceCidr": "172.31.0.0/20",
        "nodes": {},
    }
    outputs = {
        "url": "https://example.test",
        "caCertificate": "",
        "nameservers": [],
        "regions": dict.fromkeys(environment.regions, told),
        "kubeconfigs": dict.fromkeys(environment.regions, ""),
    }
    examined = Examined(stack, parse_outputs("lab", outputs), {}, {}, {})
    checks = [check for column in CHECKS for check in column.checks(examined)]
    assert len({check.id for check in checks}) == len(checks)
    about = [check.id.partition("/")[2] for check in checks]
    assert {name for name in about if name in environment.regions} == set(environment.regions)


def entry(each: support.Registered) -> dict[str, Any]:
    """A resource as the engine has it in its state."""
    return {
        "urn": each.urn,
        "type": each.type,
        "custom": each.custom,
        "inputs": each.inputs,
        "outputs": {},
        "parent": each.parent,
        "provider": each.provider,
    }


def creation(found: dict[str, Any]) -> dict[str, Any]:
    """The engine's event of a resource that it would create."""
    return {
        "resourcePreEvent": {"metadata": {"op": "create", "urn": found["urn"], "old": None, "new": found}}
    }
