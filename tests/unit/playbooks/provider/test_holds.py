"""Regions held while their nodes are changed: by real connections to directories of this machine."""

from __future__ import annotations

import asyncio
import fcntl
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from access import host_lock
from access.errors import Unanswered
from access.host_lock import OnHost, Pass
from playbooks.provider.fleet import Fleet
from playbooks.provider.holds import Holds, HostHold, RegionHold
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.host_phase import HostPhase
from report.errors import LockedError, OperationsError
from tests.unit.playbooks.provider.support import FakeEngine, Host

pytestmark = pytest.mark.anyio

NODE = ["prepare", "join"]
CONTROL = ["prepare", "control-plane"]
EDGE = ["prepare", "edge"]


async def silent(_: str) -> None:
    pass


@pytest.fixture
def lock(host: Host, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock's file; hosts of all names are this machine."""
    monkeypatch.setattr(host_lock, "DIRECTORY", str(host.path))
    return host.path / "runbook"


def found(lock: Path) -> dict[str, Any]:
    with lock.open() as file:
        # Whoever writes it holds this.
        fcntl.flock(file, fcntl.LOCK_SH)
        return dict(json.loads(file.read() or "{}"))


async def free(lock: Path) -> None:
    deadline = time.monotonic() + 10
    while found(lock).get("run"):
        assert time.monotonic() < deadline, found(lock)
        await asyncio.sleep(0.02)


async def let_go(*regions: RegionHold) -> None:
    """Give back what they hold, and wait until nothing of their connections is left here."""
    for region in regions:
        region.let_go()
        for hold in region._hosts:
            if hold._process:
                await hold._process.wait()


@asynccontextmanager
async def holding(host: Host, **phases: list[str]) -> AsyncIterator[Holds]:
    """The regions of a run whose hosts, all of region eu, change."""
    holds = Holds()
    holds.declare(phases)
    for name in phases:
        holds.saw("eu", name, host.connection, changes=True)
    try:
        yield holds
    finally:
        await let_go(*holds._holds.values())


async def test_a_region_is_held_from_its_first_change_to_the_end_of_the_run(host: Host, lock: Path) -> None:
    async with holding(host, cp=CONTROL, w1=NODE) as holds:
        assert holds.shown("eu", "cp") == {}, "nothing is held before"
        await asyncio.gather(*(holds.open("eu", silent, silent) for _ in range(3)))
        held = found(lock)
        assert (held["what"], held["number"]) == ("pulumi up", 1)
        assert holds.shown("eu", "cp") == {"run": held["run"], "number": 1}
        assert holds.shown("eu", "w1") == {"run": held["run"], "number": 0}
        assert len(host.ssh_calls()) == 1
        with pytest.raises(LockedError, match="cp is held for pulumi up by"):
            await asyncio.to_thread(OnHost("cp", host.connection).take, "a1", "runbook drain-node")
    await free(lock)
    OnHost("cp", host.connection).take("a1", "runbook drain-node")


async def test_a_region_that_a_runbook_holds_is_not_changed_and_who_it_is_is_said_once(
    host: Host, lock: Path
) -> None:
    OnHost("cp", host.connection).take("a1", "runbook drain-node")
    async with holding(host, cp=CONTROL, w1=NODE) as holds:
        with pytest.raises(OperationsError) as refused:
            await holds.open("eu", silent, silent)
        assert "no node was changed: cp is held for runbook drain-node, run a1, by " in str(refused.value)
        assert "crossmesh runbook resume" in str(refused.value)
        with pytest.raises(OperationsError, match="not begun, because eu could not be held"):
            await holds.open("eu", silent, silent)
    assert found(lock)["run"] == "a1"


async def test_an_up_that_a_runbook_drives_goes_by_the_runbook_s_lock(
    host: Host, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = OnHost("cp", host.connection)
    place.take("a1", "runbook upgrade")
    monkeypatch.setenv(host_lock.PASS, Pass("a1", {"cp": place.number}).to_json())
    monkeypatch.setattr(host_lock, "BEAT", 0.05)
    async with holding(host, cp=CONTROL, w1=NODE) as holds:
        await holds.open("eu", silent, silent)
        assert holds.shown("eu", "cp") == {"run": "a1", "number": place.number}
        assert place.beat()
        # Another computer goes on with the run: this one's lock is lost, and so is that of its `up`.
        OnHost("cp", host.connection).take("a1", "runbook upgrade")
        deadline = time.monotonic() + 10
        with pytest.raises(LockedError, match="the lock of this run there is lost"):
            while time.monotonic() < deadline:
                holds.shown("eu", "w1")
                await asyncio.sleep(0.02)
    assert found(lock)["run"] == "a1", "nothing of the runbook's is given back"


async def test_a_pass_that_is_no_more_good_begins_nothing(
    host: Host, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(host_lock.PASS, Pass("a1", {"cp": 4}).to_json())
    async with holding(host, cp=CONTROL) as holds:
        with pytest.raises(OperationsError, match="the lock of this run there is lost"):
            await holds.open("eu", silent, silent)


async def test_a_connection_that_breaks_is_made_anew_and_the_lock_kept(
    host: Host, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_lock, "BEAT", 0.05)
    hold = HostHold("cp", host.connection, "up-1")
    await hold.take()
    assert hold._process
    hold._process.kill()
    first = found(lock).get("holder")
    deadline = time.monotonic() + 10
    while found(lock).get("holder", first) == first:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert found(lock)["number"] == 1
    assert hold.lost is None
    hold.let_go()
    await hold._process.wait()
    await free(lock)


async def test_a_hold_that_another_one_took_meanwhile_is_lost(
    host: Host, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_lock, "BEAT", 0.05)
    region = RegionHold("eu", [HostHold("cp", host.connection, "up-1")])
    await region.take()
    region.require()
    now = time.time()
    lock.write_text(json.dumps({"run": "b2", "number": 9, "owner": "other", "beat": now, "since": now}))
    deadline = time.monotonic() + 10
    with pytest.raises(LockedError, match="it is held for a runbook by other"):
        while time.monotonic() < deadline:
            region.require()
            await asyncio.sleep(0.02)
    await let_go(region)


async def test_silence_for_as_long_as_a_lock_lives_is_a_loss(host: Host, lock: Path) -> None:
    region = RegionHold("eu", [HostHold("cp", host.connection, "up-1")])
    await region.take()
    region._hosts[0].heard -= host_lock.SECONDS
    with pytest.raises(LockedError, match="nothing was heard of it for 60 s"):
        region.require()
    await let_go(region)


@pytest.mark.parametrize(("silent_ones", "is_held"), [(1, True), (2, False)])
async def test_of_three_hosts_one_may_be_silent(
    host: Host, lock: Path, silent_ones: int, is_held: bool
) -> None:
    away = replace(host.connection, address="unreachable.test")
    ways = [*[away] * silent_ones, *[host.connection] * (3 - silent_ones)]
    region = RegionHold("eu", [HostHold(f"cp-{number}", way, "up-1") for number, way in enumerate(ways)])
    if is_held:
        assert any("held without cp-0" in words for words in await region.take())
        assert region.number("cp-0") == 0
        await let_go(region)
    else:
        with pytest.raises(Unanswered, match="whether a runbook works in eu cannot be said") as refused:
            await region.take()
        assert refused.value.fix
    await free(lock)


async def test_who_ended_without_giving_it_back_is_named(host: Host, lock: Path) -> None:
    before = {
        "run": "a1",
        "number": 1,
        "owner": "other",
        "what": "runbook drain-node",
        "beat": time.time() - 90,
    }
    lock.write_text(json.dumps(before))
    said: list[str] = []

    async def warn(text: str) -> None:
        said.append(text)

    async with holding(host, cp=CONTROL) as holds:
        await holds.open("eu", silent, warn)
    assert re.search(r"cp was held for runbook drain-node by other, who was not heard of for 9\d s", said[0])
    assert "`crossmesh runbook history` shows whether run a1 is to be gone on with" in said[0]


async def test_edges_and_runs_that_bring_no_control_plane_hold_nothing(host: Host, lock: Path) -> None:
    said: list[str] = []

    async def warn(text: str) -> None:
        said.append(text)

    async with holding(host, ns=EDGE, w1=NODE) as holds:
        assert not holds.is_node("ns")
        await holds.open("eu", silent, warn)
        assert "on the hosts alone that change" in said[0]
    destroyed = Holds()
    await destroyed.open("eu", silent, warn)
    assert len(said) == 1
    assert not host.ssh_calls()


async def test_a_region_of_which_nothing_changes_is_left_alone(host: Host, lock: Path) -> None:
    holds = Holds()
    holds.declare({"cp": CONTROL, "us-cp": CONTROL})
    holds.saw("eu", "cp", host.connection, changes=True)
    holds.saw("us", "us-cp", replace(host.connection, address="unreachable.test"), changes=False)
    await holds.open("eu", silent, silent)
    await let_go(*holds._holds.values())


async def test_a_node_is_changed_once_its_region_is_held_and_its_run_shows_that(
    host: Host, lock: Path, engine: FakeEngine
) -> None:
    class Requests:
        cancelled = False

        def __init__(self) -> None:
            self.holds: list[Any] = []

        async def run(self, request: Any, *_: Any) -> Any:
            self.holds.append(request.hold)
            raise OperationsError("enough")

    async def reach(*_: object) -> None:
        pass

    requests = Requests()
    context = Context(engine, Fleet(reach), requests)  # type: ignore[arg-type]
    context.holds.declare({"cp": CONTROL})
    values = {
        "host": "cp",
        "phase": "prepare",
        "region": "eu",
        "connection": {
            "address": host.connection.address,
            "user": host.connection.user,
            "knownHostsFile": host.connection.known_hosts_file,
            "privateKeyFile": host.connection.private_key_file,
        },
        "variables": {},
    }
    operation = Operation(context, "urn", seed=b"seed")
    checked = await HostPhase().check(operation, {}, values)
    with pytest.raises(OperationsError, match="enough"):
        await HostPhase().create(operation, {**values, **checked.inputs})
    assert requests.holds == [{"run": found(lock)["run"], "number": 1}]
    context.holds.hang_up()
    await let_go(*context.holds._holds.values())
    await free(lock)
