"""The mirror: the tree that it serves, of hard links into the caches, and its server in the lab's network."""

from __future__ import annotations

import shutil
import sys
import urllib.request
from pathlib import Path

from lab import cache, cgroups, network, progress
from lab.addressing import LabAddresses
from lab.commands import remove_tree
from lab.errors import LabError
from lab.images import bundles, definitions
from lab.images.compiled import SOURCES
from lab.mirror import apt, packages, signing
from lab.spec import LabSpec
from toolchain import ToolchainError
from toolchain.store import file_digest

GROUP = "_mirror"
PORT = 80
KINDS = (
    *("base", "emulator", *(f"{kind}-[a-z]+" for kind in ("apt", "emulated", "rootfs"))),
    *(rf"images-{kind}-[0-9.]+" for kind in definitions.OF_RELEASES),
    *(f"images-{bundle}" for bundle in definitions.OWN),
    *(f"program-{name}" for name in SOURCES),
)
"""Kinds of entries that labs keep in the cache, as regular expressions: some are of a suite each."""


def running(addresses: LabAddresses) -> bool:
    """Whether the mirror's server runs."""
    return bool(cgroups.processes(addresses.name, GROUP))


def check(spec: LabSpec) -> None:
    """Check, without building anything, that the mirror can be built. Raises LabError."""
    try:
        packages.inputs(spec.releases)
    except ToolchainError as error:
        raise LabError(f"the mirror cannot be built: {error}") from error


def build(spec: LabSpec, target: Path) -> Path:
    """Make ``target`` the mirror's tree (`apt/`, `images/`), where anything has changed. Raises LabError."""
    try:
        repositories = [apt.ensure(one) for one in spec.by_suite()]
        stored: list[Path] = []
        for bundle in definitions.names(spec.releases):
            with progress.step(f"image bundle {bundle}"):
                stored.append(bundles.cached(bundle))
    except ToolchainError as error:
        raise LabError(f"the mirror cannot be built: {error}") from error
    key = "\n".join(
        [*(path.name for path in repositories), *(f"{path.parent.name}/{path.name}" for path in stored)]
    )
    if (target / ".key").exists() and (target / ".key").read_text() == key:
        return target
    scratch, old = target.with_name(f"{target.name}.new"), target.with_name(f"{target.name}.old")
    remove_tree(scratch)
    remove_tree(old)
    cache.prune(KINDS, keep=[signing.HOME])
    images = scratch / "images"
    images.mkdir(parents=True)
    for path in stored:
        cache.link(path, images / path.name)
    sums = images / "SHA256SUMS"
    sums.write_text("".join(f"{file_digest(path)}  {path.name}\n" for path in stored))
    signing.sign(sums, images / "SHA256SUMS.asc")
    for repository in repositories:
        shutil.copytree(repository, scratch / "apt", copy_function=cache.link, dirs_exist_ok=True)
    signing.export(scratch / "apt")
    (scratch / ".key").write_text(key)
    if target.exists():
        target.rename(old)
    scratch.rename(target)
    remove_tree(old)
    return target


def start(spec: LabSpec, addresses: LabAddresses, state: Path) -> None:
    """Bring the mirror's tree up to date and serve it. Returns when it answers. Raises LabError."""
    root = build(spec, state / "mirror")
    if running(addresses) and _answers(addresses, spec):
        return
    cgroups.kill(addresses.name, GROUP)
    argv = [sys.executable, "-m", "lab.mirror.server", str(root), addresses.mirror, str(PORT)]
    log = state / "log" / "mirror.log"
    network.serve(addresses, GROUP, argv, log, lambda: _answers(addresses, spec), "the mirror's server")


def _answers(addresses: LabAddresses, spec: LabSpec) -> bool:
    # Straight to the lab's own address: a proxy of the environment has no business here.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        for one in spec.by_suite():
            index = f"http://{addresses.mirror}/apt/dists/{one.suite}/InRelease"
            with opener.open(index, timeout=2) as answer:
                if answer.status != 200:
                    return False
    except OSError:
        return False
    return True
