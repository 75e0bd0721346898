"""What `versions.toml` says, with the versions of the catalogue, as plain data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import releases
from toolchain.errors import ToolchainError

ROOT = Path(__file__).resolve().parent
VERSIONS_FILE = ROOT / "versions.toml"


@dataclass(frozen=True)
class Release:
    """An official release file: where it is, what its checksum is and which public text says so."""

    name: str
    url: str
    algorithm: str
    checksum: str
    checksum_source: str


@dataclass(frozen=True)
class Embed:
    """Files that a module's main package embeds; they come out of another module at build time."""

    module: str
    files: tuple[str, ...]
    versioned: tuple[str, ...]
    version: str


@dataclass(frozen=True)
class Module:
    """A Go module under `modules/`: one build for all its programs."""

    name: str
    ldflags: tuple[str, ...]
    embed: Embed | None = None

    @property
    def directory(self) -> Path:
        """Directory of go.mod and go.sum."""
        return ROOT / "modules" / self.name


@dataclass(frozen=True)
class Wheel:
    """A wheel that carries a binary."""

    name: str
    requirement: str
    sha256: str
    member: str


@dataclass(frozen=True)
class Program:
    """One program and the places that it can come from."""

    name: str
    version: str
    probe: tuple[str, ...] = ()
    static: bool = False
    operator: bool = False
    release: str | None = None
    member: str | None = None
    module: str | None = None
    package: str | None = None
    wheel: str | None = None


@dataclass(frozen=True)
class Data:
    """A file or directory out of a Go module's source."""

    name: str
    version: str
    module: str
    source: str
    path: str


@dataclass(frozen=True)
class Manifest:
    """All of `versions.toml`."""

    versions: dict[str, str]
    releases: dict[str, Release] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    wheels: dict[str, Wheel] = field(default_factory=dict)
    programs: dict[str, Program] = field(default_factory=dict)
    data: dict[str, Data] = field(default_factory=dict)


def _release(name: str, entry: dict[str, Any], versions: Mapping[str, str]) -> Release:
    for algorithm, length in (("sha256", 64), ("sha512", 128)):
        checksum = entry.get(algorithm)
        if checksum is None:
            continue
        if len(checksum) != length or set(checksum) - set("0123456789abcdef"):
            raise ValueError(f"release {name}: {algorithm} is not {length} hexadecimal digits: {checksum}")
        if not entry.get("checksum_source"):
            raise ValueError(
                f"release {name}: no checksum_source; name the public text that states the checksum"
            )
        url = entry["url"].format(**versions)
        return Release(name, url, algorithm, checksum, entry["checksum_source"])
    raise ValueError(f"release {name}: neither sha256 nor sha512 is given")


def parse(text: str, catalogue: Mapping[str, str]) -> Manifest:
    """Read the text of `versions.toml`. catalogue: the versions of the catalogue's programs.

    Raises ToolchainError that names the entry when a reference leads nowhere, a checksum is malformed or has
    no public source, or a program can come from nowhere.
    """
    try:
        raw = tomllib.loads(text)
        versions: dict[str, str] = {**catalogue, **raw["versions"]}
        archives = {name: _release(name, entry, versions) for name, entry in raw.get("release", {}).items()}
        modules = {}
        for name, entry in raw.get("module", {}).items():
            embed = entry.get("embed")
            modules[name] = Module(
                name,
                tuple(flag.format(**versions) for flag in entry["ldflags"]),
                Embed(
                    embed["module"],
                    tuple(embed["files"]),
                    tuple(embed["versioned"]),
                    versions[embed["version"]],
                )
                if embed
                else None,
            )
        wheels = {
            name: Wheel(name, entry["requirement"].format(**versions), entry["sha256"], entry["member"])
            for name, entry in raw.get("wheel", {}).items()
        }
        programs = {}
        for name, entry in raw.get("program", {}).items():
            program = Program(
                name=name,
                version=versions[entry["version"]],
                probe=tuple(entry.get("probe", ())),
                static=entry.get("static", False),
                operator=entry.get("operator", False),
                release=entry.get("release"),
                member=entry["member"].format(**versions) if "member" in entry else None,
                module=entry.get("module"),
                package=entry.get("package"),
                wheel=entry.get("wheel"),
            )
            if not (program.release or program.module or program.wheel):
                raise ValueError(f"program {name}: no release, module or wheel to get it from")
            for kind, reference, known in (
                ("release", program.release, archives),
                ("module", program.module, modules),
                ("wheel", program.wheel, wheels),
            ):
                if reference is not None and reference not in known:
                    raise ValueError(f"program {name}: there is no {kind} {reference}")
            programs[name] = program
        data = {
            name: Data(name, versions[entry["version"]], entry["module"], entry["source"], entry["path"])
            for name, entry in raw.get("data", {}).items()
        }
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise ToolchainError(f"versions.toml: {error}") from error
    except KeyError as error:
        raise ToolchainError(
            f"versions.toml: {error} is missing, or neither one of [versions] nor a program of the catalogue"
        ) from error
    return Manifest(versions, archives, modules, wheels, programs, data)


@cache
def manifest() -> Manifest:
    """The pinned versions of this checkout."""
    return parse(VERSIONS_FILE.read_text(), releases.pinned())
