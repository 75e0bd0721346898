"""Tunnels on machines: no router of BGP, and in one region machines that share no segment.

Run by `make acceptance SUITE=tunnels`; takes some minutes and writes `docs/acceptance/tunnels-<date>.json`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.lab.acceptance import results
from tests.lab.acceptance.killing import fresh
from tests.lab.clients import addresses, curl
from tests.lab.site import Site

NAME = os.environ.get("CROSSMESH_TUNNELS_STACK", "test-tunnels")
NODES = ("eu-cp-1", "eu-worker-1", "us-cp-1", "us-worker-1")


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    found: dict[str, Any] = {}
    yield found
    print(f"wrote {results.write('tunnels', found)}")


@pytest.fixture(scope="module")
def site(report: dict[str, Any]) -> Iterator[Site]:
    """The platform, brought up; nothing of it is left at the end."""
    found = fresh(NAME)
    try:
        document = yaml.safe_load(found.stack_file.read_text())
        rented(document["config"]["crossmesh:environment"], found)
        found.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
        report["upSeconds"] = round(found.up("--skip-preview").seconds, 1)
        yield found
        found.destroy()
    finally:
        found.stop()


def rented(environment: dict[str, Any], site: Site) -> None:
    """Declare it: no routers, and `us` at a hoster, who leads an additional address to its worker."""
    environment["tunnels"] = {}
    for profile in environment["hostProfiles"].values():
        profile["userspaceTunnels"] = True
    for region in environment["regions"].values():
        del region["fabric"]
    us = environment["regions"]["us"]
    del us["machineNetwork"]
    site.on("us-worker-1", f"ip address add {us['loadBalancer']['first']}/32 dev lo")


def test_the_doctor_finds_every_tunnel_well(site: Site, report: dict[str, Any]) -> None:
    healthy = site.crossmesh("doctor", "--json", check=False)
    assert healthy.returncode == 0, healthy.stdout[-4000:]
    for node in NODES:
        assert f"tunnels/{node}" in healthy.stdout
    report["tunnels"] = {node: site.on(node, "wg show crossmesh endpoints | wc -l").strip() for node in NODES}
    assert report["tunnels"] == {"eu-cp-1": "2", "eu-worker-1": "2", "us-cp-1": "3", "us-worker-1": "3"}


def test_both_regions_answer_at_their_gateways(site: Site) -> None:
    outputs = site.outputs()
    answered = {address for server in outputs.nameservers for address in addresses(server, outputs.host)[0]}
    assert len(answered) == 2
    assert {curl(outputs, address, "/assetconsumer").status for address in answered} == {200}


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
