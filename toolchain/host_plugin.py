"""The language host for Python programs, put beside the engine where its release would bring one.

The engine looks for `pulumi-language-python` beside its own executable. An official Pulumi has it there; an
engine built from source has not, and gets ours. Ours is this project's own code, copied into the store so
that the engine works for every checkout.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from toolchain import store
from toolchain.manifest import ROOT, Manifest

NAME = "pulumi-language-python"
SOURCE = ROOT / "language_host"

_WRAPPER = """\
#!/bin/sh
# Serves Python programs to the Pulumi engine. Python is the one of the active environment.
exec "${PULUMI_PYTHON_CMD:-python3}" "$(dirname "$(readlink -f "$0")")/language_host" "$@"
"""


def engine_dir(manifest: Manifest) -> Path | None:
    """Directory of the engine's real executable, or None when the engine is not installed."""
    engine = store.entry_dir("pulumi", manifest.versions["pulumi"]) / "pulumi"
    return engine.resolve().parent if engine.exists() else None


def path(manifest: Manifest) -> Path | None:
    """The language host that the engine uses, official or ours; None when there is none."""
    directory = engine_dir(manifest)
    found = directory / NAME if directory else None
    return found if found and found.exists() else None


def recipe() -> str:
    """Digest of the host's code."""
    digest = hashlib.sha256(_WRAPPER.encode())
    for source in sorted(SOURCE.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def is_missing(manifest: Manifest) -> bool:
    """Whether an engine of the store lacks its host, or has an older one; one from elsewhere has its own."""
    directory = engine_dir(manifest)
    if directory is None or not directory.is_relative_to(store.store_dir().resolve()):
        return False
    record = store.read_record(NAME, manifest.versions["pulumi-python"])
    return not (directory / NAME).exists() or not store.is_current(record, recipe())


def install(manifest: Manifest) -> None:
    """Put our host beside an engine in the store; an engine from elsewhere keeps its own."""
    directory = engine_dir(manifest)
    if directory is None or not is_missing(manifest):
        return
    version = manifest.versions["pulumi-python"]
    with store.new_entry(NAME, version, "project", "toolchain/language_host", recipe()) as work:
        code = work / "language_host"
        code.mkdir()
        for source in SOURCE.glob("*.py"):
            shutil.copyfile(source, code / source.name)
        wrapper = work / NAME
        wrapper.write_text(_WRAPPER)
        wrapper.chmod(0o755)
    store.link(directory / NAME, Path("..") / f"{NAME}-{version}" / NAME)
