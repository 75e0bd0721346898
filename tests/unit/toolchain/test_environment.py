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


def test_a_shell_can_evaluate_the_exports(provider: Path) -> None:
    lines = environment.exports("/usr/bin:/bin")
    assert evaluate(lines, "$PULUMI_BACKEND_URL") == f"file://{store.state_dir() / 'pulumi'}"
    assert (store.state_dir() / "pulumi").is_dir()
    assert evaluate(lines, "$PATH").endswith(":/usr/bin:/bin")


def test_doing_it_twice_adds_nothing_to_path(provider: Path) -> None:
    once = evaluate(environment.exports("/usr/bin:/bin"), "$PATH")
    assert evaluate(environment.exports(once), "$PATH") == once


def test_a_directory_with_odd_characters_survives_the_shell(provider: Path) -> None:
    odd = "/tmp/a b'c$d"
    assert evaluate(environment.exports(f"{odd}:/usr/bin:/bin"), "$PATH").endswith(f"{odd}:/usr/bin:/bin")


def test_the_passphrase_is_random_private_and_kept(provider: Path) -> None:
    path = environment.passphrase_file()
    first = path.read_text()
    assert len(first) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert environment.passphrase_file().read_text() == first


def test_the_kubernetes_provider_is_found_in_pulumis_home(provider: Path) -> None:
    lines = environment.exports("/usr/bin:/bin")
    home = Path(evaluate(lines, "$PULUMI_HOME"))
    links = list(home.glob("plugins/resource-kubernetes-v*/pulumi-resource-kubernetes"))
    assert [link.resolve() for link in links] == [provider]
    assert shlex.quote(str(home)) in lines
