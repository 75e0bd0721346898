"""The catalogue: which releases of which programs are supported, and what is known of each.

`<program>/<version>.toml` is one release; `defaults.toml` names the one that is taken where none is named. A
release is supported when it has a file here and a bring-up with it is tested. The stack files' rules, the
components, the toolchain and the lab read it. Needs only the standard library.

    >>> releases.release("istio", "1.28.3").runs_on["kubernetes"][-1]
    '1.34'
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent


class UnknownReleaseError(LookupError):
    """The catalogue has no such release. Says which it has."""


@dataclass(frozen=True)
class Data:
    """Charts or manifests of a release: a data set of the toolchain, by its name and version there."""

    name: str
    version: str


@dataclass(frozen=True)
class Release:
    """One supported release of one program."""

    program: str
    version: str
    """Without a leading `v`."""
    end_of_support: date | None = None
    """The last day on which upstream mends it; None where upstream states none."""
    packages: str = ""
    """Version of upstream's Debian packages; empty where there are none."""
    brings: Mapping[str, str] = field(default_factory=dict)
    """Versions of the programs that come with it, by name."""
    images: Mapping[str, str] = field(default_factory=dict)
    """References of its container images, by the name of what they hold."""
    data: Mapping[str, Data] = field(default_factory=dict)
    """Its charts and manifests, by what they are for."""
    runs_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Minor versions of the programs that it needs, by program; a program that is not named is not needed."""

    def tag(self, image: str) -> str:
        """The tag of one of its images. Raises `KeyError` for an image that it has not."""
        return self.images[image].rpartition(":")[2]

    def supports(self, program: str, version: str) -> bool:
        """Whether it runs on that version of a program that it needs."""
        return minor(version) in self.runs_on.get(program, ())


def release(program: str, version: str) -> Release:
    """One release. Raises `UnknownReleaseError` naming those that there are."""
    try:
        return _read(ROOT)[program][version]
    except KeyError:
        known = ", ".join(versions(program)) or "none"
        raise UnknownReleaseError(
            f"{program} {version} is not among the supported releases: {known}. Name one of these."
        ) from None


def versions(program: str) -> tuple[str, ...]:
    """The supported versions of a program, the oldest first; none for a program that is not known."""
    known = _read(ROOT).get(program, ())
    return tuple(sorted(known, key=lambda version: [int(number) for number in version.split(".")]))


def default(program: str) -> str:
    """The version that is taken where none is named."""
    return _defaults(ROOT)[program]


def pinned(root: Path = ROOT) -> dict[str, str]:
    """The default version of each program of a catalogue, and the versions of what those bring."""
    versions = dict(_defaults(root))
    for program, version in _defaults(root).items():
        versions |= _read(root)[program][version].brings
    return versions


def configurations(kubernetes: str) -> Mapping[str, Any]:
    """What a version of Kubernetes takes as configuration: JSON schemas, by `kubelet` and `kubeProxy`.

    `defaults` holds what they do without, by the same names. Raises `UnknownReleaseError` for a minor version
    that is not described; `releases/kubernetes/configurations.go` describes one.
    """
    found = _configurations(ROOT).get(minor(kubernetes))
    if found is None:
        raise UnknownReleaseError(f"the configuration of Kubernetes {minor(kubernetes)} is not described")
    return found


def minor(version: str) -> str:
    """The minor version: `1.34` of `1.34.3`."""
    return ".".join(version.split(".")[:2])


@dataclass(frozen=True)
class Distribution:
    """One release of an operating system that the roles are written for."""

    name: str
    suite: str
    """What apt sources call it."""
    shown: str
    """How far it was seen to work."""


@cache
def distributions() -> Mapping[str, Distribution]:
    """All that hosts may run, by os-release(5)'s ID and VERSION_ID: `debian-12`."""
    text = (ROOT / "distributions.toml").read_text(encoding="utf-8")
    return {name: Distribution(**entry) for name, entry in tomllib.loads(text).items()}


@cache
def _defaults(root: Path) -> Mapping[str, str]:
    return tomllib.loads((root / "defaults.toml").read_text(encoding="utf-8"))


@cache
def _configurations(root: Path) -> Mapping[str, Mapping[str, Any]]:
    files = (root / "kubernetes").glob("configurations-*.json")
    return {file.stem.partition("-")[2]: json.loads(file.read_text(encoding="utf-8")) for file in files}


@cache
def _read(root: Path) -> Mapping[str, Mapping[str, Release]]:
    """Every release, by program and version. Raises `ValueError` naming the file that is malformed."""
    catalogue: dict[str, dict[str, Release]] = {}
    for file in sorted(root.glob("*/*.toml")):
        program, version = file.parent.name, file.stem
        try:
            entry = tomllib.loads(file.read_text(encoding="utf-8"))
            entry["data"] = {name: Data(**data) for name, data in entry.get("data", {}).items()}
            entry["runs_on"] = {name: tuple(minors) for name, minors in entry.get("runs_on", {}).items()}
            catalogue.setdefault(program, {})[version] = Release(program, version, **entry)
        except (tomllib.TOMLDecodeError, TypeError) as error:
            raise ValueError(f"{file}: {error}") from error
    return catalogue
