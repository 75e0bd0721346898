"""The shell environment in which `pulumi` works on the lab."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import toolchain
from toolchain import store
from toolchain.manifest import ROOT


def passphrase_file() -> Path:
    """The file with the passphrase of the lab's secrets; made at random, mode 0600, at the first call."""
    path = store.state_dir() / "lab.passphrase"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Written aside and linked into place, so that nobody reads a half of it and the first writer wins.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".passphrase-") as stream:
            stream.write(secrets.token_urlsafe(32))
            stream.flush()
            with contextlib.suppress(FileExistsError):
                os.link(stream.name, path)
    return path


def plugin_link(home: Path) -> None:
    """Put the Kubernetes provider into Pulumi's home. From PATH the engine would take it with a warning."""
    name = "pulumi-resource-kubernetes"
    target = toolchain.program(name)
    directory = home / "plugins" / f"resource-kubernetes-v{toolchain.version('pulumi-kubernetes')}"
    link = directory / name
    if link.is_symlink() and link.readlink() == target:
        return
    directory.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def without_engine_log(home: Path) -> None:
    """Keep the engine from writing a log of every property of every resource.

    It has no switch for that in 3.250. On an unchanged stack of 213 resources the log took 19 of 24 seconds
    of processor time. Where its directory cannot be made, the engine goes on without; `--logtostderr` works.
    """
    logs = home / "logs"
    if logs.is_dir():
        shutil.rmtree(logs)
    logs.touch()


def forget() -> None:
    """Remove what `exports` made. Whoever calls it has seen that the backend has no stack left."""
    state = store.state_dir()
    for directory in (state / "pulumi", state / "pulumi-home"):
        shutil.rmtree(directory, ignore_errors=True)
    (state / "lab.passphrase").unlink(missing_ok=True)


def exports(path: str | None = None) -> str:
    """Shell lines that make the environment; directories and the passphrase are made if missing.

    `path` is the PATH to extend (default: the present one). Calling it twice adds nothing twice.
    """
    state = store.state_dir()
    backend = state / "pulumi"
    home = state / "pulumi-home"
    for directory in (backend, home):
        directory.mkdir(parents=True, exist_ok=True)
    plugin_link(home)
    without_engine_log(home)
    python = Path(sys.executable)
    first = [str(python.parent), str(ROOT / "bin"), str(store.store_dir() / "bin")]
    rest = [entry for entry in (path or os.environ.get("PATH", "")).split(os.pathsep) if entry not in first]
    values = {
        "PATH": os.pathsep.join([*first, *rest]),
        "PYTHONPATH": str(ROOT.parent),
        "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": f"file://{backend}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase_file()),
        "PULUMI_PYTHON_CMD": str(python),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    # It would win over the passphrase file.
    return "\n".join([*lines, "unset PULUMI_CONFIG_PASSPHRASE"])
