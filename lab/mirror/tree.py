"""The tree that the mirror serves: hard links into the caches, with checksums and signatures."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab import cache, progress
from lab.commands import remove_tree
from lab.errors import LabError
from lab.images import bundles
from lab.mirror import apt, signing
from lab.spec import LabSpec
from toolchain import ToolchainError
from toolchain.store import file_digest

_KEY = ".key"


def build(spec: LabSpec, target: Path) -> Path:
    """Make ``target`` the mirror's tree (`apt/`, `images/`), where anything has changed. Raises LabError."""
    try:
        repository = apt.ensure(spec)
        stored: list[Path] = []
        for bundle in bundles.BUNDLES:
            with progress.step(f"image bundle {bundle}"):
                stored.append(bundles.cached(bundle))
    except ToolchainError as error:
        raise LabError(f"the mirror cannot be built: {error}") from error
    key = "\n".join([repository.name, *(f"{path.parent.name}/{path.name}" for path in stored)])
    if (target / _KEY).exists() and (target / _KEY).read_text() == key:
        return target
    scratch, old = target.with_name(f"{target.name}.new"), target.with_name(f"{target.name}.old")
    remove_tree(scratch)
    remove_tree(old)
    images = scratch / "images"
    images.mkdir(parents=True)
    for path in stored:
        cache.link(path, images / path.name)
    sums = images / "SHA256SUMS"
    sums.write_text("".join(f"{file_digest(path)}  {path.name}\n" for path in stored))
    signing.sign(sums, images / "SHA256SUMS.asc")
    shutil.copytree(repository, scratch / "apt", copy_function=cache.link)
    (scratch / _KEY).write_text(key)
    if target.exists():
        target.rename(old)
    scratch.rename(target)
    remove_tree(old)
    return target
