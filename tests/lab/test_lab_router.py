"""The lab's router beside a machine's BIRD as declared: real BIRD in network namespaces, within a minute."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab import fabric
from lab.addressing import allocate
from lab.spec import load
from playbooks.inventory import host_plans
from playbooks.work.machines import PREPARE
from stacks.load import load_stack
from stacks.model import AddressRange
from tests.lab.segments import Network, speaker, wait
from tests.lab.shapes import CONVERGED_SECONDS, HOLD_SECONDS
from tests.unit.playbooks.conftest import ROOT, rendering


def told(network: Network) -> str:
    """What a machine of the lab knows, for who reads a failure."""
    return network.birdc("node", "show", "protocols", "all")


def machine_of_the_lab(network: Network, services: tuple[str, str] | None = None) -> str:
    """The lab's router, and a machine whose slice it knows; returns the slice.

    services: first and last of the region's load-balancer addresses, where they are other than declared.
    """
    spec = load()
    addresses = allocate("lab", spec)
    there = addresses.regions["eu"]
    network.add("router", {"eu": f"{there.router}/24", "services": f"{addresses.services_router}/24"})
    network.bird("router", fabric.configuration(spec, addresses))
    network.add("node", {"eu": f"{there.machines['eu-cp-1']}/24"})
    stack = load_stack(ROOT / "stacks" / "Pulumi.lab.yaml")
    environment = stack.environment
    if services:
        first, last = map(IPv4Address, services)
        region = environment.regions["eu"].model_copy(
            update={"load_balancer": AddressRange(first=first, last=last)}
        )
        environment = environment.model_copy(update={"regions": {**environment.regions, "eu": region}})
    variables = host_plans(environment, stack.ledger)["eu-cp-1"].variables[PREPARE]
    network.bird("node", rendering("pod_network", "bird.conf.j2", dict(variables)))
    slice_ = str(stack.ledger.nodes["eu"]["eu-cp-1"])
    wait(lambda: slice_ in network.routes("router"), CONVERGED_SECONDS, lambda: told(network))
    return slice_


def test_the_lab_s_router_lets_a_machine_in_again_that_was_silent_for_longer_than_the_hold_time(
    network: Network,
) -> None:
    slice_ = machine_of_the_lab(network)
    network.link("node", "down")
    wait(lambda: slice_ not in network.routes("router"), HOLD_SECONDS + 15, lambda: told(network))
    network.link("node", "up")
    wait(lambda: slice_ in network.routes("router"), CONVERGED_SECONDS, lambda: told(network))


@pytest.mark.parametrize("planned", [True, False], ids=["planned", "killed"])
def test_the_lab_s_router_keeps_the_routes_of_a_machine_whose_bird_is_started_anew(
    planned: bool, network: Network
) -> None:
    """It takes sessions of any machine of a region, which are made when one calls, and not declared each."""
    slice_ = machine_of_the_lab(network)
    if planned:
        network.birdc("node", "graceful", "restart")
        wait(lambda: network.ended("node"), 5, lambda: told(network))
    else:
        network.end("node", signal.SIGKILL)
    assert slice_ in network.routes("router")
    network.start("node", "-R")
    until = time.monotonic() + 5
    while time.monotonic() < until:
        assert slice_ in network.routes("router")
        time.sleep(0.1)
    wait(lambda: bool(network.established("node")), CONVERGED_SECONDS, lambda: told(network))
    assert slice_ in network.routes("router")


def test_the_lab_s_router_takes_addresses_of_services_once_it_is_told_to_accept_them(
    network: Network, tmp_path: Path
) -> None:
    """Sessions that are up stay up: the machine is asked to say again what it announces."""
    gateway = "172.29.1.1"
    slice_ = machine_of_the_lab(network, (gateway, "172.29.1.14"))
    nodes = load_stack(ROOT / "stacks" / "Pulumi.lab.yaml").environment.regions["eu"].fabric
    assert nodes is not None
    network.bird("speaker", speaker(nodes.asn, (gateway,)), on="node")
    wait(
        lambda: f"{gateway}/32" in network.birdc("node", "show", "route"),
        CONVERGED_SECONDS,
        lambda: told(network),
    )
    time.sleep(1)
    assert gateway not in network.routes("router")
    spec = load()
    accepting = replace(spec, accepted_prefixes=(*spec.accepted_prefixes, "172.29.1.0/28"))
    file = tmp_path / "accepting.conf"
    file.write_text(fabric.configuration(accepting, allocate("lab", spec)))
    network.birdc("router", "configure", f'"{file}"')
    wait(lambda: gateway in network.routes("router"), CONVERGED_SECONDS, lambda: told(network))
    assert slice_ in network.routes("router")
