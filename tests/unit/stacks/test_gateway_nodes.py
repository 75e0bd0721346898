"""Rented servers with one address each: a region's gateway is reached at addresses of its own machines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from playbooks.inventory import host_plans
from stacks.ledger import Ledger, assign
from stacks.load import load_stack
from tests.unit.stacks.test_tunnels import HOME, MESH, SERVERS, refused

Write = Callable[[str], Path]
RANGE = "loadBalancer: {first: 203.0.113.80, last: 203.0.113.81}"
OWN = "gatewayNodes: [curie, meitner, franklin]"
RENTED = SERVERS.replace(RANGE, OWN)
"""Five servers, each with one public address of a network of its own, and no further one to be had."""


def test_servers_with_one_address_each_are_reached_at_these(write: Write) -> None:
    environment = load_stack(write(RENTED), require_ledger=False).environment
    addresses = [str(address) for address in environment.regions["hoster"].gateway_addresses]
    assert addresses == ["192.0.2.151", "198.51.100.118", "203.0.113.244"]
    assert environment.gateway_ports == (443, 15021)
    plans = host_plans(environment, assign(environment, Ledger()))
    assert plans["curie"].preflight["gateway_ports"] == [443, 15021]
    assert "gateway_ports" not in plans["goeppert"].preflight
    plain = RENTED.replace("host: site.k8s", "redirectHttp: true, host: site.k8s")
    assert load_stack(write(plain), require_ledger=False).environment.gateway_ports == (80, 443, 15021)


def test_whoever_says_neither_is_told_both(write: Write) -> None:
    said = refused(write, SERVERS.replace(f"        {RANGE}\n", ""))
    assert "`loadBalancer`, free addresses (first and last), or `gatewayNodes`" in said
    assert "add `loadBalancer` to region 'hoster'" in said and "`gatewayNodes: [curie]`" in said


def test_a_machine_s_own_address_as_a_load_balancer_s_is_told_the_key(write: Write) -> None:
    said = refused(
        write, SERVERS.replace("203.0.113.80, last: 203.0.113.81", "192.0.2.151, last: 192.0.2.151")
    )
    assert "name the machine in `gatewayNodes` instead of `loadBalancer`" in said


WRONG: dict[str, tuple[tuple[tuple[str, str], ...], str]] = {
    "a node of another region": (
        (("meitner, franklin]", "meitner, cellar]"),),
        "nodes of region 'hoster' that take workload: curie, franklin, goeppert, meitner",
    ),
    "a control plane without workload": (
        (("[curie, meitner", "[noether, meitner"),),
        "or declare `workload: true` for 'noether'",
    ),
    "a node twice": ((("[curie, meitner", "[curie, curie"),), "curie again; line"),
    "a node whose sshd has the gateway's port at a name": (
        (("curie: {", "curie: {ssh: {port: 443, address: curie.box.example.net}, "),),
        "give its sshd another port",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_no_client_could_be_led_by_is_refused(name: str, write: Write) -> None:
    text = RENTED.replace(MESH, HOME + MESH)
    changes, words = WRONG[name]
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    said = refused(write, text)
    assert words in said
    assert said.endswith(": 1 problem")


RIGHT: dict[str, tuple[tuple[str, str], ...]] = {
    "a control plane that takes workload": (
        ("[curie, meitner", "[noether, meitner"),
        (
            "role: control-plane}\n            curie",
            "role: control-plane, workload: true}\n            curie",
        ),
    ),
    "ssh at the gateway's port of another address": (
        ("curie: {", "curie: {ssh: {port: 443, address: 10.9.9.9}, "),
    ),
    "kube-proxy with nftables": (
        ("    tunnels: {}\n", "    tunnels: {}\n    hostProfiles: {box: {kubeProxy: {mode: nftables}}}\n"),
        ("goeppert: {", "goeppert: {profile: box, "),
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_leads_clients_is_taken(name: str, write: Write) -> None:
    text = RENTED
    for old, new in RIGHT[name]:
        assert text.count(old) == 1
        text = text.replace(old, new)
    load_stack(write(text), require_ledger=False)


def test_an_adopted_cluster_has_no_nodes_that_lead_to_its_gateway(write: Write) -> None:
    cloud = """\
      cloud:
        machineNetwork: 10.20.0.0/16
        gatewayNodes: [worker-1]
        cluster: {kind: adopted, kubeconfigSecret: cloud, podCidr: 10.21.0.0/16, serviceCidr: 10.22.0.0/20}
"""
    fabric = "fabric: {asn: 64512, peers: [{address: 192.0.2.1, asn: 64510}]}"
    text = RENTED.replace(MESH, cloud + MESH).replace("    tunnels: {}\n", "")
    text = text.replace(
        "      hoster:\n", f"      hoster:\n        machineNetwork: 192.0.0.0/2\n        {fabric}\n"
    )
    assert "an adopted cluster's own load balancer gives its gateway an address" in refused(write, text)


@pytest.mark.parametrize("key", ["externalIPs", "hostPort", "host_network", "serviceLB"])
def test_who_writes_another_word_for_it_is_told_the_key(key: str, write: Write) -> None:
    assert "write it as `gatewayNodes`" in refused(write, RENTED.replace("gatewayNodes:", f"{key}:"))


def test_a_nat_s_address_is_a_wish_that_is_known(write: Write) -> None:
    text = RENTED.replace("curie: {", "curie: {publicIP: 203.0.113.9, ")
    assert "Gateways behind a NAT: not supported yet" in refused(write, text)
