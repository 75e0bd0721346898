"""The exports of `make env`."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.unit.toolchain.conftest import script
from toolchain import environment, store


@pytest.fixture
def provider(store_home: Path) -> Path:
    """The Kubernetes provider, installed."""
    import toolchain

    version = toolchain.version("pulumi-kubernetes")
    return script(
        store.entry_dir("pulumi-resource-kubernetes", version) / "pulumi-resource-kubernetes", "a provider"
    )


def evaluate(lines: str, expression: str) -> str:
    """What a shell makes of the exports."""
    return subprocess.run(
        ["/bin/sh", "-uc", f"{lines}\nprintf '%s' \"{expression}\""],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


BARE = {"PATH": "/usr/bin:/bin"}


def names(lines: str) -> set[str]:
    """The variables that exports set."""
    assert all(line.startswith("export ") for line in lines.splitlines())
    return {line.removeprefix("export ").partition("=")[0] for line in lines.splitlines()}


def test_a_shell_can_evaluate_the_exports(provider: Path) -> None:
    lines = environment.exports(BARE)
    assert evaluate(lines, "$PATH").endswith(":/usr/bin:/bin")
    assert Path(evaluate(lines, "$PULUMI_HOME")).is_dir()


def test_state_and_secrets_of_whoever_evaluates_them_are_left_alone(provider: Path) -> None:
    """No backend and no passphrase: those of a stack are its operators' to say."""
    assert names(environment.exports(BARE)) == {
        "PATH",
        "PYTHONPATH",
        "PULUMI_CREDENTIALS_PATH",
        "PULUMI_HOME",
        "PULUMI_PYTHON_CMD",
        "PULUMI_SKIP_UPDATE_CHECK",
    }


def test_who_has_logged_in_stays_so(provider: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert evaluate(environment.exports(BARE), "$PULUMI_CREDENTIALS_PATH") == str(tmp_path / ".pulumi")


def test_a_home_of_the_users_own_is_kept_and_with_it_its_login(provider: Path) -> None:
    own = {"PULUMI_HOME": "/srv/pulumi", "PULUMI_SKIP_UPDATE_CHECK": "false"}
    assert not names(environment.exports({**BARE, **own})) & {*own, "PULUMI_CREDENTIALS_PATH"}
    elsewhere = environment.exports({**BARE, "PULUMI_CREDENTIALS_PATH": "/srv/login"})
    assert "PULUMI_CREDENTIALS_PATH" not in names(elsewhere)


def test_doing_it_twice_adds_nothing(provider: Path) -> None:
    once = environment.exports({**BARE, "PYTHONPATH": "/srv/modules"})
    seen = {name: evaluate(once, f"${name}") for name in ("PATH", "PYTHONPATH")}
    assert seen["PYTHONPATH"].endswith(":/srv/modules")
    twice = environment.exports(seen)
    assert {name: evaluate(twice, f"${name}") for name in seen} == seen


def test_a_directory_with_odd_characters_survives_the_shell(provider: Path) -> None:
    odd = "/tmp/a b'c$d"
    lines = environment.exports({"PATH": f"{odd}:/usr/bin:/bin"})
    assert evaluate(lines, "$PATH").endswith(f"{odd}:/usr/bin:/bin")


def test_the_kubernetes_provider_is_found_in_pulumis_home(provider: Path) -> None:
    lines = environment.exports(BARE)
    home = Path(evaluate(lines, "$PULUMI_HOME"))
    links = list(home.glob("plugins/resource-kubernetes-v*/pulumi-resource-kubernetes"))
    assert [link.resolve() for link in links] == [provider]
    assert shlex.quote(str(home)) in lines
