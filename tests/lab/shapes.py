"""Shapes that sites have, as declarations and as BIRD in network namespaces: the routers' and the nodes'."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from playbooks.inventory import host_plans
from playbooks.work.machines import PREPARE
from stacks.ledger import Ledger, assign
from stacks.model import Environment
from tests.lab.segments import Network, wait
from tests.unit.playbooks.conftest import rendering
from tests.unit.stacks.small import small

POOL = "10.90.0.0/16"
HOLD_SECONDS = 9
CONVERGED_SECONDS = 20
"""A session waits a second for the other side, and a busy machine takes its time."""
QUIET_SECONDS = 1.0
"""So long after its last session came up, a shape has told every route to everyone."""


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
        pools = {"podPool": POOL, "servicePool": "10.91.0.0/16"}
        declared = {region: self._declared(region) for region in self.regions}
        return Environment.model_validate(small(declared, pools))

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

    def sessions_are_up(self) -> bool:
        """Whether every node has its session with each of its region's routers."""
        return all(
            len(self.network.established(f"{region}-{number}")) == len(spec.routers)
            for region, spec in self.shape.regions.items()
            for number in range(spec.nodes)
        )

    def told(self) -> str:
        """What all of them know, for who reads a failure."""
        routers = [
            f"{r}-router-{i}" for r, spec in self.shape.regions.items() for i in range(len(spec.routers))
        ]
        asked = (["show", "protocols"], ["show", "route", "all"])
        running = [name for name in (*self.pods, *routers) if self.network.running(name)]
        shown = (f"== {name}\n" + self.network.birdc(name, *words) for name in running for words in asked)
        return "\n".join(shown)


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
    """A shape that is up: every session, and every pod reached from every other, with nothing left to tell.

    A BIRD that is ended in the moment in which a session of it comes up may lose its goodbye: the peer takes
    it for a crash, and keeps its routes for a while (seen with 2.0.12, in two of twenty).
    """
    built = build(network, shape)
    wait(
        lambda: not built.unreached() and built.sessions_are_up(),
        CONVERGED_SECONDS,
        lambda: f"{built.unreached()}\n{built.told()}",
    )
    time.sleep(QUIET_SECONDS)
    return built
