"""The shell environment of the lab's stacks: their state and their passphrase lie with the lab."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from toolchain.environment import export, unset
from toolchain.store import state_dir


def backend() -> Path:
    """The directory of the lab's state backend."""
    return state_dir() / "pulumi"


def passphrase_file() -> Path:
    """The file with the passphrase of the lab's secrets; made at random, mode 0600, at the first call."""
    path = state_dir() / "lab.passphrase"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Written aside and linked into place, so that nobody reads a half of it and the first writer wins.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".passphrase-") as stream:
            stream.write(secrets.token_urlsafe(32))
            stream.flush()
            with contextlib.suppress(FileExistsError):
                os.link(stream.name, path)
    return path


def exports(environment: Mapping[str, str]) -> str:
    """Shell lines that lead `pulumi` to the lab's backend, which is made; values that are set stay."""
    backend().mkdir(parents=True, exist_ok=True)
    defaults = {
        "PULUMI_BACKEND_URL": f"file://{backend()}",
        "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
    }
    # A passphrase itself goes before a file with one, and may be empty.
    if "PULUMI_CONFIG_PASSPHRASE" not in environment:
        defaults["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase_file())
    return export(unset(defaults, environment))


def forget() -> bool:
    """Remove what `exports` made, unless the backend has a stack left; returns whether it had none."""
    stacks = (path.suffixes for path in (backend() / ".pulumi" / "stacks").rglob("*"))
    if any(suffixes[-1:] == [".json"] or suffixes[-2:] == [".json", ".gz"] for suffixes in stacks):
        return False
    shutil.rmtree(backend(), ignore_errors=True)
    passphrase = state_dir() / "lab.passphrase"
    passphrase.unlink(missing_ok=True)
    return True
