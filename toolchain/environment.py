"""The shell environment in which the project's programs work, for every stack alike."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import toolchain
from toolchain import store
from toolchain.manifest import ROOT


def plugin_link(home: Path) -> None:
    """Put the Kubernetes provider into Pulumi's home. From PATH the engine would take it with a warning."""
    name = "pulumi-resource-kubernetes"
    directory = home / "plugins" / f"resource-kubernetes-v{toolchain.version('pulumi-kubernetes')}"
    store.link(directory / name, toolchain.program(name))


def without_engine_log(home: Path) -> None:
    """Keep the engine from writing a log of every property of every resource.

    It has no switch for that in 3.250. On an unchanged stack of 213 resources the log took 19 of 24 seconds
    of processor time. Where its directory cannot be made, the engine goes on without; `--logtostderr` works.
    """
    logs = home / "logs"
    if logs.is_dir():
        shutil.rmtree(logs)
    logs.touch()


def exports(environment: Mapping[str, str]) -> str:
    """Shell lines that add the project's programs to `environment`, whose own values win.

    They name no backend and no passphrase: where a stack has its state and secrets, its operators say.
    Evaluating them twice adds nothing twice.
    """
    own_home = store.state_dir() / "pulumi-home"
    python = Path(sys.executable)
    values = {
        "PATH": _extended((python.parent, ROOT / "bin", store.store_dir() / "bin"), environment.get("PATH")),
        "PYTHONPATH": _extended((ROOT.parent,), environment.get("PYTHONPATH")),
        # The interpreter of the locked packages, whatever an earlier checkout left in the shell.
        "PULUMI_PYTHON_CMD": str(python),
    }
    defaults = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    if environment.get("PULUMI_HOME") in (None, "", str(own_home)):
        own_home.mkdir(parents=True, exist_ok=True)
        plugin_link(own_home)
        without_engine_log(own_home)
        # Logins stay where the engine has them by itself: who has logged in need not do so again.
        defaults |= {"PULUMI_HOME": str(own_home), "PULUMI_CREDENTIALS_PATH": str(Path.home() / ".pulumi")}
    values |= unset(defaults, environment)
    return export(values)


def _extended(first: Iterable[Path], value: str | None) -> str:
    entries = [str(path) for path in first]
    rest = value.split(os.pathsep) if value else []
    return os.pathsep.join([*entries, *(entry for entry in rest if entry not in entries)])


def unset(defaults: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The defaults of variables that have no value in an environment."""
    return {name: value for name, value in defaults.items() if not environment.get(name)}


def export(values: Mapping[str, str]) -> str:
    """The shell lines that set variables."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())
