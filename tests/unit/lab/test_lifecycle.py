"""Only one start or stop of a lab at a time; files of a lab follow its description."""

from __future__ import annotations

import fcntl
import importlib
from pathlib import Path

import pytest

import lab
from lab import lifecycle
from lab.errors import LabError
from lab.paths import labs_dir


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_a_second_start_names_the_process_of_the_first() -> None:
    labs_dir().mkdir(parents=True)
    with (labs_dir() / ".unit.lock").open("w") as lock:
        lock.write("4711")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with (
            pytest.raises(LabError, match="process 4711 is starting or stopping lab unit"),
            lifecycle._exclusive("unit"),
        ):
            pass


def test_a_lab_is_as_it_was_described_when_it_was_started() -> None:
    (labs_dir() / "unit").mkdir(parents=True)
    (labs_dir() / "unit/lab.yaml").write_text(
        "regions: {one: [m-1]}\nfabric: {asn: 1, acceptedPrefixes: []}\n"
        "system: {suite: bookworm, packages: []}\nmirror: {packages: []}\n"
    )
    assert list(lab.addresses("unit").machines) == ["m-1"]
    assert "eu-cp-1" in lab.addresses("other").machines


def test_addresses_can_be_asked_for_by_the_packages_name() -> None:
    assert lab.addresses("lab").mirror == "10.101.0.2"
    # Also after the command line has imported everything.
    importlib.import_module("lab.cli")
    assert lab.addresses("lab").mirror == "10.101.0.2"
