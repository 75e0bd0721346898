"""The nodes' BIRD as declared, beside the routers of a site, over the shapes that sites have.

Real BIRD in network namespaces, no machines, two minutes at most.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from live.checks.network import SESSIONS, read_sessions
from playbooks.inventory import host_plans
from playbooks.work.machines import PREPARE
from stacks.ledger import Ledger, assign
from tests.lab.segments import Network, speaker, wait
from tests.lab.shapes import (
    CONVERGED_SECONDS,
    HOLD_SECONDS,
    POOL,
    SHAPES,
    Region,
    Router,
    Shape,
    build,
    converged,
    router_configuration,
)
from tests.unit.playbooks.conftest import ROOT, rendering


@pytest.mark.parametrize("name", SHAPES)
def test_every_pod_reaches_every_other_on_any_shape_of_a_site(name: str, network: Network) -> None:
    built = converged(network, SHAPES[name])
    assert all(network.established(node) for node in built.pods)


def test_what_the_doctor_reads_of_sessions_is_what_bird_says(network: Network) -> None:
    shape = Shape({"a": Region("10.1.0.0/24", 65000, (Router(65000), Router(65000), Router(65000)))})
    built = converged(network, shape)
    network.end("a-router-1", signal.SIGTERM)
    network.bird(
        "a-router-1",
        router_configuration(shape, "a", 1).replace("hold time", "graceful restart off; hold time"),
    )
    routers, _ = shape.addresses("a")
    network.end("a-router-2", signal.SIGTERM)

    def said() -> str:
        return network.birdc("a-1", SESSIONS)

    wait(lambda: len(network.established("a-1")) == 2, CONVERGED_SECONDS, said)
    sessions = {str(session.router): session for session in read_sessions(said())}
    assert [sessions[router].established for router in routers] == [True, True, False], said()
    assert [sessions[router].keeps_routes for router in routers[:2]] == [True, False], said()
    # The router said goodbye; once the node has tried again, that nobody listens is what it was told last.
    assert re.search("Administrative shutdown|Connection refused", sessions[routers[2]].state), said()
    assert not built.unreached()


def test_the_example_in_the_guide_is_what_bird_accepts(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "guides" / "routing.md").read_text()
    example = tmp_path / "bird.conf"
    example.write_text("protocol device {}\n" + text.split("```")[1])
    checked = subprocess.run(["bird", "-p", "-c", str(example)], capture_output=True, text=True, timeout=20)
    assert checked.returncode == 0, checked.stderr


TWO_ROUTERS = "eBGP, two routers, neither is the gateway"
REFLECTING = "iBGP, two routers that reflect, neither is the gateway"


@pytest.mark.parametrize("name", [TWO_ROUTERS, REFLECTING])
def test_pods_are_reached_by_the_other_router_once_the_first_one_is_silent(
    name: str, network: Network
) -> None:
    built = converged(network, SHAPES[name])
    network.link("a-router-0", "down")

    def alone() -> bool:
        return all(len(network.established(node)) == 1 for node in built.pods)

    wait(alone, HOLD_SECONDS + CONVERGED_SECONDS, built.told)
    assert not built.unreached()


@pytest.mark.parametrize(("name", "planned"), [(TWO_ROUTERS, True), (REFLECTING, True), (TWO_ROUTERS, False)])
def test_a_restart_of_a_node_s_bird_be_it_planned_or_a_crash_withdraws_none_of_its_routes(
    name: str, planned: bool, network: Network
) -> None:
    built = converged(network, SHAPES[name])
    there = network.routes("a-1")
    if planned:
        network.birdc("a-0", "graceful", "restart")
        wait(lambda: network.ended("a-0"), 5, built.told)
    else:
        network.end("a-0", signal.SIGKILL)
    for _ in range(3):
        assert not built.unreached()
        assert network.routes("a-1") == there
    network.start("a-0", "-R")
    until = time.monotonic() + 6
    while time.monotonic() < until:
        assert network.routes("a-1") == there
        assert network.routes("a-0").keys() >= {f"{IPv4Network(POOL)[256]}/24"}
        time.sleep(0.2)
    assert len(network.established("a-0")) == 2
    assert not built.unreached()


def test_a_stop_of_a_node_s_bird_withdraws_its_routes_at_once(network: Network) -> None:
    built = converged(network, SHAPES[TWO_ROUTERS])
    network.end("a-0", signal.SIGTERM)
    assert wait(lambda: "10.90.0.0/24" not in network.routes("a-1"), HOLD_SECONDS, built.told) < 3


def test_pods_of_nodes_on_one_segment_reach_each_other_and_the_outside_without_a_router(
    network: Network,
) -> None:
    built = build(network, Shape({"a": Region("10.1.0.0/24", 64512, (), nodes=3, led=False)}))
    wait(lambda: not built.unreached(), CONVERGED_SECONDS, built.told)
    network.add("stranger", {"a": "10.1.0.99/24"})
    pod = built.pods["a-1"]
    assert network.unreached("a-1", pod, ["10.1.0.99"]) == ["10.1.0.99"], "it knows no way back to a pod"
    environment = built.shape.environment()
    variables = host_plans(environment, assign(environment, Ledger()))["a-1"].variables[PREPARE]
    for _ in range(2):
        network.filter("a-1", rendering("pod_network", "pods.nft.j2", dict(variables)))
        assert network.unreached("a-1", pod, ["10.1.0.99"]) == []
    assert not built.unreached()
    assert network.seen("a-0", "a-1", pod, built.pods["a-0"]) == pod, "pods see each other's own addresses"
    network.filter(
        "a-1", rendering("pod_network", "pods.nft.j2", {**variables, "pod_network_masquerade": False})
    )
    assert network.unreached("a-1", pod, ["10.1.0.99"]) == ["10.1.0.99"]


@pytest.mark.parametrize("asn", [64600, 65200], ids=["eBGP", "iBGP"])
def test_routers_lead_the_addresses_of_services_to_the_nodes_that_announce_them(
    asn: int, network: Network
) -> None:
    span = ("172.20.10.1", "172.20.10.254")
    site = Region("192.168.1.0/24", 65200, (Router(asn), Router(asn)), nodes=3, services=span)
    built = converged(network, Shape({"a": site}))
    stranger, inside, one = "172.20.11.1", "172.20.10.7", "172.20.10.9"
    for node, services in (("a-1", (inside, one, stranger)), ("a-2", (inside,))):
        network.bird(f"speaker-{node}", speaker(site.asn, services), on=node)
    _, nodes = built.shape.addresses("a")
    routers = ("a-router-0", "a-router-1")

    def led(service: str) -> bool:
        return all(network.routes(router).get(service) == nodes[1] for router in routers)

    def second(router: str) -> bool:
        return f"via {nodes[2]} " in network.birdc(router, "show", "route", "for", f"{inside}/32")

    wait(lambda: led(inside) and led(one) and all(map(second, routers)), CONVERGED_SECONDS, built.told)
    for router in routers:
        assert stranger not in network.routes(router), "a node announces what is declared only"
    for node in built.pods:
        assert not {inside, one} & network.routes(node).keys(), "kube-proxy leads them to pods, not a route"

    network.end("speaker-a-1", signal.SIGKILL)

    def moved() -> bool:
        there = [network.routes(router) for router in routers]
        return all(routes.get(inside) == nodes[2] and one not in routes for routes in there)

    wait(moved, HOLD_SECONDS, built.told)
    assert not built.unreached(), "pods' own routes stay"
