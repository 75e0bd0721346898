"""The tables of the layers: what stands in them before and after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gate.effects.engine import layers
from gate.effects.table import LATER
from report.model import UNKNOWN, Against, Change, ChangeSet, Layer, Notice, Op, PropertyChange, Resource, Row
from stacks.answers import INPUT, Answers, Server
from stacks.load import load_stack
from stacks.model import HealthCheck
from stacks.routing import DEFAULT, Place, Routing, Tier
from tests.unit.gate.rules.given import certificate, exposed

ROOT = Path(__file__).resolve().parents[4]
STACK = load_stack(ROOT / "stacks" / "Pulumi.lab.yaml")
PLATFORM = "crossmesh:components:Platform"


def resource(chain: str, name: str, inputs: dict[str, Any], **more: Any) -> Resource:
    """`chain`: types from the outermost component to the resource."""
    urn = f"urn:pulumi:lab::crossmesh::pulumi:pulumi:Stack${PLATFORM}${chain}::{name}"
    holder = chain.rpartition("$")[0]
    defaults = {"parent": f"urn:pulumi:lab::crossmesh::{PLATFORM}${holder}::{more.pop('holder', 'eu')}"}
    return Resource(urn, chain.rpartition("$")[2], name, inputs, **(defaults | {"region": "eu"} | more))


REGION = resource("crossmesh:components:Region", "eu", {}, custom=False)
CLUSTER = "crossmesh:components:Region$crossmesh:components:BareMetalCluster"


def phase(host: str, phase: str, variables: dict[str, Any], *, edge: bool = False) -> Resource:
    holder = "crossmesh:components:Region" if edge else CLUSTER
    inputs = {
        "host": host,
        "phase": phase,
        "variables": variables,
        "connection": {"address": "10.0.0.7"},
        "reset_on_delete": True,
    }
    return resource(
        f"{holder}$crossmesh:hosts:HostPhase",
        f"{host}.{phase}",
        inputs,
        declared=("regions", "eu", *(("edges",) if edge else ("cluster", "nodes")), host),
    )


def kubernetes(kind: str, name: str, spec: dict[str, Any], **metadata: str) -> Resource:
    group = {"Ingress": "networking.k8s.io", "HTTPRoute": "gateway.networking.k8s.io"}.get(kind, "apps")
    chain = f"crossmesh:components:Application$kubernetes:{group}/v1:{kind}"
    inputs = {"kind": kind, "metadata": {"name": name, "namespace": "shop", **metadata}, "spec": spec}
    provider = "urn:pulumi:lab::crossmesh::pulumi:providers:kubernetes::eu.kubernetes"
    own = {"holder": f"eu.{name}", "declared": ("applications", name)}
    return resource(chain, f"eu.shop.{name}", inputs, provider=provider, **own)


def updated(old: Resource, inputs: dict[str, Any], *paths: str) -> Change:
    new = replace(old, inputs={**old.inputs, **inputs})
    properties = tuple(PropertyChange(path, None, None) for path in paths)
    return Change(Op.UPDATE, old.urn, old, new, properties)


def of(
    layer: str, *changes: Change, same: tuple[Resource, ...] = (), notices: tuple[Notice, ...] = ()
) -> Layer:
    found = layers(ChangeSet(Against.STATE, changes, (REGION, *same), notices), STACK)
    return next(entry for entry in found if entry.id == layer)


def test_layers_come_in_a_fixed_order() -> None:
    found = layers(ChangeSet(Against.STATE, (), ()), STACK)
    assert [layer.id for layer in found] == ["hosts", "objects", "dns", "exposure", "addresses"]


def test_a_host_that_stays_has_the_same_words_on_both_sides() -> None:
    layer = of("hosts", same=(phase("n1", "join", {}),))
    assert layer.rows == (Row("n1 join", "as applied", "as applied"),)


def test_check_modes_tasks_are_in_the_hosts_row() -> None:
    node = phase("n1", "prepare", {})
    notice = Notice("info", "n1 prepare: 1 of 9 tasks would change it\n  base : Packages", node.urn)
    layer = of("hosts", updated(node, {}, "variables.base_packages"), notices=(notice,))
    assert layer.rows[0].after == "runs: 1 of 9 tasks would change it / base : Packages"
    assert layer.not_measurable == ()


def test_what_a_host_s_preflight_refuses_is_in_its_row_in_short_words() -> None:
    node = phase("n1", "prepare", {})
    words = (
        "n1 prepare: its preflight refuses: runtime, packages\n"
        "  - runtime refuses: docker runs here for something else\n    fix: move it\n"
        "  - packages refuses: installing would remove docker-ce\n  - clock warns: it is late"
    )
    change = updated(node, {}, "variables.base_packages")
    layer = of("hosts", change, notices=(Notice("warning", words, node.urn),))
    assert layer.rows[0].after == "runs, because of base_packages; its preflight refuses: runtime, packages"
    assert layer.not_measurable == ()


def test_hosts_that_cannot_be_reached_are_told_together() -> None:
    nodes = [phase(name, "prepare", {}) for name in ("n1", "n2")]
    notices = tuple(
        Notice("warning", f"{n} prepare: not measurable: host unreachable (10.0.0.{i} port 22)", node.urn)
        for i, (n, node) in enumerate(zip(("n1", "n2"), nodes, strict=True))
    )
    changes = [updated(node, {}, "variables.base_packages") for node in nodes]
    layer = of("hosts", *changes, notices=notices)
    assert layer.not_measurable == ("check mode of n1 prepare, n2 prepare: host unreachable",)
    assert layer.rows[0].after == "runs, because of base_packages"


def test_why_hosts_that_would_be_looked_at_were_not_is_told_once() -> None:
    looked_at, unseen, joins = phase("n1", "prepare", {}), phase("n2", "prepare", {}), phase("n2", "join", {})
    wanted = {"preflight": {"role": "worker"}}
    notices = (
        Notice("info", "n1 prepare: its preflight finds nothing against it", looked_at.urn),
        Notice("warning", "n1 prepare: not measurable: check mode broke", looked_at.urn),
        Notice("warning", "n2 prepare: not measurable: hosts are left alone (--hermetic)", unseen.urn),
        Notice("warning", "n2 join: not measurable: hosts are left alone (--hermetic)", joins.urn),
    )
    changes = [updated(node, wanted, "variables.base_packages") for node in (looked_at, unseen)]
    layer = of("hosts", *changes, updated(joins, {}, "variables.join_endpoint"), notices=notices)
    assert layer.not_measurable == (
        "check mode of n1 prepare: check mode broke",
        "check mode of n2 join: hosts are left alone (--hermetic)",
        "preflight and check mode of n2 prepare: hosts are left alone (--hermetic)",
    )


def test_name_servers_of_all_regions_have_their_batches() -> None:
    changes = [
        updated(phase(name, "edge", {}), {}, "variables.gdnsd_ttl") for name in ("eu-edge-1", "us-edge-1")
    ]
    rows = {row.key: row.after or "" for row in of("hosts", *changes).rows}
    assert rows["eu-edge-1 edge"] == "runs in batch 1 of 2, because of gdnsd_ttl"
    assert rows["us-edge-1 edge"] == "runs in batch 2 of 2, because of gdnsd_ttl"


def test_hosts_that_are_interrupted_have_their_batch_in_their_rows() -> None:
    names = [*STACK.environment.regions["eu"].hosts, *STACK.environment.regions["us"].hosts]
    changes = [updated(phase(name, "prepare", {}), {}, "variables.base_packages") for name in names]
    noted = updated(phase("eu-worker-1", "join", {}), {}, "connection")
    layer = of("hosts", *changes, noted)
    rows = {row.key: row.after or "" for row in layer.rows}
    order = ["eu-cp-1", "eu-worker-1", "eu-edge-1", "us-cp-1", "us-worker-1", "us-edge-1"]
    for number, name in enumerate(order, 1):
        assert rows[f"{name} prepare"] == f"runs in batch {number} of 6, because of base_packages"
    assert rows["eu-worker-1 join"] == "as applied; noted: connection"
    assert "batch" not in str(of("hosts", changes[0]).rows), "there is one"


def test_nodes_that_are_led_to_another_address_have_their_turns() -> None:
    nodes = ("eu-worker-1", "us-worker-1")
    moved = [updated(phase(name, "join", {}), {}, "variables.join_endpoint") for name in nodes]
    rows = {row.key: row.after or "" for row in of("hosts", *moved).rows}
    assert rows["eu-worker-1 join"] == "runs in batch 1 of 2, because of join_endpoint"
    assert rows["us-worker-1 join"] == "runs in batch 2 of 2, because of join_endpoint"
    trusting = [updated(phase(name, "join", {}), {}, "variables.join_authorities") for name in nodes]
    assert "batch" not in str(of("hosts", *trusting).rows)


def test_a_new_connection_alone_runs_nothing() -> None:
    layer = of("hosts", updated(phase("n1", "join", {}), {}, "connection"))
    assert layer.rows[0].after == "as applied; noted: connection"


def test_a_deleted_phase_is_reset() -> None:
    node = phase("n1", "join", {})
    layer = of("hosts", Change(Op.DELETE, node.urn, node, None))
    assert layer.rows == (Row("n1 join", "as applied; is reset", None),)


def test_taints_of_nodes_are_told_with_what_is_in_the_cluster() -> None:
    inputs = {"node": "n1", "taints": {"gpu:NoSchedule": ""}}
    old = resource(f"{CLUSTER}$crossmesh:kubernetes:NodeTaints", "eu.n1.taints", inputs)
    layer = of("objects", updated(old, {"taints": {"slow:PreferNoSchedule": "disk"}}))
    assert layer.rows == (Row("eu: taints of n1", "gpu:NoSchedule", "slow=disk:PreferNoSchedule"),)


def test_objects_are_counted_by_cluster_and_part() -> None:
    old = kubernetes("Deployment", "web", {"replicas": 1})
    layer = of("objects", updated(old, {"spec": {"replicas": 2}}), same=(kubernetes("Service", "web", {}),))
    assert layer.rows == (Row("eu: Application web", "2 objects", "2 objects; changed: Deployment shop/web"),)


ANSWERS = Answers(
    zone="example.com",
    names=("shop.example.com",),
    ttl=5,
    targets={"eu": "10.0.0.200", "us": "10.0.1.200"},
    servers={"e1": Server("10.0.0.7", "eu")},
    health=HealthCheck(interval=2, timeout=1, down_threshold=3, up_threshold=2),
)


def balancer(**more: Any) -> Resource:
    inputs = {INPUT: replace(ANSWERS, **more).to_inputs()}
    return resource("crossmesh:components:GlobalLoadBalancer", "global-load-balancer", inputs, custom=False)


def test_answers_name_regions_addresses_and_time_to_live() -> None:
    old = balancer()
    layer = of("dns", updated(old, balancer(targets={"eu": "10.0.0.200"}, ttl=60).inputs))
    assert (
        Row("shop.example.com A", "eu 10.0.0.200, us 10.0.1.200; TTL 5 s", "eu 10.0.0.200; TTL 60 s")
        in layer.rows
    )
    assert Row("example.com NS", "e1.example.com (10.0.0.7)", "e1.example.com (10.0.0.7)") in layer.rows


def test_an_address_that_is_not_known_yet_is_said_to_be_so() -> None:
    new = balancer(targets={"eu": UNKNOWN})
    layer = of("dns", Change(Op.CREATE, new.urn, None, new))
    assert Row("shop.example.com A", None, f"eu {LATER}; TTL 5 s") in layer.rows
    assert layer.not_measurable == (
        "answers of shop.example.com A: a gateway has its address when its cluster gives it one",
    )


def test_a_gateway_with_a_host_name_is_answered_by_that_name() -> None:
    named = balancer(targets={"eu": "lb-1.cloud.example.org"})
    layer = of("dns", same=(named,))
    answer = "eu lb-1.cloud.example.org; TTL 5 s"
    assert Row("shop.example.com CNAME", answer, answer) in layer.rows


def test_where_clients_of_each_kind_are_led_is_told_before_and_after() -> None:
    eu, us = Tier.of(["eu"], {}), Tier.of(["us"], {})
    site = Place((us, eu), prefixes=("10.1.0.0/16",))
    policy = Routing(DEFAULT, ("shop.example.com",), (eu, us), {"site": site})
    after = replace(ANSWERS, routings=(policy,))
    layer = of("dns", updated(balancer(), {INPUT: after.to_inputs()}))
    assert Row("shop.example.com, clients of 10.1.0.0/16", "eu, us", "us; then eu") in layer.rows
    assert Row("shop.example.com, everybody else", "eu, us", "eu; then us") in layer.rows
    assert not [row for row in of("dns", same=(balancer(),)).rows if "," in row.key]


@pytest.mark.parametrize(("tls", "scheme"), [([], "http"), ([{"hosts": ["a.b"]}], "https")])
def test_ingress_paths_are_exposed(tls: list[Any], scheme: str) -> None:
    path = {"path": "/x", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
    spec = {"tls": tls, "rules": [{"host": "a.b", "http": {"paths": [path]}}]}
    new = kubernetes("Ingress", "web", spec)
    layer = of("exposure", Change(Op.CREATE, new.urn, None, new))
    assert layer.rows == (Row(f"{scheme}://a.b/x", None, "shop/web:80 in eu"),)


def test_routes_are_exposed_with_services_of_other_namespaces_unless_they_are_for_the_mesh() -> None:
    rule = {"backendRefs": [{"name": "web", "namespace": "other", "port": 80}]}
    spec = {"hostnames": ["a.b"], "parentRefs": [{"name": "main"}], "rules": [rule]}
    inside = {**spec, "parentRefs": [{"kind": "Service", "name": "web"}]}
    layer = of("exposure", same=(kubernetes("HTTPRoute", "web", spec), kubernetes("HTTPRoute", "x", inside)))
    assert layer.rows == (Row("HTTPRoute a.b", "other/web:80 in eu", "other/web:80 in eu"),)


def test_a_route_that_cannot_be_read_before_up_is_said_to_be_so() -> None:
    hidden = replace(
        kubernetes("HTTPRoute", "web", {}), inputs={"metadata": {"name": "web"}, "spec": UNKNOWN}
    )
    assert of("exposure", same=(hidden,)).not_measurable == (
        "what HTTPRoute eu.shop.web exposes: not to be read before up",
    )


def test_every_address_that_leads_to_a_region_is_answered() -> None:
    several = balancer(targets={"hoster": ["192.0.2.151", "198.51.100.118"]})
    answer = "hoster 192.0.2.151, hoster 198.51.100.118; TTL 5 s"
    assert Row("shop.example.com A", answer, answer) in of("dns", same=(several,)).rows


def test_a_service_at_addresses_of_nodes_is_exposed() -> None:
    spec = {"type": "ClusterIP", "externalIPs": ["192.0.2.151"], "ports": [{"port": 443}]}
    words = "ports 443/TCP of 192.0.2.151 in eu"
    layer = of("exposure", same=(kubernetes("Service", "gw", spec),))
    assert layer.rows == (Row("externalIPs shop/gw", words, words),)


def test_services_with_outside_ports_are_exposed_and_others_are_not() -> None:
    gateway = kubernetes("Service", "gw", {"type": "LoadBalancer", "ports": [{"port": 443}]})
    layer = of("exposure", same=(gateway, kubernetes("Service", "web", {"type": "ClusterIP"})))
    assert [row.key for row in layer.rows] == ["LoadBalancer shop/gw"]


def test_addresses_come_from_what_is_applied() -> None:
    node = phase("n1", "prepare", {"pod_network_slice": "172.30.0.0/24"})
    moved = {"variables": {"pod_network_slice": "172.30.9.0/24"}}
    layer = of("addresses", updated(node, moved))
    assert Row("eu: pods of node n1", "172.30.0.0/24", "172.30.9.0/24") in layer.rows
    assert Row("eu: machine n1", "10.0.0.7", "10.0.0.7") in layer.rows


def test_numbers_in_names_count_as_numbers() -> None:
    nodes = tuple(phase(f"n{number}", "join", {}) for number in (10, 9))
    assert [row.key for row in of("hosts", same=nodes).rows] == ["n9 join", "n10 join"]


def test_tunnels_are_rows_of_the_addresses_with_what_must_be_let_through() -> None:
    peer = {"endpoint": "192.0.2.9:51820", "networks": ["172.30.9.0/24"]}
    variables = {"tunnel_peers": {"n2": peer}, "tunnel_port": 51820, "tunnel_mtu": 1420}
    node = phase("n1", "tunnel", variables)
    more = {"variables": {**variables, "tunnel_peers": {"n2": peer, "n3": peer}, "tunnel_mtu": 1380}}
    layer = of("addresses", updated(node, more, "variables.tunnel_peers"))
    before = "to 1 node, UDP 51820, packets of 1420 bytes"
    after = "to 2 nodes, UDP 51820, packets of 1380 bytes"
    assert Row("eu: tunnels of node n1", before, after) in layer.rows


def test_each_host_with_a_given_certificate_has_a_row_with_what_tells_it_from_others() -> None:
    old, new = certificate(), certificate(serial="2b", not_after=UNKNOWN)
    wiki, shop = exposed("wiki.example.test"), exposed("shop.example.test", "site")
    found = ChangeSet(Against.STATE, (Change(Op.UPDATE, new.urn, old, new),), (wiki, shop))
    (layer,) = (each for each in layers(found, STACK) if each.id == "exposure")
    assert layer.rows == (
        Row(
            "certificate of shop.example.test",
            "site: serial 1a, by CN=lower, until 2027-06-01T00:00:00+00:00",
            f"site: serial 2b, by CN=lower, until {LATER}",
        ),
    )


def test_a_host_that_gets_a_given_certificate_tells_of_the_one_that_it_had() -> None:
    old, new = exposed("shop.example.test"), exposed("shop.example.test", "site")
    changes = (Change(Op.UPDATE, new.urn, old, new), Change(Op.CREATE, "given", None, certificate()))
    (layer,) = (
        each for each in layers(ChangeSet(Against.STATE, changes, ()), STACK) if each.id == "exposure"
    )
    ((_, before, after),) = ((row.key, row.before, row.after) for row in layer.rows)
    assert before == "of the gateways' own authority"
    assert after is not None and after.startswith("site: serial 1a")
