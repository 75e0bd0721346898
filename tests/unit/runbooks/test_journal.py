"""The journal: on the disk before anything is done, chained, and whole after a kill."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from report.errors import LockedError, OperationsError
from runbooks import journal
from runbooks.journal import What


def written(directory: Path, *steps: str) -> Path:
    with journal.opened(directory) as held:
        held.write("a1", What.BEGUN, runbook="drain-node", values={"node": "n"}, confirmed="n")
        for step in steps:
            held.write("a1", What.DOING, step, before={"unschedulable": False})
    return directory / "journal.jsonl"


def test_what_was_written_is_read_again_with_a_hash_that_follows_from_the_one_before(tmp_path: Path) -> None:
    written(tmp_path, "cordon", "evict")
    entries = journal.read(tmp_path)
    assert [entry.step for entry in entries] == ["", "cordon", "evict"]
    assert [entry.previous for entry in entries[1:]] == [entry.hash for entry in entries[:-1]]
    assert entries[1].data == {"before": {"unschedulable": False}}


def test_a_next_process_goes_on_with_the_chain(tmp_path: Path) -> None:
    written(tmp_path, "cordon")
    with journal.opened(tmp_path) as held:
        held.write("a1", What.REACHED, "cordon")
    assert [entry.number for entry in journal.read(tmp_path)] == [1, 2, 3]


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[0].replace("drain-node", "other-node"), *lines[1:]],
        lambda lines: lines[1:],
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: [lines[1], lines[0], lines[2]],
        lambda lines: [lines[0], "{}", *lines[1:]],
        lambda lines: [lines[0], "not JSON", *lines[1:]],
    ],
    ids=["a value", "the first line", "a line in between", "the order", "an entry more", "a broken line"],
)
def test_a_journal_that_was_changed_by_hand_is_refused(tmp_path: Path, change: object) -> None:
    file = written(tmp_path, "cordon", "evict")
    lines = change(file.read_text().splitlines())  # type: ignore[operator]
    file.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(OperationsError, match=r"journal\.jsonl was changed: its line \d"):
        journal.read(tmp_path)


def test_half_a_line_of_a_killed_run_is_passed_over_and_taken_away(tmp_path: Path) -> None:
    file = written(tmp_path, "cordon")
    whole = file.read_text()
    file.write_text(whole + '{"number": 3, "at": "20')
    assert len(journal.read(tmp_path)) == 2
    with journal.opened(tmp_path) as held:
        held.write("a1", What.REACHED, "cordon")
    assert file.read_text().startswith(whole)
    assert [json.loads(line)["what"] for line in file.read_text().splitlines()] == [
        "begun",
        "doing",
        "reached",
    ]


def test_two_processes_do_not_write_one_journal(tmp_path: Path) -> None:
    with (
        journal.opened(tmp_path),
        pytest.raises(LockedError, match=r"is being run by .*process"),
        journal.opened(tmp_path),
    ):
        pass
    with journal.opened(tmp_path):
        pass


def test_the_journal_of_a_file_backend_lies_beside_its_stacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal.engine, "backend_url", lambda: tmp_path.as_uri())
    assert journal.home("lab") == tmp_path / ".crossmesh" / "journals" / "crossmesh" / "lab"


def test_the_journal_of_another_backend_lies_with_the_user_apart_from_that_of_a_third_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    homes = set()
    for url in ("s3://one", "s3://two"):
        monkeypatch.setattr(journal.engine, "backend_url", lambda url=url: url)
        homes.add(journal.home("lab"))
    assert len(homes) == 2
    assert all(home.is_relative_to(tmp_path / "crossmesh" / "journals") for home in homes)
