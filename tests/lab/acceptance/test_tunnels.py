"""Tunnels on machines: no router of BGP, and in one region rented machines that share no segment and have one
address each, at which clients reach its gateway too.

Run by `make acceptance SUITE=tunnels`; takes some minutes and writes `docs/acceptance/tunnels-<date>.json`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from access.outputs import Outputs
from tests.lab.acceptance import results
from tests.lab.acceptance.killing import fresh
from tests.lab.clients import addresses, curl
from tests.lab.site import Site

NAME = os.environ.get("CROSSMESH_TUNNELS_STACK", "test-tunnels")
NODES = ("eu-cp-1", "eu-worker-1", "us-cp-1", "us-worker-1")


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("tunnels")


@pytest.fixture(scope="module")
def site(report: dict[str, Any]) -> Iterator[Site]:
    """The platform, brought up; nothing of it is left at the end."""
    found = fresh(NAME)
    try:
        document = yaml.safe_load(found.stack_file.read_text())
        rented(document["config"]["crossmesh:environment"])
        found.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
        report["upSeconds"] = round(found.up("--skip-preview").seconds, 1)
        yield found
        found.destroy()
    finally:
        found.stop()


def rented(environment: dict[str, Any]) -> None:
    """Declare it: no routers, and `us` at a hoster, who gives each machine one address and no range."""
    environment["tunnels"] = {}
    for profile in environment["hostProfiles"].values():
        profile["userspaceTunnels"] = True
    for region in environment["regions"].values():
        del region["fabric"]
    us = environment["regions"]["us"]
    del us["machineNetwork"], us["loadBalancer"]
    us["cluster"]["nodes"]["us-cp-1"]["workload"] = True
    us["gatewayNodes"] = ["us-cp-1", "us-worker-1"]


def own_addresses(site: Site) -> set[str]:
    """Of the machines that lead to the gateway of `us`."""
    nodes = site.declaration().environment.regions["us"].nodes
    return {str(nodes[name].address) for name in ("us-cp-1", "us-worker-1")}


def test_the_doctor_finds_every_tunnel_well(site: Site, report: dict[str, Any]) -> None:
    healthy = site.crossmesh("doctor", "--json", check=False)
    assert healthy.returncode == 0, healthy.stdout[-4000:]
    for node in NODES:
        assert f"tunnels/{node}" in healthy.stdout
    report["tunnels"] = {node: site.on(node, "wg show crossmesh endpoints | wc -l").strip() for node in NODES}
    assert report["tunnels"] == {"eu-cp-1": "2", "eu-worker-1": "2", "us-cp-1": "3", "us-worker-1": "3"}


def answered(outputs: Outputs) -> list[set[str]]:
    """What each name server answers."""
    return [addresses(server, outputs.host)[0] for server in outputs.nameservers]


def until(outputs: Outputs, holds: Callable[[set[str]], bool], seconds: float = 60.0) -> float:
    """Seconds until it holds of what every name server answers."""
    began = time.monotonic()
    while not all(map(holds, found := answered(outputs))):
        assert time.monotonic() - began < seconds, found
        time.sleep(0.2)
    return round(time.monotonic() - began, 1)


def test_both_regions_answer_at_their_gateways(site: Site) -> None:
    outputs = site.outputs()
    (eu,), us = outputs.regions["eu"].gateway_addresses, outputs.regions["us"].gateway_addresses
    assert set(map(str, us)) == own_addresses(site)
    told = {str(eu), *map(str, us)}
    assert all(found == told for found in answered(outputs))
    assert {curl(outputs, address, "/assetconsumer").status for address in told} == {200}


def test_a_machine_that_is_reached_no_more_is_left_out_and_the_others_of_its_region_serve(
    site: Site, report: dict[str, Any]
) -> None:
    outputs = site.outputs()
    worker = str(outputs.regions["us"].nodes["us-worker-1"].address)
    (other,) = own_addresses(site) - {worker}
    chain = "nft 'add chain ip unreached in { type filter hook prerouting priority -300; }'"
    rule = f"nft add rule ip unreached in ip daddr {worker} tcp dport 443 drop"
    site.on("us-worker-1", f"nft add table ip unreached && {chain} && {rule}")
    try:
        report["leftOutSeconds"] = until(outputs, lambda found: worker not in found and other in found)
        assert curl(outputs, other, "/assetconsumer").status == 200
        unwell = site.crossmesh("status", check=False)
        assert unwell.returncode and f"us at {worker}" in unwell.stdout
    finally:
        site.on("us-worker-1", "nft delete table ip unreached")
    report["backSeconds"] = until(outputs, lambda found: worker in found)
    assert curl(outputs, worker, "/assetconsumer").status == 200


def test_packets_of_another_size_end_no_session(site: Site) -> None:
    began = "systemctl show wg-quick@crossmesh -p ExecMainStartTimestampMonotonic"
    before = {node: site.on(node, began) for node in NODES}
    with site.changed_declaration({"tunnels.mtu": 1380}):
        site.up("--skip-preview")
        for node in NODES:
            assert "mtu 1380" in site.on(node, "ip link show dev crossmesh")
    assert {node: site.on(node, began) for node in NODES} == before
    site.up("--skip-preview")


def test_tunnels_are_there_after_a_restart_of_their_machine_s_service(site: Site) -> None:
    site.on("us-worker-1", "systemctl restart wg-quick@crossmesh")
    healthy = site.crossmesh("doctor", "--json", check=False)
    assert healthy.returncode == 0, healthy.stdout[-4000:]


def test_nothing_is_left_to_do(site: Site) -> None:
    site.up("--skip-preview", "--expect-no-changes")
    drift = site.crossmesh("drift", check=False)
    assert drift.returncode == 0, drift.words[-4000:]
