from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from access import ssh
from access.programs import Executed
from live.checks import network, tunnels
from live.doctor.model import Finding
from report.model import Status
from stacks.ledger import Ledger, assign
from stacks.model import Environment
from tests.unit.operations.support import make_platform, run

CP, WORKER = "aWtleQ0000000000000000000000000000000000000=", "d2tleQ0000000000000000000000000000000000000="
SAID = f"""\
whole 172.30.16.0
whole 172.30.17.0
now 1800000100
{CP}\t172.30.16.0/24 10.101.2.11/32
{WORKER}\t172.30.17.0/24
{CP}\t1800000000
{WORKER}\t1800000090
"""


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is found on eu-worker-1 when its tunnels are like that; the reference without routers."""
    platform = make_platform()
    declaration = platform.stack.environment.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for region in declaration["regions"].values():
        del region["fabric"]
    environment = Environment.model_validate({**declaration, "tunnels": {"mtu": 1400}})
    stack = replace(platform.stack, environment=environment, ledger=assign(environment, Ledger()))
    platform = replace(platform, stack=stack)
    asked: list[str] = []

    def find(said: str, stderr: str = "") -> Finding:
        def answer(host: str, connection: object, command: list[str]) -> Executed:
            asked.append(command[-1])
            return Executed(0, said, stderr)

        monkeypatch.setattr(ssh, "run", answer)
        node = environment.regions["eu"].hosts["eu-worker-1"]
        return run(tunnels.check_tunnels, platform, "eu-worker-1", node)

    find.platform, find.asked = platform, asked  # type: ignore[attr-defined]
    return find


def test_every_node_with_tunnels_is_looked_at_and_no_edge(found: Any) -> None:
    ids = [check.id for check in network.checks(found.platform) if check.id.startswith("tunnels/")]
    assert ids == ["tunnels/eu-cp-1", "tunnels/eu-worker-1", "tunnels/us-cp-1", "tunnels/us-worker-1"]
    assert not [check for check in network.checks(make_platform()) if check.id.startswith("tunnels/")]


def test_tunnels_that_carry_the_largest_packets_are_well(found: Any) -> None:
    finding = found(SAID)
    assert finding.status is Status.PASS, finding
    assert finding.measured == "2 of 2 other ends reached by packets of 1400 bytes"
    assert "us-cp-1 (172.30.16.0): reached; last handshake 100 s ago" in finding.details
    assert "-M do -s 1372 172.30.17.0" in found.asked[0]


@pytest.mark.parametrize(
    ("old", "new", "words", "fix"),
    [
        (
            "whole 172.30.16.0",
            "small 172.30.16.0",
            "small packets reach us-cp-1 through its tunnel, the largest do not",
            "Lower `tunnels.mtu`",
        ),
        (
            f"whole 172.30.16.0|{CP}\t1800000000",
            f"none 172.30.16.0|{CP}\t0",
            "eu-worker-1 and us-cp-1 have no session: there never was a handshake",
            "See that UDP 51820 reaches both machines",
        ),
        (
            f"whole 172.30.16.0|{CP}\t1800000000",
            f"none 172.30.16.0|{CP}\t1799999000",
            "have no session: the last handshake was 1100 s ago",
            "UDP 51820",
        ),
        (
            "whole 172.30.16.0",
            "none 172.30.16.0",
            "us-cp-1 does not answer through its tunnel, though its last handshake was 100 s ago",
            "packet filter of us-cp-1",
        ),
        (f"{CP}\t172.30.16.0/24 10.101.2.11/32\n", "", "eu-worker-1 has no tunnel to us-cp-1", "pulumi up"),
    ],
)
def test_a_tunnel_that_is_not_as_it_must_be_is_named(
    found: Any, old: str, new: str, words: str, fix: str
) -> None:
    said = SAID
    for before, after in zip(old.split("|"), new.split("|"), strict=True):
        assert before in said
        said = said.replace(before, after)
    finding = found(said)
    assert finding.status is Status.FAIL
    assert words in finding.message and fix in finding.fix
    assert "us-worker-1" not in finding.message


def test_a_node_whose_interface_is_not_there_is_named_once(found: Any) -> None:
    said = "none 172.30.16.0\nnone 172.30.17.0\nnow 1800000100\n"
    finding = found(said, "Unable to access interface: No such device")
    assert finding.message.count("\n") == 0
    assert "eu-worker-1 has no tunnels: Unable to access interface: No such device" in finding.message
    assert "journalctl -u wg-quick@crossmesh" in finding.fix


def test_all_other_ends_are_asked_at_the_same_time() -> None:
    lines = tunnels.question([IPv4Address("10.0.0.0"), IPv4Address("10.0.1.0")], 1420).splitlines()
    assert [line.endswith("&") for line in lines] == [True, True, False, False]
    assert lines[2] == "wait"
