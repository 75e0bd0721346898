"""A rebuild: from what is left once most members are lost, killed at every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from access import ssh
from access.errors import Unanswered
from access.programs import Executed
from report.errors import OperationsError
from runbooks import waiting
from runbooks.engine import RunFailedError
from runbooks.etcd.rebuild import REBUILD, Left
from tests.unit.runbooks.directories import Kill, Site, abort, against, go, made, states

HELD = "restored from live"
ONE_LEFT = 2 + 2 + 1 + 2
"""How many scripts change something on one host."""


@pytest.fixture(autouse=True)
def lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts that are said to be lost do not answer."""
    monkeypatch.setattr(waiting, "POLL", 0.01)
    monkeypatch.setattr(waiting, "SECONDS", 0.3)

    def run(host: str, connection: Any, command: list[str]) -> Executed:
        raise Unanswered("no route")

    monkeypatch.setattr(ssh, "run", run)


def site(root: Path, hosts: int = 3, absent: int = 2) -> Site:
    return made(root, Left(), hosts, absent)


def without_data(site: Site, *hosts: str) -> None:
    for host in hosts:
        (site.root / host / "etcd" / "member" / "db").unlink()
        (site.root / host / "etcd" / "member").rmdir()


def test_the_member_that_is_left_is_the_whole_of_etcd_and_serves(tmp_path: Path) -> None:
    found = site(tmp_path)
    assert against(REBUILD, found) == []
    go(REBUILD, found)
    assert states(found) == [(HELD, "live")]
    tools: Any = found.tools
    assert tools.asides == [("--force-new-cluster",)]
    (call,) = [call for call in tools.calls if call[1] == "restore"]
    assert call[-3:] == ("--bump-revision", "1000000000", "--mark-compacted")
    assert "eu-cp-1=https://10.0.0.1:2380" in call
    assert list(found.scratch.iterdir()) == []


def test_hosts_whose_disks_are_new_get_what_the_one_has_that_is_left(tmp_path: Path) -> None:
    found = site(tmp_path, absent=0)
    without_data(found, "eu-cp-1", "eu-cp-3")
    assert against(REBUILD, found) == []
    go(REBUILD, found)
    assert states(found) == [(HELD, ""), (HELD, "live"), (HELD, "")]


def test_of_several_that_are_left_the_one_that_is_furthest_gives_its_data(tmp_path: Path) -> None:
    found = site(tmp_path, hosts=5, absent=3)
    for host, revision in (("eu-cp-1", 12), ("eu-cp-2", 15)):
        (tmp_path / host / "etcd" / "member" / "db").write_text(f"live revision={revision}")
    go(REBUILD, found)
    assert {now for now, _ in states(found)} == {"restored from live revision=15"}


def test_one_that_cannot_be_read_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = site(tmp_path, hosts=5, absent=3)
    receive = found.receive

    def broken(host: str, source: str, target: Path) -> None:
        if host == "eu-cp-1":
            raise OperationsError("eu-cp-1: etcd does not serve what was restored: panic")
        receive(host, source, target)

    monkeypatch.setattr(found, "receive", broken)
    go(REBUILD, found)
    assert {now for now, _ in states(found)} == {HELD}


def test_where_none_can_be_read_all_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = site(tmp_path)

    def broken(host: str, source: str, target: Path) -> None:
        raise OperationsError("eu-cp-1: panic")

    monkeypatch.setattr(found, "receive", broken)
    with pytest.raises(RunFailedError, match="no member of etcd is left that can be read: eu-cp-1: panic"):
        go(REBUILD, found)
    assert states(found) == [("live", "")]


def test_it_is_refused_while_etcd_serves(tmp_path: Path) -> None:
    found = site(tmp_path, absent=0)
    # Cut off from here, as its address may be; its hosts are asked over ssh.
    found.blind = True
    words = against(REBUILD, found)
    assert words[0] == "etcd of eu-cp-1 serves: more than half of the members are there, and nothing is lost"


def test_it_is_refused_while_the_api_answers_from_machines_that_are_said_to_be_lost(tmp_path: Path) -> None:
    found = site(tmp_path)
    api: Any = found.cluster
    api.ready = True
    (words,) = against(REBUILD, found)
    assert words == "the API of eu answers: etcd has a majority somewhere, and nothing is lost"


def test_without_any_data_a_backup_is_named(tmp_path: Path) -> None:
    found = site(tmp_path)
    without_data(found, "eu-cp-1")
    (problem,) = [one for one in REBUILD.preconditions(found) if one.blocks]
    assert (problem.what, problem.fix) == (
        "no host of eu has data of etcd",
        "bring it back from a backup: `restore-etcd`",
    )


@pytest.mark.parametrize("number", range(1, ONE_LEFT + 1))
def test_a_rebuild_that_was_killed_anywhere_goes_on(tmp_path: Path, number: int) -> None:
    found = site(tmp_path)
    found.kill_at = number
    with pytest.raises(Kill):
        go(REBUILD, found)
    again = site(tmp_path)
    go(REBUILD, again)
    assert states(again) == [(HELD, "live")]


@pytest.mark.parametrize("number", range(1, ONE_LEFT + 1))
def test_a_rebuild_that_was_killed_anywhere_can_be_taken_back(tmp_path: Path, number: int) -> None:
    found = site(tmp_path)
    found.kill_at = number
    with pytest.raises(Kill):
        go(REBUILD, found)
    again = site(tmp_path)
    assert abort(REBUILD, again) == []
    assert states(again) == [("live", "")]
