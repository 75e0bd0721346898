"""The nodes' BIRD as declared, beside the routers of a site, over the shapes that sites have.

Real BIRD in network namespaces, no machines, two minutes at most.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab import fabric, tools
from lab.addressing import allocate
from lab.spec import load
from live.checks.network import SESSIONS, read_sessions
from playbooks.inventory import host_plans
from playbooks.work.machines import PREPARE
from stacks.ledger import Ledger, assign
from stacks.load import load_stack
from stacks.model import Environment
from tests.lab.segments import Network, wait
from tests.unit.playbooks.conftest import ROOT, rendering

POOL = "10.90.0.0/16"
HOLD_SECONDS = 9
CONVERGED_SECONDS = 20
"""A session waits a second for the other side, and a busy machine takes its time."""


@dataclass(frozen=True)
class Router:
    """A router of a site."""

    asn: int
    reflects: bool = True
    """Whether it passes routes between nodes of its own AS on."""


@dataclass(frozen=True)
class Region:
    """A region: the first addresses of its network are its routers', then its nodes come."""

    network: str
    asn: int
    routers: tuple[Router, ...]
    nodes: int = 2
    led: bool = True
    """Whether the first router is the nodes' default gateway too."""
    services: tuple[str, str] = ("", "")
    """First and last of load-balancer addresses beside the network."""


@dataclass(frozen=True)
class Shape:
    """Regions whose routers share a backbone."""

    regions: dict[str, Region] = field(default_factory=dict)

    def addresses(self, region: str) -> tuple[list[str], list[str]]:
        """The routers' and the nodes' addresses."""
        spec = self.regions[region]
        network = IPv4Network(spec.network)
        every = [str(address) for address in network.hosts()]
        last = len(spec.routers)
        return every[:last], every[last : last + spec.nodes]

    def environment(self) -> Environment:
        """It as a declaration."""
        return Environment.model_validate(
            {
                "domain": "shapes.example.test",
                "addresses": {"podPool": POOL, "servicePool": "10.91.0.0/16"},
                "mesh": {"id": "shapes", "trustDomain": "shapes.example.test"},
                "regions": {region: self._declared(region) for region in self.regions},
            }
        )

    def _declared(self, region: str) -> dict[str, object]:
        spec = self.regions[region]
        routers, nodes = self.addresses(region)
        peers = [{"address": a, "asn": r.asn} for a, r in zip(routers, spec.routers, strict=True)]
        roles = ["control-plane", *["worker"] * (spec.nodes - 1)]
        services = {"loadBalancer": dict(zip(("first", "last"), spec.services, strict=True))}
        fabric = {"fabric": {"asn": spec.asn, "peers": peers}} if peers else {}
        return {
            "machineNetwork": spec.network,
            **fabric,
            **(services if spec.services[0] else {}),
            "cluster": {
                "kind": "bareMetal",
                "nodes": {
                    f"{region}-{number}": {"address": address, "role": role}
                    for number, (address, role) in enumerate(zip(nodes, roles, strict=True))
                },
            },
        }


SHAPES = {
    "eBGP, one region, the router is the gateway": Shape(
        {"a": Region("10.1.0.0/24", 64512, (Router(64600),))}
    ),
    "eBGP, two routers, neither is the gateway": Shape(
        {"a": Region("10.1.0.0/24", 64512, (Router(64600), Router(64601)), led=False)}
    ),
    "iBGP, two routers that reflect, neither is the gateway": Shape(
        {"a": Region("10.1.0.0/24", 65000, (Router(65000), Router(65000)), led=False)}
    ),
    "iBGP, a router that reflects nothing and is the gateway": Shape(
        {"a": Region("10.1.0.0/24", 65000, (Router(65000, reflects=False),))}
    ),
    "three regions, iBGP in one, one AS of all nodes elsewhere": Shape(
        {
            "a": Region("10.1.0.0/24", 65000, (Router(65000), Router(65000)), led=False),
            "b": Region("10.2.0.0/24", 64512, (Router(64602),), led=False),
            "c": Region("10.3.0.0/24", 64512, (Router(64603),), led=False),
        }
    ),
    "one node each behind links of two addresses": Shape(
        {
            "a": Region("10.1.0.0/31", 64512, (Router(64600),), nodes=1),
            "b": Region("10.1.0.2/31", 65000, (Router(65000),), nodes=1, led=False),
        }
    ),
    "AS numbers of four bytes": Shape(
        {
            "a": Region("10.1.0.0/24", 4200000001, (Router(4200000100),), led=False),
            "b": Region("10.2.0.0/24", 4200000200, (Router(4200000200),), led=False),
        }
    ),
}


def router_configuration(shape: Shape, region: str, number: int) -> str:
    """A router's BIRD, set as the guide on routing says."""
    spec = shape.regions[region]
    own = spec.routers[number]
    routers, nodes = shape.addresses(region)
    backbone = {
        f"{other}{index}": (core_address(shape, other, index), router.asn)
        for other, there in shape.regions.items()
        for index, router in enumerate(there.routers)
        if other != region
    }
    parts = [
        f"log stderr all;\nrouter id {routers[number]};\nprotocol device {{}}\nprotocol direct {{ ipv4; }}",
        "protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }",
        f"filter pods {{ if net ~ [ {POOL}+, 172.20.10.0/24+ ] then accept; reject; }}",
    ]
    for name, (address, asn) in backbone.items():
        parts.append(_session(f"core_{name}", core_address(shape, region, number), own.asn, address, asn))
    for index, address in enumerate(nodes):
        reflect = "rr client;" if own.asn == spec.asn and own.reflects else ""
        parts.append(_session(f"node{index}", routers[number], own.asn, address, spec.asn, reflect))
    return "\n".join(parts)


def _session(name: str, local: str, local_asn: int, address: str, asn: int, options: str = "") -> str:
    return (
        f"protocol bgp {name} {{\n  local {local} as {local_asn};\n  neighbor {address} as {asn};\n"
        "  hold time 9;\n  connect delay time 1;\n  connect retry time 2;\n  error wait time 1, 5;\n"
        f"  {options}\n"
        "  ipv4 { import filter pods; export filter pods; };\n}"
    )


def core_address(shape: Shape, region: str, number: int) -> str:
    """A router's address on the backbone."""
    return f"100.64.0.{10 * list(shape.regions).index(region) + number + 1}"


@dataclass
class Built:
    """A shape that runs: the pods' gateway address of each node."""

    network: Network
    shape: Shape
    pods: dict[str, str]

    def unreached(self) -> list[str]:
        """Which node's pods do not reach which."""
        return [
            f"{node} → {other}"
            for node, source in self.pods.items()
            for other, target in self.pods.items()
            if other != node and target in self.missing(node, source)
        ]

    def missing(self, node: str, source: str) -> list[str]:
        """Addresses of pods that do not answer to those of a node."""
        return self.network.unreached(node, source, [t for t in self.pods.values() if t != source])

    def told(self) -> str:
        """What all of them know, for who reads a failure."""
        routers = [
            f"{r}-router-{i}" for r, spec in self.shape.regions.items() for i in range(len(spec.routers))
        ]
        names = [*self.pods, *routers]
        shown = (f"== {name}\n" + self.network.birdc(name, "show", "route", "all") for name in names)
        return "\n".join(shown)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    tools.ensure()
    with Network(tmp_path) as network:
        yield network


def build(network: Network, shape: Shape) -> Built:
    """Bring a shape up: routers as the guide says, nodes as the role sets them."""
    environment = shape.environment()
    ledger = assign(environment, Ledger())
    plans, pods = host_plans(environment, ledger), {}
    for region, spec in shape.regions.items():
        routers, nodes = shape.addresses(region)
        length = IPv4Network(spec.network).prefixlen
        for number, address in enumerate(routers):
            core = core_address(shape, region, number)
            name = f"{region}-router-{number}"
            network.add(name, {region: f"{address}/{length}", "core": f"{core}/24"})
            network.bird(name, router_configuration(shape, region, number))
        for number, address in enumerate(nodes):
            name = f"{region}-{number}"
            slice_ = ledger.nodes[region][name]
            pods[name] = str(slice_[1])
            gateway = routers[0] if spec.led else ""
            network.add(name, {region: f"{address}/{length}"}, gateway)
            network.holds(name, f"{pods[name]}/{slice_.prefixlen}")
            network.bird(name, rendering("pod_network", "bird.conf.j2", dict(plans[name].variables[PREPARE])))
    return Built(network, shape, pods)


def converged(network: Network, shape: Shape) -> Built:
    """A shape that is up, with every pod reached from every other."""
    built = build(network, shape)
    wait(lambda: not built.unreached(), CONVERGED_SECONDS, lambda: f"{built.unreached()}\n{built.told()}")
    return built


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


def test_the_lab_s_router_lets_a_machine_in_again_that_was_silent_for_longer_than_the_hold_time(
    network: Network,
) -> None:
    spec = load()
    addresses = allocate("lab", spec)
    there = addresses.regions["eu"]
    network.add("router", {"eu": f"{there.router}/24", "services": f"{addresses.services_router}/24"})
    network.bird("router", fabric.configuration(spec, addresses))
    network.add("node", {"eu": f"{there.machines['eu-cp-1']}/24"})
    stack = load_stack(ROOT / "stacks" / "Pulumi.lab.yaml")
    variables = host_plans(stack.environment, stack.ledger)["eu-cp-1"].variables[PREPARE]
    network.bird("node", rendering("pod_network", "bird.conf.j2", dict(variables)))
    slice_, told = (
        str(stack.ledger.nodes["eu"]["eu-cp-1"]),
        lambda: network.birdc("node", "show", "protocols", "all"),
    )
    wait(lambda: slice_ in network.routes("router"), CONVERGED_SECONDS, told)
    network.link("node", "down")
    wait(lambda: slice_ not in network.routes("router"), HOLD_SECONDS + 15, told)
    network.link("node", "up")
    wait(lambda: slice_ in network.routes("router"), CONVERGED_SECONDS, told)


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


def speaker(asn: int, services: Sequence[str]) -> str:
    """What MetalLB's speaker does, by another BIRD: it calls that of its machine, and announces."""
    routes = "\n".join(f"  route {service}/32 unreachable;" for service in services)
    return f"""log stderr all;
router id 127.0.0.1;
protocol device {{}}
protocol static {{ ipv4; {routes} }}
protocol bgp node {{
  local 127.0.0.1 port 1179 as {asn};
  neighbor 127.0.0.2 as {asn};
  strict bind;
  connect delay time 1;
  connect retry time 1;
  ipv4 {{ import all; export all; next hop self; }};
}}
"""


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
