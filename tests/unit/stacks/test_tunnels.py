"""Rented servers with no network in common, sites behind NATs: what is declared, and what nodes become."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playbooks.inventory import HostPlan, host_plans
from playbooks.work.machines import PREPARE
from playbooks.work.network import TUNNEL
from stacks.errors import StackFileError
from stacks.ledger import Ledger, assign
from stacks.load import load_stack
from stacks.model import TunnelEnd

Write = Callable[[str], Path]
SERVERS = """\
config:
  pulumi:disable-default-providers: [kubernetes]
  crossmesh:environment:
    domain: k8s.example.net
    addresses: {podPool: 10.244.0.0/16, servicePool: 10.96.0.0/16}
    sources: {apt: [{name: k8s, uri: "https://pkgs.example.net/deb", suite: stable, signedBy: ~/k8s.asc}]}
    ssh: {user: root, privateKeyFile: ~/.ssh/id_ed25519, knownHostsFile: ~/.ssh/known_hosts}
    tunnels: {}
    regions:
      hoster:
        loadBalancer: {first: 203.0.113.80, last: 203.0.113.81}
        cluster:
          kind: bareMetal
          nodes:
            noether: {address: 192.0.2.11, ssh: {address: noether.box.example.net}, role: control-plane}
            curie: {address: 192.0.2.151, role: worker}
            meitner: {address: 198.51.100.118, role: worker}
            franklin: {address: 203.0.113.244, role: worker}
            goeppert: {address: 192.0.2.224, role: worker}
    mesh: {id: k8s, trustDomain: k8s.example.net}
    namespaces: {bots: {podSecurity: privileged}}
    applications:
      site: {namespace: bots, image: "registry.example.net/site:1.2.0", replicas: 2}
    ingresses:
      site: {namespace: bots, host: site.k8s.example.net, paths: [{path: /, application: site}]}
"""
HOME = """\
      home:
        machineNetwork: 10.5.0.0/24
        loadBalancer: {first: 10.5.0.100, last: 10.5.0.109}
        cluster:
          kind: bareMetal
          nodes:
            attic: {address: 10.5.0.11, role: control-plane, tunnel: {address: 198.51.100.9, port: 51821}}
            cellar: {address: 10.5.0.12, role: worker, tunnel: {reachable: false}}
"""
MESH = "    mesh: {id"


@pytest.fixture
def planned(write: Write) -> Callable[..., dict[str, HostPlan]]:
    """The plans of a file's hosts."""

    def planned(text: str) -> dict[str, HostPlan]:
        environment = load_stack(write(text), require_ledger=False).environment
        return host_plans(environment, assign(environment, Ledger()))

    return planned


def refused(write: Write, text: str) -> str:
    """What is said of a file that is wrong."""
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text), require_ledger=False)
    return str(caught.value)


def test_servers_without_a_common_network_reach_each_other_through_tunnels(
    planned: Callable[..., dict[str, HostPlan]],
) -> None:
    plans = planned(SERVERS)
    prepared, tunnel = plans["curie"].variables[PREPARE], plans["curie"].variables[TUNNEL]
    assert prepared["pod_network_routes"] == [] and prepared["pod_network_tunnel_mtu"] == 1420
    assert tunnel["tunnel_peers"]["meitner"]["endpoint"] == "198.51.100.118:51820"
    assert sorted(tunnel["tunnel_peers"]) == ["franklin", "goeppert", "meitner", "noether"]
    assert all(len(peer["networks"]) == 1 for peer in tunnel["tunnel_peers"].values())
    assert tunnel["tunnel_address"] == prepared["pod_network_slice"].removesuffix("/24")
    assert {"wireguard-tools", "iputils-ping"} <= set(prepared["base_packages"])
    assert "wireguard-go" not in prepared["base_packages"]


def test_a_site_behind_a_nat_is_called_where_it_can_be_and_its_machines_are_reached_through_tunnels(
    planned: Callable[..., dict[str, HostPlan]],
) -> None:
    plans = planned(SERVERS.replace(MESH, HOME + MESH))
    peers = plans["curie"].variables[TUNNEL]["tunnel_peers"]
    assert peers["attic"]["endpoint"] == "198.51.100.9:51821"
    assert peers["attic"]["networks"][1:] == ["10.5.0.11/32"], "its API server"
    assert peers["cellar"]["endpoint"] == "" and peers["cellar"]["networks"][1:] == ["10.5.0.12/32"]
    cellar = plans["cellar"].variables[TUNNEL]
    assert cellar["tunnel_keepalive"] == 25 and plans["attic"].variables[TUNNEL]["tunnel_keepalive"] == 0
    assert "attic" not in cellar["tunnel_peers"], "neighbours have routes"
    (route,) = plans["cellar"].variables[PREPARE]["pod_network_routes"]
    assert route["via"] == "10.5.0.11"


def test_the_servers_as_they_were_declared_first_are_told_what_to_declare(write: Write) -> None:
    text = SERVERS.replace("    tunnels: {}\n", "").replace(
        "      hoster:\n", "      hoster:\n        machineNetwork: 192.0.2.0/24\n"
    )
    said = refused(write, text.replace("loadBalancer: {first: 203.0.113.80, last: 203.0.113.81}", ""))
    assert said.count("leave `machineNetwork` of region 'hoster' out, and declare `tunnels`") == 2


WRONG: dict[str, tuple[tuple[tuple[str, str], ...], str]] = {
    "two that nobody can call": (
        (("curie: {", "curie: {tunnel: {reachable: false}, "),),
        "reachable: false, as of node 'c",
    ),
    "one NAT that forwards one port to two": (
        (("{reachable: false}", "{address: 198.51.100.9, port: 51821}"),),
        "198.51.100.9 port 51821 again; line",
    ),
    "an address that leads to another node": (
        (("address: 198.51.100.9, port: 51821", "address: 198.51.100.118"),),
        "198.51.100.118 port 51820 again; line",
    ),
    "an address of the pods": (
        (("address: 198.51.100.9,", "address: 10.244.9.9,"),),
        "10.244.9.9, an address of the pod pool 10.244.0.0/16",
    ),
    "an address of one that cannot be called": (
        (("{reachable: false}", "{reachable: false, port: 51822}"),),
        "others can call a node at its `address` and `port`, or not at all",
    ),
    "a port of services": (
        (("tunnels: {}", "tunnels: {port: 31000}"),),
        "ports 30000 to 32767 are for services",
    ),
    "a machine in another region's network": (
        (("address: 198.51.100.118", "address: 10.5.0.14"),),
        "declare the host in the region whose network holds it",
    ),
    "a machine in the pod pool": (
        (("address: 198.51.100.118", "address: 10.244.0.14"),),
        "host 'meitner' and the pod pool do not overlap",
    ),
    "a load balancer at a machine's own address": (
        (("first: 203.0.113.80, last: 203.0.113.81", "first: 192.0.2.151, last: 192.0.2.151"),),
        "MetalLB gives services no address of a machine",
    ),
    "an address twice": ((("198.51.100.118", "203.0.113.244"),), "the address of host 'meitner'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_no_tunnel_could_be_made_of_is_refused(name: str, write: Write) -> None:
    text = SERVERS.replace(MESH, HOME + MESH)
    changes, words = WRONG[name]
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    said = refused(write, text)
    assert words in said
    assert said.endswith(": 1 problem")


@pytest.mark.parametrize("key", ["wireguard", "vpn", "ipsec"])
def test_who_writes_another_word_for_tunnels_is_told_the_key(key: str, write: Write) -> None:
    assert "tunnels" in refused(write, SERVERS.replace("tunnels: {}", f"{key}: {{}}"))


@pytest.mark.parametrize(
    ("end", "seconds"),
    [({}, 0), ({"keepalive": 10}, 10), ({"reachable": False}, 25), ({"address": "192.0.2.1"}, 0)],
)
def test_an_end_keeps_its_way_open_where_it_must(end: dict[str, Any], seconds: int) -> None:
    assert TunnelEnd.model_validate(end).keepalive_seconds == seconds
