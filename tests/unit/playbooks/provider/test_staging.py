"""All hosts have their images before the first is interrupted, whoever waits first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from access.errors import AccessError
from access.programs import Executed
from playbooks.provider.fleet import Fleet
from playbooks.provider.resources import host_phase
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.host_phase import HostPhase
from playbooks.provider.run.request import RunRequest
from playbooks.provider.runs import Event, Outcome
from playbooks.provider.staging import Staging
from playbooks.rolling import Wave
from report.errors import OperationsError
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio


class Site:
    """Hosts that are to be staged, and what happened."""

    def __init__(self, *hosts: str, failing: str = "") -> None:
        self.staging = Staging()
        self.happened: list[str] = []
        self.failing = failing
        for host in hosts:
            self.staging.expect(host, lambda host=host: self._stage(host))  # type: ignore[misc]

    async def _stage(self, host: str) -> None:
        await asyncio.sleep(0.01)
        self.happened.append(f"staged {host}")
        if host == self.failing:
            raise OperationsError(f"{host}: the mirror is down")

    async def begin(self, host: str) -> None:
        await self.staging.open(host, self._say)
        self.happened.append(f"began {host}")

    async def _say(self, text: str) -> None:
        self.happened.append(text)


async def test_hosts_that_the_engine_has_not_brought_yet_are_staged_before_the_first_begins() -> None:
    site = Site("eu-1", "eu-2", "us-1")
    await site.begin("eu-1")
    assert site.happened[0].startswith("giving 3 hosts their images")
    assert site.happened[1:] == ["staged eu-1", "staged eu-2", "staged us-1", "began eu-1"]


async def test_each_is_staged_once_and_the_others_wait_for_it() -> None:
    site = Site("eu-1", "eu-2")
    await asyncio.gather(site.begin("eu-1"), site.begin("eu-2"))
    await site.begin("eu-1")
    assert [what for what in site.happened if what.startswith("staged")] == ["staged eu-1", "staged eu-2"]
    assert "waiting until all hosts have the images that they need" in site.happened


async def test_where_nothing_is_to_be_staged_nobody_waits() -> None:
    site = Site()
    await site.begin("eu-1")
    assert site.happened == ["began eu-1"]


async def test_a_host_that_cannot_be_staged_lets_nobody_begin_and_is_told_once() -> None:
    site = Site("eu-1", "us-1", failing="us-1")
    ended = await asyncio.gather(site.begin("eu-1"), site.begin("us-1"), return_exceptions=True)
    assert "nothing was interrupted" in str(ended[0]) and "us-1: the mirror is down" in str(ended[0])
    assert "us-1: not begun, because not all hosts have their images" in str(ended[1])
    assert not any(what.startswith("began") for what in site.happened)


class Reached(Fleet):
    """Hosts that all answer."""

    async def open(self, *_: object) -> None:
        return None


class Plays:
    """Takes the place of the runs, and keeps which play ran on which host."""

    cancelled = False

    def __init__(self) -> None:
        self.ran: list[tuple[str, str]] = []

    async def run(self, request: RunRequest, follow: Callable[[Event], Awaitable[None]]) -> Outcome:
        await follow({"kind": "begun"})
        await asyncio.sleep(0.01)
        self.ran.append((request.host, Path(request.playbook).stem))
        return Outcome("successful", "", (), 1, 0.1)


def inputs(host: str, **variables: object) -> dict[str, Any]:
    return {
        "host": host,
        "phase": "prepare",
        "region": "eu",
        "connection": {"address": "192.0.2.1", "port": 22, "user": "root", "knownHostsFile": "k"},
        "variables": {"images_bundles": ["node-1.34.9"], **variables},
        "file_sums": {},
        "secret_sums": {},
        "digest": str(variables),
        "roles_digest": "r",
    }


async def changed(*hosts: str, engine: FakeEngine, **variables: object) -> list[tuple[str, str]]:
    """What ran, when a change brings other variables to hosts that were made before."""
    plays = Plays()
    context = Context(engine, Reached(), plays)  # type: ignore[arg-type]
    context.rollout.declare([Wave(hosts, 1)], {host: ["prepare"] for host in hosts})
    phase = HostPhase()
    for host in hosts:
        operation = Operation(context, f"urn:{host}")
        assert (await phase.diff(operation, inputs(host), inputs(host, **variables))).any
    await asyncio.gather(
        *(
            phase.update(Operation(context, f"urn:{host}"), inputs(host), inputs(host, **variables))
            for host in hosts
        )
    )
    return plays.ran


async def test_an_update_stages_all_hosts_before_the_first_turn(engine: FakeEngine) -> None:
    ran = await changed("a", "b", engine=engine, images_bundles=["node-1.35.3"])
    assert sorted(ran[:2]) == [("a", "stage"), ("b", "stage")]
    assert ran[2:] == [("a", "prepare"), ("b", "prepare")]


async def test_an_update_without_other_images_stages_nothing(engine: FakeEngine) -> None:
    ran = await changed("a", "b", engine=engine, base_packages=["jq"])
    assert ran == [("a", "prepare"), ("b", "prepare")]


async def test_settings_of_sshd_are_confirmed_by_a_login_after_the_play(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed: list[str] = []
    monkeypatch.setattr(host_phase, "confirm", lambda host, connection: confirmed.append(host))
    await changed("a", engine=engine, base_packages=["jq"])
    assert confirmed == []
    await changed("a", engine=engine, base_sshd={"PermitRootLogin": "no"})
    assert confirmed == ["a"]


@pytest.mark.parametrize("answer", [0, 1, None])
def test_a_login_that_does_not_work_is_said_with_what_becomes_of_the_host(
    monkeypatch: pytest.MonkeyPatch, answer: int | None
) -> None:
    asked: list[Any] = []

    def run(host: str, connection: Any, command: list[str], *, timeout: float) -> Executed:
        asked.append(command)
        if answer is None:
            raise AccessError(f"{host} refuses the key")
        return Executed(answer, "", "read-only file system")

    monkeypatch.setattr(host_phase.ssh, "run", run)
    connection: Any = None
    if answer == 0:
        host_phase.confirm("a", connection)
    else:
        words = "a: nobody logs in by its sshd .*: a refuses the key" if answer is None else "not confirmed"
        with pytest.raises(OperationsError, match=words) as refused:
            host_phase.confirm("a", connection)
        if answer is None:
            assert "the host takes its settings back" in refused.value.fix
    assert "rm -f /var/lib/crossmesh/sshd-unconfirmed" in asked[0][-1]
