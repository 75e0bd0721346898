"""The fixtures of the operations' tests."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.unit.gate.seal.support import bound
from tests.unit.operations.fakes import ENGINE, PULUMI, Engine, project_with
from tests.unit.operations.support import raw_outputs


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the reference stack, and a state that the fake `pulumi` answers from."""
    state = project_with(PULUMI, tmp_path, monkeypatch)
    (state / "outputs.json").write_text(json.dumps(raw_outputs()))
    (state / "export.json").write_text(json.dumps({"deployment": {"resources": []}}))
    return state


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A project with the reference stack, and an engine that does what was sealed."""
    made = Engine(project_with(ENGINE, tmp_path, monkeypatch))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("gate.preview._interrupted", threading.Event())
    monkeypatch.setattr(
        "gate.seal.up.bind",
        lambda root, stack, packs: bound() if made.now is None else next(made.now),
    )
    return made
