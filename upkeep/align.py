"""One version of each shared library in all modules of the default releases.

Go keeps what it compiled by the content of a package and of all that it imports. Modules that take the same
versions compile a library once for all of them; with a version of its own in each, the Kubernetes client
alone is compiled three times.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import ToolchainError
from toolchain.golang import go_env
from toolchain.manifest import ROOT, Manifest
from upkeep import go_mod
from upkeep.golang import Go

APART = (
    # The Kubernetes provider is written for another minor version of the engine's libraries than the engine.
    "github.com/pulumi/",
    # Theirs: the widgets of its terminal, of another major version, and helpers without promises.
    "github.com/charmbracelet/",
    "github.com/pgavlin/",
    # In Kubernetes' module CoreDNS' tracers alone need it, which the toolchain leaves out.
    "go.opentelemetry.io/collector/",
)
"""Beginnings of libraries that modules take in versions of their own."""

_ROUNDS = 5
"""Raising one library may raise another one; each round raises, so few are enough."""

_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+incompatible)?")


@dataclass(frozen=True)
class Raised:
    """A library that a module takes in a later version than before."""

    module: str
    library: str
    before: str
    after: str


def modules(pinned: Manifest) -> list[str]:
    """Names of the modules that programs of the default releases are made of."""
    return sorted({program.module for program in pinned.programs.values() if program.module})


def precedence(version: str) -> tuple[object, ...]:
    """What a version sorts by, as semver.org, 11, has it."""
    matched = _VERSION.fullmatch(version)
    if matched is None:
        raise ToolchainError(f"{version} is no version of a Go module")
    major, minor, patch, before = matched.groups()
    parts = (before or "").split(".")
    # Numbers come before words; a version before its release comes before the release.
    ranked = ((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)
    return int(major), int(minor), int(patch), before is None, tuple(ranked)


def taken(text: str) -> dict[str, str]:
    """The versions that a go.mod takes, by library; of a replaced one, the version that stands for it."""
    said = go_mod.parse(text)
    found = dict(said.requires)
    for library, stands in said.replaces.items():
        path, _, version = stands.partition(" ")
        if path == library and library in found:
            found[library] = version
    return found


def differing(versions: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Libraries that modules take in several versions, with each module's, without those that are apart."""
    libraries = {library for of_module in versions.values() for library in of_module}
    found = {}
    for library in sorted(one for one in libraries if not one.startswith(APART)):
        each = {module: taken[library] for module, taken in versions.items() if library in taken}
        if len(set(each.values())) > 1:
            found[library] = each
    return found


def align(names: Iterable[str], go: Go) -> list[Raised]:
    """Raise shared libraries of modules to the latest version that one of them takes; all of it or nothing.

    Raises ToolchainError when a module does not resolve any more.
    """
    names = list(names)
    before = {name: _taken(ROOT / "modules" / name) for name in names}
    with tempfile.TemporaryDirectory(prefix="crossmesh-align-") as work:
        places = {name: Path(work) / name for name in names}
        for name, place in places.items():
            shutil.copytree(ROOT / "modules" / name, place)
        for _ in range(_ROUNDS):
            now = {name: _taken(place) for name, place in places.items()}
            wanted = {library: max(each.values(), key=precedence) for library, each in differing(now).items()}
            if not wanted:
                break
            _raise(places, now, wanted, go)
        else:
            raise ToolchainError(
                f"libraries still differ after {_ROUNDS} rounds: {', '.join(sorted(wanted))}"
            )
        for name, place in places.items():
            for file in ("go.mod", "go.sum"):
                shutil.copyfile(place / file, ROOT / "modules" / name / file)
    return [
        Raised(name, library, version, now[name][library])
        for name, libraries in before.items()
        for library, version in sorted(libraries.items())
        if now[name].get(library, version) != version
    ]


def _taken(place: Path) -> dict[str, str]:
    return taken((place / "go.mod").read_text(encoding="utf-8"))


def _raise(
    places: Mapping[str, Path], now: Mapping[str, Mapping[str, str]], wanted: Mapping[str, str], go: Go
) -> None:
    # A checksum that one module has verified is known to all.
    known = sorted(
        {line for place in places.values() for line in (place / "go.sum").read_text().splitlines()}
    )
    for name, place in places.items():
        due = [f"-require={library}@{version}" for library, version in wanted.items() if library in now[name]]
        if not due:
            continue
        command = [go.command, "mod", "edit", *due]
        subprocess.run(command, cwd=place, env=go_env(), check=True, capture_output=True)
        (place / "go.sum").write_text("".join(f"{line}\n" for line in known), encoding="utf-8")
        go.tidy(place, name)
