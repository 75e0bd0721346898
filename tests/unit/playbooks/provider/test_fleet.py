from __future__ import annotations

import asyncio

import pytest

from access.ssh import Connection, Jump
from playbooks.preflight.expected import Expected
from playbooks.provider import fleet as fleet_module
from playbooks.provider.fleet import Fleet
from report.errors import OperationsError

pytestmark = pytest.mark.anyio

AT = Connection("localhost", "root", "key", "known_hosts")


async def silent(_: str) -> None:
    pass


class Reached:
    """Stands in for the logins: which hosts were reached, and which of them fail."""

    def __init__(self, *broken: str) -> None:
        self.hosts: list[str] = []
        self.wanted: list[Expected | None] = []
        self._broken = broken

    async def __call__(self, host: str, connection: Connection, wanted: Expected | None) -> None:
        self.hosts.append(host)
        self.wanted.append(wanted)
        if host in self._broken:
            raise OperationsError(f"{host}: no route", fix="mend it")


def make(reached: Reached, *hosts: str) -> Fleet:
    fleet = Fleet(reached)
    fleet.declare(dict.fromkeys(hosts, "prepare"))
    return fleet


async def test_all_hosts_that_cannot_be_used_are_in_one_report() -> None:
    fleet = make(Reached("b", "c"), "a", "b", "c")
    for host in "abc":
        fleet.saw(host, "prepare", AT, changes=True)
    with pytest.raises(OperationsError) as report:
        await fleet.open("a", silent)
    assert "2 hosts cannot be used; no host was changed" in str(report.value)
    assert "- b: no route" in str(report.value)
    assert "- c: no route" in str(report.value)
    with pytest.raises(OperationsError, match="b: not begun"):
        await fleet.open("b", silent)


async def test_no_host_is_changed_before_every_declared_host_was_seen() -> None:
    reached = Reached()
    fleet = make(reached, "a", "b")
    fleet.saw("a", "prepare", AT, changes=True)
    opening = asyncio.create_task(fleet.open("a", silent))
    await asyncio.sleep(0.05)
    fleet.saw("b", "prepare", AT, changes=None)
    await asyncio.sleep(0.05)
    assert not opening.done()
    assert reached.hosts == []
    fleet.saw("b", "prepare", AT, changes=True)
    await opening
    assert reached.hosts == ["a", "b"]


async def test_a_host_that_does_not_change_is_not_reached() -> None:
    reached = Reached("a")
    fleet = make(reached, "a", "b")
    fleet.saw("a", "prepare", AT, changes=False)
    fleet.saw("b", "prepare", AT, changes=True)
    await fleet.open("b", silent)
    assert reached.hosts == ["b"]


async def test_hosts_are_reached_once_for_all_changes() -> None:
    reached = Reached()
    fleet = make(reached, "a", "b")
    for host in "ab":
        fleet.saw(host, "prepare", AT, changes=True)
    await asyncio.gather(fleet.open("a", silent), fleet.open("b", silent))
    await fleet.open("a", silent)
    assert reached.hosts == ["a", "b"]


async def test_hosts_that_a_targeted_run_does_not_bring_hold_nothing_up_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fleet_module, "SEEN_TIMEOUT", 0.1)
    reached = Reached()
    fleet = make(reached, "a", "b")
    fleet.saw("a", "prepare", AT, changes=True)
    said: list[str] = []

    async def say(text: str) -> None:
        said.append(text)

    await fleet.open("a", say)
    assert reached.hosts == ["a"]
    assert "going on without the hosts that this run does not bring: b" in said


async def test_a_later_phase_does_not_count_as_the_first() -> None:
    fleet = make(Reached(), "a")
    fleet.saw("a", "join", AT, changes=True)
    opening = asyncio.create_task(fleet.open("a", silent))
    await asyncio.sleep(0.05)
    assert not opening.done()
    fleet.saw("a", "prepare", AT, changes=False)
    await opening
    assert fleet.changes("a", ["prepare"]) is None
    assert fleet.changes("a", ["prepare", "join"]) == "join"


async def test_hosts_behind_one_jump_host_do_not_knock_at_it_one_by_one() -> None:
    """An sshd of Debian 13 shuts out who connects again and again without a login."""
    knocks = 0

    async def knock(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal knocks
        knocks += 1
        writer.close()

    server = await asyncio.start_server(knock, "127.0.0.1", 0)
    jump = Jump("127.0.0.1", "gate", server.sockets[0].getsockname()[1])
    fleet = make(Reached())
    hosts = [Connection(f"192.0.2.{number}", "root", "key", "known_hosts", jump=jump) for number in range(20)]
    async with server:
        assert all(await asyncio.gather(*map(fleet.probe, hosts)))
        await asyncio.sleep(0.05)
    assert knocks == 1


RANKS = {"cp": 0, **{f"worker-{number}": 1 for number in range(8)}, "edge": 2}


async def opened(monkeypatch: pytest.MonkeyPatch, *changing: str, head_start: float = 5.0) -> Fleet:
    """A fleet of many hosts that was reached, of which some change."""
    monkeypatch.setattr(fleet_module, "HEAD_STARTS", (0.0, head_start, 2 * head_start))
    monkeypatch.setattr(fleet_module.os, "cpu_count", lambda: 2)
    fleet = Fleet(Reached())
    fleet.declare(dict.fromkeys(RANKS, "prepare"), RANKS)
    for host in RANKS:
        fleet.saw(host, "prepare", AT, changes=host in changing)
    await fleet.open("worker-0", silent)
    return fleet


async def test_hosts_that_others_wait_for_have_a_head_start(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = await opened(monkeypatch, *RANKS)
    said: list[str] = []

    async def say(text: str) -> None:
        said.append(text)

    worker = asyncio.create_task(fleet.give_way("worker-0", "prepare", say))
    edge = asyncio.create_task(fleet.give_way("edge", "prepare", silent))
    await fleet.give_way("cp", "prepare", silent)
    await asyncio.sleep(0.05)
    assert not worker.done()
    assert said == ["cp first: others wait for them"]
    fleet.has_begun("cp")
    async with asyncio.timeout(1):
        await worker
    assert not edge.done()
    for number in range(8):
        fleet.has_begun(f"worker-{number}")
    async with asyncio.timeout(1):
        await edge


async def test_a_head_start_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = await opened(monkeypatch, *RANKS, head_start=0.1)
    async with asyncio.timeout(2):
        await fleet.give_way("worker-0", "prepare", silent)
        await fleet.give_way("edge", "prepare", silent)


@pytest.mark.parametrize(
    "changing",
    [("cp", "worker-0"), tuple(host for host in RANKS if host != "cp")],
    ids=["few hosts", "the leader does not change"],
)
async def test_nobody_waits_without_need(monkeypatch: pytest.MonkeyPatch, changing: tuple[str, ...]) -> None:
    fleet = await opened(monkeypatch, *changing)
    async with asyncio.timeout(0.05):
        await fleet.give_way("worker-0", "prepare", silent)


async def test_later_phases_wait_for_no_head_start(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = await opened(monkeypatch, *RANKS)
    async with asyncio.timeout(0.05):
        await fleet.give_way("worker-0", "join", silent)
