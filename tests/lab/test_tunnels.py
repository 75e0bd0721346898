"""The nodes' tunnels as declared, between rented servers and a site behind a NAT.

Real WireGuard and BIRD in network namespaces, no machines, two minutes at most.
"""

from __future__ import annotations

import copy
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lab import tools
from live.checks import tunnels
from live.doctor.model import Evidence
from playbooks.inventory import HostPlan, host_plans
from playbooks.work.machines import PREPARE
from playbooks.work.network import INTERFACE, TUNNEL
from stacks.ledger import Ledger, assign
from stacks.model import Environment
from tests.lab.segments import Network, wait
from tests.unit.playbooks.conftest import rendering

PROGRAMS = {
    "ping": "iputils-ping",
    "wg": "wireguard-tools",
    "wg-quick": "wireguard-tools",
    "wireguard-go": "wireguard-go",
}
UP_SECONDS = 20
HOME = "192.0.2.100"
"""The one public address of the site behind a NAT."""
SITES: dict[str, Any] = {
    "domain": "tunnels.example.test",
    "addresses": {"podPool": "10.90.0.0/16", "servicePool": "10.91.0.0/16"},
    "mesh": {"id": "tunnels", "trustDomain": "tunnels.example.test"},
    "tunnels": {"mtu": 1400},
    "regions": {
        "hoster": {
            "cluster": {
                "kind": "bareMetal",
                "nodes": {
                    "noether": {"address": "192.0.2.151", "role": "control-plane"},
                    "meitner": {"address": "198.51.100.118", "role": "worker"},
                    "franklin": {"address": "203.0.113.244", "role": "worker"},
                },
            }
        },
        "home": {
            "machineNetwork": "10.5.0.0/24",
            "cluster": {
                "kind": "bareMetal",
                "nodes": {
                    "attic": {
                        "address": "10.5.0.11",
                        "role": "control-plane",
                        "tunnel": {"address": HOME, "port": 51821},
                    },
                    "cellar": {"address": "10.5.0.12", "role": "worker", "tunnel": {"reachable": False}},
                },
            },
        },
    },
}
NAT = f"""
table ip nat {{
  chain in {{
    type nat hook prerouting priority dstnat;
    ip daddr {HOME} udp dport 51821 dnat to 10.5.0.11:51820
  }}
  chain out {{
    type nat hook postrouting priority srcnat;
    ip saddr 10.5.0.0/24 oif eth0 masquerade
  }}
  chain strangers {{
    type filter hook forward priority filter;
    iif eth0 ct state new ct status != dnat drop
  }}
}}
"""


@dataclass
class Built:
    """Nodes with their tunnels, pods behind them, and the network between."""

    network: Network
    environment: Environment
    keys: dict[str, X25519PrivateKey] = field(default_factory=dict)
    before: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        self.ledger = assign(self.environment, self.before)
        self.plans = host_plans(self.environment, self.ledger)

    @property
    def pods(self) -> dict[str, str]:
        """A pod's address on each node."""
        slices = {name: slice_ for nodes in self.ledger.nodes.values() for name, slice_ in nodes.items()}
        return {name: str(slices[name][1]) for name in self.plans}

    def configuration(self, name: str) -> str:
        """A node's configuration of WireGuard."""
        variables = self.plans[name].variables[TUNNEL]
        public = {
            peer: self._encoded(self._key(peer).public_key().public_bytes_raw())
            for peer in variables["tunnel_peers"]
        }
        own = {"tunnel_private_key": self._encoded(self._key(name).private_bytes_raw())}
        return rendering("tunnel", "wireguard.conf.j2", {**variables, **own, "tunnel_public_keys": public})

    def start(self, name: str) -> None:
        """Everything of a node that its roles bring."""
        plan = self.plans[name]
        self.network.holds(name, f"{self.pods[name]}/24")
        self.network.tunnels(name, self.configuration(name))
        self.route(name, plan)

    def route(self, name: str, plan: HostPlan) -> None:
        """The node's BIRD."""
        whole = rendering("pod_network", "bird.conf.j2", dict(plan.variables[PREPARE]))
        routes = rendering("tunnel", "routes.conf.j2", dict(plan.variables[TUNNEL]))
        included = 'include "/etc/bird/tunnels*.conf";'
        assert included in whole
        text = whole.replace(included, routes.replace(f'"{INTERFACE}"', f'"{name}"'))
        self.network.bird(name, text)

    def unreached(self) -> list[str]:
        """Which node, by its pods and by itself, does not reach whose pods."""
        found = []
        for name, pod in self.pods.items():
            others = [other for other in self.pods.values() if other != pod]
            found += [f"pod of {name} → {to}" for to in self.network.unreached(name, pod, others)]
            found += [f"{name} → {to}" for to in self.network.unreached(name, "", others)]
        return found

    def ends(self, name: str) -> tunnels.Ends:
        """What the doctor reads on a node."""
        mine = IPv4Network(f"{self.pods[name]}/24", strict=False)
        others = [IPv4Network(f"{pod}/24", strict=False)[0] for pod in self.pods.values()]
        peers = self.plans[name].variables[TUNNEL]["tunnel_peers"]
        wanted = {IPv4Network(peer["networks"][0])[0] for peer in peers.values()}
        asked = tunnels.question([to for to in others if to != mine[0] and to in wanted], 1400)
        return tunnels.read(self.network.shell(name, asked.replace(f"show {INTERFACE} ", f"show {name} ")))

    def told(self) -> str:
        """What all of them know, for who reads a failure."""
        shown = (f"== {name}\n" + self.network.shell(name, "wg; ip route") for name in self.pods)
        return "\n".join(shown)

    def _key(self, name: str) -> X25519PrivateKey:
        return self.keys.setdefault(name, X25519PrivateKey.generate())

    def _encoded(self, raw: bytes) -> str:
        return b64encode(raw).decode()


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    tools.ensure()
    tools.ensure(PROGRAMS)
    with Network(tmp_path) as network:
        yield network


@pytest.fixture
def sites() -> dict[str, Any]:
    """The declaration, to be changed at will."""
    return copy.deepcopy(SITES)


def built(network: Network, sites: dict[str, Any]) -> Built:
    """The networks between, and everything up."""
    three = {"one": "192.0.2.1/24", "two": "198.51.100.1/24", "three": "203.0.113.1/24"}
    network.add("internet", three)
    network.add("nat", {"one": f"{HOME}/24", "lan": "10.5.0.1/24"}, "192.0.2.1")
    network.filter("nat", NAT)
    network.add("noether", {"one": "192.0.2.151/24"}, "192.0.2.1")
    network.add("meitner", {"two": "198.51.100.118/24"}, "198.51.100.1")
    network.add("franklin", {"three": "203.0.113.244/24"}, "203.0.113.1")
    network.add("attic", {"lan": "10.5.0.11/24"}, "10.5.0.1")
    network.add("cellar", {"lan": "10.5.0.12/24"}, "10.5.0.1")
    made = Built(network, Environment.model_validate(sites))
    for name in made.plans:
        made.start(name)
    return made


def joined(network: Network, sites: dict[str, Any]) -> Built:
    """Everything up, with every pod reached from every other and from every node."""
    made = built(network, sites)
    wait(lambda: not made.unreached(), UP_SECONDS, lambda: f"{made.unreached()}\n{made.told()}")
    return made


def test_pods_and_nodes_reach_all_pods_through_tunnels_and_nats(
    network: Network, sites: dict[str, Any]
) -> None:
    made = joined(network, sites)
    api_server = "10.5.0.11"
    assert network.unreached("meitner", made.pods["meitner"], [api_server]) == [], "a machine behind the NAT"
    assert network.unreached("meitner", "", [api_server, "10.5.0.12"]) == []
    assert network.routes("attic")[made_slice(made, "cellar")] == "10.5.0.12", "neighbours need no tunnel"
    assert network.seen("noether", "cellar", made.pods["cellar"], made.pods["noether"]) == made.pods["cellar"]
    for name in made.pods:
        evidence, ends = Evidence(""), made.ends(name)
        for peer in made.plans[name].variables[TUNNEL]["tunnel_peers"]:
            slice_ = IPv4Network(made_slice(made, peer))
            tunnels.judge(name, peer, slice_, ends, 51820, evidence)
        assert evidence.problems == [], made.told()


def made_slice(made: Built, name: str) -> str:
    """A node's slice."""
    return str(IPv4Network(f"{made.pods[name]}/24", strict=False))


def test_a_node_more_ends_no_session(network: Network, sites: dict[str, Any]) -> None:
    late = sites["regions"]["hoster"]["cluster"]["nodes"].pop("franklin")
    made = built(network, sites)
    wait(lambda: not made.unreached(), UP_SECONDS, made.told)
    before = network.shell("meitner", "wg show meitner latest-handshakes").splitlines()
    sites["regions"]["hoster"]["cluster"]["nodes"]["franklin"] = late
    more = Built(network, Environment.model_validate(sites), made.keys, made.ledger)
    more.start("franklin")
    for name in made.pods:
        network.tunnels(name, more.configuration(name))
        more.route(name, more.plans[name])
    wait(lambda: not more.unreached(), UP_SECONDS, lambda: f"{more.unreached()}\n{more.told()}")
    assert set(before) <= set(network.shell("meitner", "wg show meitner latest-handshakes").splitlines())


def test_the_doctor_tells_a_way_that_carries_less_and_one_that_carries_nothing(
    network: Network, sites: dict[str, Any]
) -> None:
    made = joined(network, sites)
    slice_ = IPv4Network(made_slice(made, "meitner"))
    network.link("meitner", "mtu 1300")
    evidence = Evidence("")
    tunnels.judge("noether", "meitner", slice_, made.ends("noether"), 51820, evidence)
    assert "small packets reach meitner" in str(evidence.problems)
    network.link("meitner", "down")
    evidence = Evidence("")
    tunnels.judge("noether", "meitner", slice_, made.ends("noether"), 51820, evidence)
    assert "meitner" in str(evidence.problems) and "small" not in str(evidence.problems)
