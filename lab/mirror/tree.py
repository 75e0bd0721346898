"""The tree that the mirror serves: hard links into the caches, with checksums and signatures."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from lab import progress, trees
from lab.errors import LabError
from lab.mirror import apt, signing
from lab.paths import cache_dir
from lab.spec import LabSpec

_KEY = ".key"


def build(spec: LabSpec, target: Path) -> Path:
    """Make ``target`` the mirror's tree (`apt/`, `images/`); instant when nothing has changed.

    Raises LabError, also for a program that is not installed and a bundle that cannot be built.
    """
    from lab.images import ImageError
    from toolchain import ToolchainError

    try:
        return _build(spec, target)
    except (ImageError, ToolchainError) as error:
        raise LabError(f"the mirror cannot be built: {error}") from error


def _build(spec: LabSpec, target: Path) -> Path:
    from lab.images import BUNDLES
    from lab.images import build as build_bundle

    repository = apt.ensure(spec)
    scratch = target.with_name(f"{target.name}.new")
    trees.remove(scratch)
    (scratch / "images").mkdir(parents=True)
    bundles: list[Path] = []
    for bundle in BUNDLES:
        with progress.step(f"image bundle {bundle}"):
            bundles.append(build_bundle(bundle, scratch / "images"))
    sums = "".join(f"{_digest(path)}  {path.name}\n" for path in bundles)
    key = hashlib.sha256(f"{repository.name}\n{sums}".encode()).hexdigest()
    if (target / _KEY).exists() and (target / _KEY).read_text() == key:
        trees.remove(scratch)
        return target
    (scratch / "images/SHA256SUMS").write_text(sums)
    signing.sign(scratch / "images/SHA256SUMS", scratch / "images/SHA256SUMS.asc")
    shutil.copytree(repository, scratch / "apt", copy_function=_link)
    (scratch / _KEY).write_text(key)
    old = target.with_name(f"{target.name}.old")
    trees.remove(old)
    if target.exists():
        target.rename(old)
    scratch.rename(target)
    trees.remove(old)
    return target


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Another file system, or one without links.
        shutil.copy2(source, target)


def _digest(path: Path) -> str:
    """SHA-256 of a file, remembered by its identity: the bundles are large and rarely change."""
    about = path.stat()
    identity = f"{about.st_dev}:{about.st_ino}:{about.st_size}:{about.st_mtime_ns}"
    store = cache_dir() / "mirror-digests.json"
    try:
        known: dict[str, str] = json.loads(store.read_text())
    except (OSError, ValueError):
        known = {}
    if identity not in known:
        with path.open("rb") as stream:
            known[identity] = hashlib.file_digest(stream, "sha256").hexdigest()
        scratch = store.with_name(f"mirror-digests.{os.getpid()}.new")
        scratch.write_text(json.dumps(known))
        scratch.rename(store)
    return known[identity]
