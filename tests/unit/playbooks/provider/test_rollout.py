"""Turns of hosts: batches in their order, nobody after a failure, and nobody who waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from playbooks.provider import rollout as rollout_module
from playbooks.provider.rollout import Rollout
from playbooks.rolling import Wave
from report.errors import CancelledError, OperationsError

pytestmark = pytest.mark.anyio

EU, US = ("eu-cp", "eu-1", "eu-2", "eu-3"), ("us-cp", "us-1")
WAVES = [Wave(("eu-cp",), 1), Wave(EU[1:], 2), Wave(("us-cp",), 1), Wave(("us-1",), 1)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout_module, "_POLL", 0.01)


class Site:
    """Hosts that are changed, and who was at work with whom."""

    def __init__(
        self, *changing: str, waves: Sequence[Wave] = WAVES, phases: Sequence[str] = ("prepare",)
    ) -> None:
        self.cancelled = False
        self.rollout = Rollout(lambda: self.cancelled)
        self.rollout.declare(waves, dict.fromkeys((*EU, *US), phases))
        for host in changing:
            self.rollout.expect(host, "prepare")
        for host in {*EU, *US} - {*changing}:
            self.rollout.settle(host, "prepare")
        self.at_work: set[str] = set()
        self.groups: list[set[str]] = []
        self.said: list[str] = []

    async def change(self, host: str, phase: str = "prepare", *, fails: bool = False) -> None:
        async with self.rollout.turn(host, phase, self._say):
            self.at_work.add(host)
            self.groups.append({*self.at_work})
            await asyncio.sleep(0.03)
            self.at_work.remove(host)
            if fails:
                raise OperationsError("the node is not ready")

    async def _say(self, text: str) -> None:
        self.said.append(text)

    @property
    def order(self) -> list[set[str]]:
        """Who was at work, each group as it was when it was largest."""
        return [group for group in self.groups if not any(group < other for other in self.groups)]


async def test_batches_follow_each_other_within_a_region_and_regions_follow_each_other() -> None:
    site = Site(*EU, *US)
    await asyncio.gather(*map(site.change, reversed((*EU, *US))))
    assert site.order == [{"eu-cp"}, {"eu-1", "eu-2"}, {"eu-3"}, {"us-cp"}, {"us-1"}]
    assert "waits for its turn: eu-cp first, and seen to be well" in site.said


EDGES = ("eu-edge-1", "eu-edge-2", "us-edge-1")


def edges_of_two_regions() -> Site:
    """Name servers of both regions, all of whose phases change."""
    site = Site(waves=[Wave(EDGES[:2], 1), Wave(EDGES[2:], 1)])
    for edge in EDGES:
        for phase in ("prepare", "edge"):
            site.rollout.expect(edge, phase)
    return site


async def both_phases(site: Site, edge: str, *, fails: bool = False) -> None:
    """As the engine brings them: the second when the first is through."""
    await site.change(edge)
    await site.change(edge, "edge", fails=fails)


async def test_name_servers_of_all_regions_are_changed_one_after_the_other() -> None:
    site = edges_of_two_regions()
    await asyncio.gather(*(both_phases(site, edge) for edge in reversed(EDGES)))
    assert site.groups == [{edge} for edge in EDGES for _ in range(2)]


async def test_a_name_server_that_does_not_answer_keeps_those_of_other_regions_as_they_are() -> None:
    site = edges_of_two_regions()
    changes = (both_phases(site, edge, fails=edge == "eu-edge-1") for edge in EDGES)
    ended = await asyncio.gather(*changes, return_exceptions=True)
    assert all("not begun, because eu-edge-1 edge did not end well" in str(error) for error in ended[1:])
    assert site.groups == [{"eu-edge-1"}] * 2


async def test_hosts_that_do_not_change_are_in_no_batch() -> None:
    site = Site("eu-2", "us-1", "eu-3")
    await asyncio.gather(*map(site.change, ("us-1", "eu-3", "eu-2")))
    assert site.order == [{"eu-2", "eu-3"}, {"us-1"}]


async def test_after_a_failure_nobody_begins() -> None:
    site = Site(*EU, *US)
    changes = [
        site.change("us-1"),
        site.change("eu-1", fails=True),
        site.change("eu-2"),
        site.change("eu-cp"),
    ]
    ended = await asyncio.gather(*changes, return_exceptions=True)
    assert [str(error) if error else "" for error in ended][1:] == ["the node is not ready", "", ""]
    assert "us-1: not begun, because eu-1 prepare did not end well" in str(ended[0])
    with pytest.raises(OperationsError, match="eu-3: not begun"):
        await site.change("eu-3")


async def test_a_batch_waits_for_the_later_phases_of_its_hosts() -> None:
    site = Site("eu-cp", "eu-1", phases=("prepare", "control-plane"))
    for host in (*EU[1:], *US):
        site.rollout.settle(host, "control-plane")

    async def both() -> None:
        await site.change("eu-cp")
        await asyncio.sleep(0.05)
        await site.change("eu-cp", "control-plane")

    await asyncio.gather(site.change("eu-1"), both())
    assert site.groups == [{"eu-cp"}, {"eu-cp"}, {"eu-1"}]


async def test_a_batch_that_the_engine_does_not_bring_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout_module, "PATIENCE", 0.1)
    site = Site(*EU, *US)
    await asyncio.gather(site.change("us-1"), site.change("eu-3"))
    assert site.groups == [{"eu-3"}, {"us-1"}]


async def test_who_is_in_no_wave_has_a_turn_of_its_own() -> None:
    site = Site(waves=())
    await asyncio.gather(site.change("eu-1"), site.change("eu-2"))
    assert len(site.order) == 2


async def test_who_waits_is_cancelled_with_the_run() -> None:
    site = Site(*EU)
    waiting = asyncio.create_task(site.change("eu-1"))
    await asyncio.sleep(0.03)
    site.cancelled = True
    with pytest.raises(CancelledError, match="eu-1: cancelled before its turn came"):
        await waiting
