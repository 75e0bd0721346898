"""Whatever names a declaration has, no two resources meet, and everybody says of each where it belongs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import permutations, product
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from access.outputs import parse_outputs
from components import charts, tokens
from components.platform import Platform
from gate.changes import change_set
from gate.effects.engine import assess
from gate.effects.sources import place
from live.checks import COLUMNS as CHECKS
from live.doctor.platform import Platform as Examined
from live.doctor.runner import validate
from live.drift import judge
from live.drift.model import Drifted, Record
from live.state import parse_state
from playbooks.tokens import CERTIFICATE, CERTIFICATE_AUTHORITY, CLUSTER_IDENTITY, HOST_PHASE
from report.model import Against, Op
from stacks.ledger import Ledger, assign
from stacks.load import Stack
from stacks.model import BareMetalClusterSpec, Environment
from tests.unit.components import support
from tests.unit.stacks.small import small

Belongs = tuple[str, tuple[str, ...]]
"""A region, and a key of the declaration."""
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
    regions, namespaces = draw(NAMES), draw(NAMES)
    applications = {name: draw(st.sampled_from(namespaces)) for name in draw(NAMES)}
    ingresses = draw(st.lists(LABELS, max_size=2, unique=True))
    return declare({name: draw(st.booleans()) for name in regions}, namespaces, applications, ingresses)


def declare(
    regions: Mapping[str, bool],
    namespaces: Iterable[str],
    applications: Mapping[str, str],
    ingresses: Iterable[str],
) -> dict[str, Any]:
    """regions: whether the cluster is adopted. applications: the namespace of each."""
    answering, namespace = next(iter(applications.items()))
    return small(
        {name: region(name, number, adopted) for number, (name, adopted) in enumerate(regions.items())},
        ssh={"privateKeyFile": "/k", "knownHostsFile": "/h"},
        namespaces={name: {"podSecurity": "privileged"} for name in namespaces},
        applications={
            name: {"namespace": namespace, "image": "example.test/x:1"}
            for name, namespace in applications.items()
        },
        ingresses={
            name: {
                "namespace": namespace,
                "host": f"{name}.example.test",
                "paths": [{"path": "/", "application": answering}],
                "redirectHttp": True,
            }
            for name in ingresses
        },
        globalLoadBalancer={},
    )


def region(name: str, number: int, adopted: bool) -> dict[str, Any]:
    machines = {
        "machineNetwork": f"10.0.{number}.0/24",
        "edges": {f"{name}-e": {"address": f"10.0.{number}.13"}},
    }
    if adopted:
        ranges = {"podCidr": f"10.{100 + number}.0.0/16", "serviceCidr": f"10.{200 + number}.0.0/16"}
        return {**machines, "cluster": {"kind": "adopted", "kubeconfigSecret": name, **ranges}}
    return {
        **machines,
        "fabric": {"asn": 65001, "peers": [{"address": f"10.0.{number}.1", "asn": 65000}]},
        "loadBalancer": {"first": f"10.0.{number}.200", "last": f"10.0.{number}.209"},
        "cluster": {
            "kind": "bareMetal",
            "nodes": {
                f"{name}-cp": {"address": f"10.0.{number}.11", "role": "control-plane"},
                f"{name}-w": {"address": f"10.0.{number}.12", "role": "worker"},
            },
        },
    }


MEETING = ["shop", "shop-web", "west-shop"], {"west-shop": "shop", "shop": "shop", "web-api": "shop"}
"""Names that are others when they are joined by hyphens, in every pair that a resource is named by."""


@given(declarations())
@example(declare({"eu": False, "eu-west": False}, MEETING[0], {**MEETING[1], "api": "shop-web"}, MEETING[0]))
@example(declare({"eu": False, "eu-west": True}, MEETING[0], {**MEETING[1], "api": "shop-web"}, MEETING[0]))
# Each run registers hundreds of resources: one that fails is small enough to be read as it is.
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
def test_no_two_resources_meet_and_all_say_where_each_belongs(declaration: dict[str, Any]) -> None:
    environment = Environment.model_validate(declaration)
    stack = Stack("lab", environment, assign(environment, Ledger()), frozenset(), Path("Pulumi.lab.yaml"))
    kubeconfigs = dict.fromkeys(environment.regions, support.KUBECONFIG)
    with patch.object(charts, "istio", support.chart), patch.object(charts, "metallb", support.metallb):
        # The recording refuses a URN that is registered twice.
        up = support.run(
            lambda: Platform("lab", stack, "root key", kubeconfigs=kubeconfigs).outputs, preview=False
        )
    belongs = where_each_belongs(environment, up)
    entries = [entry(each) for each in up.resources.values()]
    assert said_by_the_gate(entries) == belongs
    reach = {
        change.urn: change.blast.clusters
        for change in assess(change_set(map(deletion, entries), Against.STATE)).changes
    }
    everywhere = tuple(sorted(environment.regions))
    assert reach == {urn: (own,) if own else everywhere for urn, (own, _) in belongs.items()}
    assert said_by_drift(entries) == belongs
    assert said_by_the_doctor(stack) == looked_at(environment)


def said_by_the_gate(entries: list[dict[str, Any]]) -> dict[str, Belongs]:
    changes = change_set(map(creation, entries), Against.NOTHING)
    return {resource.urn: (resource.region, resource.declared) for resource in changes.after}


def said_by_drift(entries: list[dict[str, Any]]) -> dict[str, Belongs]:
    """As its findings tell it, if everything is gone."""
    state = parse_state("lab", {"deployment": {"resources": entries}})
    record = Record(judge.comparisons()[0])
    for resource in state.resources:
        record.drift(Drifted(resource.urn, Op.DELETE), "it is gone", "")
    found = place(record.findings, judge.change_set(state, [record]), None)
    return {finding.urn: (finding.region, finding.declared) for finding in found}


def said_by_the_doctor(stack: Stack) -> dict[str, Belongs]:
    told = {
        "apiServer": "https://192.0.2.1:6443",
        "gatewayAddresses": ["192.0.2.2"],
        "podCidr": "172.30.0.0/20",
        "serviceCidr": "172.31.0.0/20",
        "nodes": {},
    }
    regions = stack.environment.regions
    edges = [edge for spec in regions.values() for edge in spec.edges.values()]
    outputs = {
        "url": "https://example.test",
        "caCertificate": "",
        "nameservers": [f"{edge.address}:53" for edge in edges],
        "regions": dict.fromkeys(regions, told),
        "kubeconfigs": dict.fromkeys(regions, ""),
    }
    examined = Examined(stack, parse_outputs("lab", outputs), {}, {}, {})
    checks = [check for column in CHECKS for check in column.checks(examined)]
    validate(checks)
    return {check.id: (check.region, check.declared) for check in checks}


# -- What the declaration gave


def where_each_belongs(environment: Environment, up: support.Recording) -> dict[str, Belongs]:
    """Of every resource: of components by how many there must be, of what is below by what it does.

    What does nothing that names a key belongs where the component does that it is part of.
    """
    found: dict[str, Belongs] = {}
    declared = components(environment)
    for token, wanted in declared.items():
        said = {each.urn: belonging(each.inputs) for each in up.of(token)}
        assert Counter(said.values()) == Counter(wanted), token
        found |= said
    assert {each.type for each in up.resources.values() if not each.custom} == {
        token for token, wanted in declared.items() if wanted
    }
    clusters = {each.urn: each.inputs["clusterIdentifier"] for each in up.of("pulumi:providers:kubernetes")}
    for urn, each in up.resources.items():
        if each.custom:
            held_by = found.get(each.parent, ("", ()))
            cluster = clusters.get(each.provider.rpartition("::")[0], "")
            found[urn] = by_what_it_does(environment, each, cluster) or held_by
            assert not each.kubernetes or found[urn][0] == cluster, urn
            # An edge host's work is part of the name servers, of all regions.
            assert each.type == HOST_PHASE or found[urn] == held_by, urn
    return found


def belonging(inputs: Mapping[str, Any]) -> Belongs:
    """What a component says of itself."""
    return inputs["region"], tuple(filter(None, inputs["declared"].split(".")))


def components(environment: Environment) -> dict[str, list[Belongs]]:
    """Of each type of component, where those belong that there must be."""
    regions, exposed = environment.regions, environment.ingresses
    own = {True: [name for name, spec in regions.items() if spec.cluster.kind == "adopted"]}
    own[False] = sorted(set(regions) - set(own[True]))

    def in_each(key: str, names: Iterable[str]) -> list[Belongs]:
        return [(region, (key, name)) for region, name in product(regions, names)]

    def below(names: Iterable[str], *key: str) -> list[Belongs]:
        return [(name, ("regions", name, *key)) for name in names]

    return {
        tokens.PLATFORM: [("", ())],
        tokens.MESH_TRUST: [("", ("mesh",))],
        tokens.GATEWAY_TRUST: [("", ("domain",))],
        tokens.GLOBAL_LOAD_BALANCER: [("", ("globalLoadBalancer",))],
        tokens.EXPOSED_HOST: [("", ("ingresses", name)) for name in exposed],
        tokens.REGION: below(regions),
        tokens.ADOPTED_CLUSTER: below(own[True], "cluster"),
        tokens.BARE_METAL_CLUSTER: below(own[False], "cluster"),
        tokens.POD_NETWORK: below(regions, "cluster"),
        tokens.LOAD_BALANCER_POOL: below(own[False], "loadBalancer"),
        tokens.ISTIO_CONTROL_PLANE: [(name, ("mesh",)) for name in regions],
        tokens.MESH_NAMESPACE: in_each("namespaces", environment.namespaces),
        tokens.APPLICATION: in_each("applications", environment.applications),
        tokens.INGRESS: in_each("ingresses", exposed),
    }


def by_what_it_does(environment: Environment, each: support.Registered, cluster: str) -> Belongs | None:
    """Region and key of a resource, not by its name; None where what it does names no key."""
    if each.type == HOST_PHASE:
        return of_host(environment, each.inputs["host"])
    if each.type == CLUSTER_IDENTITY:
        return each.inputs["cluster"], ("regions", each.inputs["cluster"], "cluster")
    if each.type in (CERTIFICATE, CERTIFICATE_AUTHORITY):
        common_name = each.inputs["common_name"]
        by_name: dict[str, Belongs] = {
            "m root CA": ("", ("mesh",)),
            "example.test gateway CA": ("", ("domain",)),
        }
        by_name |= {spec.host: ("", ("ingresses", name)) for name, spec in environment.ingresses.items()}
        for name in environment.regions:
            by_name[f"kubernetes-{name}"] = name, ("regions", name, "cluster")
            by_name[f"Istio CA of {name}"] = name, ("mesh",)
        return by_name.get(common_name)
    if each.kubernetes:
        metadata, kind = each.inputs["metadata"], each.type.rpartition(":")[2]
        name, namespace = metadata["name"], metadata.get("namespace")
        if kind == "Ingress":
            return cluster, ("ingresses", name)
        if kind in ("Deployment", "Service") and namespace in environment.namespaces:
            return cluster, ("applications", name)
        if kind == "PeerAuthentication" and namespace in environment.namespaces:
            return cluster, ("namespaces", namespace)
        if kind == "Namespace" and name in environment.namespaces:
            return cluster, ("namespaces", name)
    return None


def of_host(environment: Environment, host: str) -> Belongs:
    for name, spec in environment.regions.items():
        if host in spec.edges:
            return name, ("regions", name, "edges", host)
        if isinstance(spec.cluster, BareMetalClusterSpec) and host in spec.cluster.nodes:
            return name, ("regions", name, "cluster", "nodes", host)
    raise AssertionError(f"{host} is not declared")


def looked_at(environment: Environment) -> dict[str, Belongs]:
    """Every check of the doctor, and what it looks after."""
    told: dict[str, Belongs] = {
        "slices": ("", ("addresses",)),
        "issued-certificates": ("", ()),
        "mesh-authorities": ("", ("mesh",)),
        "published-ca": ("", ("domain",)),
    }
    if sum(len(spec.edges) for spec in environment.regions.values()) > 1:
        told["name-servers-agree"] = "", ("globalLoadBalancer",)
    several = ("remote-clusters",) if len(environment.regions) > 1 else ()
    serving = ("gateway-readiness",) if environment.ingresses else ()
    mesh = ("identities", "istiod", "endpoints", "gateway", "gateway-address", *serving, *several)
    for name, spec in environment.regions.items():
        machines = isinstance(spec.cluster, BareMetalClusterSpec)
        of_cluster = (
            "nodes",
            "api-server",
            "cluster-certificates",
            "coredns",
            "pod-addresses",
            "admission",
            *(["kube-proxy"] if machines else []),
        )
        told |= {f"{kind}/{name}": (name, ("regions", name, "cluster")) for kind in of_cluster}
        told |= {f"{kind}/{name}": (name, ("mesh",)) for kind in mesh}
        told[f"strict-mtls/{name}"] = name, ("namespaces",)
        told |= {
            f"application/{name}/{own}": (name, ("applications", own)) for own in environment.applications
        }
        if isinstance(spec.cluster, BareMetalClusterSpec):
            for kind in ("host", "services", "kubelet", "sessions", "routes"):
                told |= {f"{kind}/{host}": of_host(environment, host) for host in spec.cluster.nodes}
            told[f"control-plane/{name}-cp"] = of_host(environment, f"{name}-cp")
            for kind in ("schedulable", "host-certificates"):
                told[f"{kind}/{name}"] = name, ("regions", name, "cluster")
            told[f"metallb/{name}"] = name, ("regions", name, "loadBalancer")
        for host, edge in spec.edges.items():
            told[f"name-server/{edge.address}:53"] = of_host(environment, host)
            told[f"health-view/{host}"] = of_host(environment, host)
            told |= {f"{kind}/{host}": of_host(environment, host) for kind in ("host", "services")}
    for source, target in permutations(environment.regions, 2):
        told[f"flat/{source}/{target}"] = source, ("regions", source)
    for name, exposed in environment.ingresses.items():
        key = ("ingresses", name)
        told |= {f"certificate/{place}/{exposed.host}": (place, key) for place in environment.regions}
        told |= {f"https/{exposed.host}/": ("", key), f"http/{exposed.host}": ("", key)}
    return told


# -- As the engine has it


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


def creation(entry: dict[str, Any]) -> dict[str, Any]:
    """The engine's event of a resource that it would create."""
    return event({"op": "create", "urn": entry["urn"], "old": None, "new": entry})


def deletion(entry: dict[str, Any]) -> dict[str, Any]:
    """The engine's event of a resource that it would delete."""
    return event({"op": "delete", "urn": entry["urn"], "old": entry, "new": None})


def event(metadata: dict[str, Any]) -> dict[str, Any]:
    return {"resourcePreEvent": {"metadata": metadata}}
