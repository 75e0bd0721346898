"""What `versions.toml` says, with the versions of the catalogue, as plain data."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

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
    further: dict[str, Data] = field(default_factory=dict)
    """Data of releases that are no default, by name and version: `istio-charts-1.29.1`."""

    @property
    def entries(self) -> dict[str, Program | Data]:
        """All that is installed where nothing is named, by its name."""
        return {**self.programs, **self.data}


T = TypeVar("T", Module, Wheel, Program, Data)


def _filled(value: Any, versions: Mapping[str, str]) -> Any:
    """A value of the file, with versions filled into its texts, and lists as tuples."""
    if isinstance(value, dict):
        return {
            key: versions[item] if key == "version" else _filled(item, versions)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return tuple(_filled(item, versions) for item in value)
    return value.format(**versions) if isinstance(value, str) else value


def _entries(kind: type[T], raw: dict[str, Any], versions: Mapping[str, str]) -> dict[str, T]:
    """All entries of a kind, by name."""
    entries = {}
    kind_name = kind.__name__.lower()
    for key, table in raw.get(kind_name, {}).items():
        for name in table.pop("names", [key]):
            try:
                entries[name] = kind(name=name, **_filled(table, {**versions, "name": name}))
            except TypeError as error:
                raise ValueError(f"{kind_name} {name}: {error}") from None
    return entries


def _release(name: str, entry: dict[str, Any], versions: Mapping[str, str]) -> Release:
    for algorithm, length in (("sha256", 64), ("sha512", 128)):
        checksum = entry.get(algorithm)
        if checksum is None:
            continue
        if len(checksum) != length or set(checksum) - set("0123456789abcdef"):
            raise ValueError(f"release {name}: {algorithm} is not {length} hexadecimal digits: {checksum}")
        source = entry.get("checksum_source")
        if not source:
            raise ValueError(f"release {name}: no checksum_source; name the text that states the checksum")
        return Release(name, entry["url"].format(**versions), algorithm, checksum, source)
    raise ValueError(f"release {name}: neither sha256 nor sha512 is given")


def parse(text: str, catalogue: Mapping[str, str], others: Iterable[releases.Release] = ()) -> Manifest:
    """Read the text of `versions.toml`. catalogue: the versions of the catalogue's programs.

    others: releases beside the defaults. What these have of data comes out of a module of their own,
    `modules/<program>-<version>`.

    Raises ToolchainError that names the entry when a reference leads nowhere, a checksum is malformed or has
    no public source, or a program can come from nowhere.
    """
    try:
        raw = tomllib.loads(text)
        versions: dict[str, str] = {**catalogue, **raw["versions"]}
        archives = {name: _release(name, entry, versions) for name, entry in raw.get("release", {}).items()}
        for entry in raw.get("module", {}).values():
            if "embed" in entry:
                entry["embed"] = Embed(**_filled(entry["embed"], versions))
        modules, wheels = _entries(Module, raw, versions), _entries(Wheel, raw, versions)
        programs, data = _entries(Program, raw, versions), _entries(Data, raw, versions)
        for program in programs.values():
            if not (program.release or program.module or program.wheel):
                raise ValueError(f"program {program.name}: no release, module or wheel to get it from")
            for kind, there in (("release", archives), ("module", modules), ("wheel", wheels)):
                reference = getattr(program, kind)
                if reference is not None and reference not in there:
                    raise ValueError(f"program {program.name}: there is no {kind} {reference}")
    except ValueError as error:
        raise ToolchainError(f"versions.toml: {error}") from error
    except KeyError as error:
        raise ToolchainError(
            f"versions.toml: {error} is missing, or neither one of [versions] nor a program of the catalogue"
        ) from error
    further = {}
    for release in others:
        module = Module(f"{release.program}-{release.version}", ())
        for wanted in release.data.values():
            modules[module.name] = module
            made = replace(data[wanted.name], version=wanted.version, module=module.name)
            further[f"{wanted.name}-{wanted.version}"] = made
    return Manifest(versions, archives, modules, wheels, programs, data, further)


@cache
def manifest() -> Manifest:
    """The pinned versions of this checkout."""
    return parse(VERSIONS_FILE.read_text(), releases.pinned(), releases.others())
