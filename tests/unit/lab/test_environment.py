"""The exports of `make lab-env`: where the lab's stacks have their state and secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import environment
from tests.unit.toolchain.test_environment import BARE, evaluate, names


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "crossmesh"


def test_the_labs_stacks_have_a_backend_and_a_passphrase(state: Path) -> None:
    lines = environment.exports(BARE)
    assert evaluate(lines, "$PULUMI_BACKEND_URL") == f"file://{state / 'pulumi'}"
    assert (state / "pulumi").is_dir()
    assert evaluate(lines, "$PULUMI_CONFIG_PASSPHRASE_FILE") == str(environment.passphrase_file())


def test_what_the_user_has_set_wins() -> None:
    for own in (
        {"PULUMI_BACKEND_URL": "s3://states"},
        {"PULUMI_CONFIG_PASSPHRASE_FILE": "/srv/passphrase"},
        {"PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "false"},
    ):
        assert names(environment.exports(own)) == names(environment.exports({})) - set(own)


@pytest.mark.parametrize("passphrase", ["of the user", ""])
def test_a_passphrase_in_the_environment_is_neither_unset_nor_hidden(passphrase: str) -> None:
    """The engine would take it rather than the file; an empty one is one as well."""
    lines = environment.exports({"PULUMI_CONFIG_PASSPHRASE": passphrase})
    assert not [name for name in names(lines) if "PASSPHRASE" in name]


def test_the_passphrase_is_random_private_and_kept() -> None:
    path = environment.passphrase_file()
    first = path.read_text()
    assert len(first) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert environment.passphrase_file().read_text() == first


@pytest.mark.parametrize("name", ["lab.json", "lab.json.gz"])
def test_a_backend_that_has_a_stack_left_is_not_forgotten(state: Path, name: str) -> None:
    environment.exports({})
    stack = state / "pulumi/.pulumi/stacks/crossmesh" / name
    stack.parent.mkdir(parents=True)
    stack.touch()
    assert not environment.forget()
    assert stack.exists() and environment.passphrase_file().exists()
    stack.rename(stack.with_name(f"{name}.bak"))
    assert environment.forget()
    assert list(state.iterdir()) == []
