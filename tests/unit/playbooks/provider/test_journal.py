"""The notes of changes that were begun and not finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from playbooks.provider import journal


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def broken_off(urn: str, address: str) -> None:
    with pytest.raises(RuntimeError), journal.change(urn, address):
        raise RuntimeError("cut off")


def test_a_change_that_ends_leaves_no_note() -> None:
    with journal.change("urn:pulumi:lab::crossmesh::host", "10.0.0.1"):
        assert journal.unfinished("urn:pulumi:lab::crossmesh::host", "10.0.0.1")
    assert not journal.directory().exists()


def test_forgetting_a_stack_keeps_the_notes_of_others() -> None:
    broken_off("urn:pulumi:lab::crossmesh::host", "10.0.0.1")
    broken_off("urn:pulumi:lab-two::crossmesh::host", "10.0.0.1")
    assert journal.forget_stack("lab") == 1
    assert not journal.unfinished("urn:pulumi:lab::crossmesh::host", "10.0.0.1")
    assert journal.unfinished("urn:pulumi:lab-two::crossmesh::host", "10.0.0.1")
