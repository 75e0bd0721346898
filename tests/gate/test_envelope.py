"""Keys in the keeping of a stack's secrets provider, with the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from access import engine, envelope
from report.errors import OperationsError

KEY = bytes(range(32))


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a stack of its own in a backend of its own; its stack file."""
    (tmp_path / "Pulumi.yaml").write_text("name: sealed\nruntime: python\nstackConfigDir: stacks\n")
    file = tmp_path / "stacks" / "Pulumi.own.yaml"
    file.parent.mkdir()
    file.write_text("config: {}\n")
    (tmp_path / "backend").mkdir()
    monkeypatch.setenv("PULUMI_BACKEND_URL", (tmp_path / "backend").as_uri())
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "a passphrase")
    for module in (envelope, engine):
        monkeypatch.setattr(module, "project_root", lambda: tmp_path)
    monkeypatch.setattr(envelope, "stack_file", lambda name: file)
    engine.pulumi("stack", "init", "own", "--no-select")
    return file


def test_a_key_comes_back_by_the_passphrase_alone_though_the_stack_file_is_gone(stack: Path) -> None:
    sealed = envelope.wrapped("own", KEY)
    assert KEY.hex() not in str(sealed)
    before = stack.read_text()
    stack.write_text("config: {}\n")
    assert envelope.unwrapped("own", sealed) == KEY
    assert "envelope" not in before


def test_another_passphrase_opens_nothing(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = envelope.wrapped("own", KEY)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another one")
    with pytest.raises(OperationsError):
        envelope.unwrapped("own", sealed)


def test_a_head_without_a_key_is_named(stack: Path) -> None:
    with pytest.raises(OperationsError, match="has no encrypted key"):
        envelope.unwrapped("own", {"encryptionsalt": "v1:…"})
