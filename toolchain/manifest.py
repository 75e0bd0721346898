"""What `versions.toml` says, with the versions of the catalogue, as plain data."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
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
    """An official release file: where it is, what its checksum is and which public text says so.

    It is an archive of programs, or one program.
    """

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
class Reduced:
    """A library of which a build takes a part, so that nothing is compiled that is never used."""

    module: str
    without: tuple[str, ...] = ()
    """Packages that it imports for their effects alone, and does not any more."""
    keep: tuple[str, ...] = ("**/*",)
    """Patterns of the files that are taken."""
    own: str | None = None
    """Directory under `reduced/` with files of this project that stand for some of its own."""

    @property
    def directory(self) -> Path | None:
        """Where files of this project are."""
        return ROOT / "reduced" / self.own if self.own else None


@dataclass(frozen=True)
class Module:
    """A Go module under `modules/`: one build for all its programs."""

    name: str
    ldflags: tuple[str, ...]
    embed: Embed | None = None
    reduced: tuple[Reduced, ...] = ()

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
    """All of `versions.toml`, for the releases of the catalogue."""

    versions: dict[str, str]
    """Of the default releases, of what they bring, and of what is pinned beside the catalogue."""
    releases: dict[str, Release] = field(default_factory=dict)
    """By name and version: `etcd-3.6.5`."""
    modules: dict[str, Module] = field(default_factory=dict)
    wheels: dict[str, Wheel] = field(default_factory=dict)
    programs: dict[str, Program] = field(default_factory=dict)
    data: dict[str, Data] = field(default_factory=dict)
    quick: tuple[str, ...] = ()
    """Patterns of Go packages that are compiled without inlining, in all modules."""
    further: dict[str, Program | Data] = field(default_factory=dict)
    """Of releases that are no default, by name and version: `kubelet-1.35.3`."""
    members: dict[str, tuple[Program | Data, ...]] = field(default_factory=dict)
    """All that belongs to a release of the catalogue, by its program and version: `kubernetes-1.35.3`."""

    @property
    def entries(self) -> dict[str, Program | Data]:
        """All that is installed where nothing is named, by its name."""
        return {**self.programs, **self.data}

    def entry(self, name: str, version: str | None = None) -> Program | Data:
        """One program or data set, of the default release or of another of the catalogue's.

        Raises ToolchainError for one that is not known, with those that are.
        """
        known = {
            entry.version: entry
            for entry in (*self.further.values(), *self.entries.values())
            if entry.name == name
        }
        if not known:
            raise ToolchainError(f"there is no {name}; known are {', '.join(sorted(self.entries))}")
        found = known.get(version) if version else self.entries.get(name)
        if found is None:
            there = ", ".join(sorted(known))
            raise ToolchainError(f"there is no {name} {version or 'by default'}; known are {there}")
        return found


T = TypeVar("T", Wheel, Program, Data)

Raw = dict[str, dict[str, Any]]
"""Tables of `versions.toml`, by kind and name."""


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


def _entries(
    kind: type[T], raw: Raw, versions: Mapping[str, str], those: Callable[[str], bool] = lambda _: True
) -> dict[str, T]:
    """The entries of a kind, by name. those: of which key in [versions], or program of the catalogue."""
    entries = {}
    kind_name = kind.__name__.lower()
    for key, table in raw.get(kind_name, {}).items():
        if "version" in table and not those(table["version"]):
            continue
        for name in table.get("names", [key]):
            values = {field: value for field, value in table.items() if field != "names"}
            try:
                entries[name] = kind(name=name, **_filled(values, {**versions, "name": name}))
            except TypeError as error:
                raise ValueError(f"{kind_name} {name}: {error}") from None
    return entries


def _archive(name: str, url: str, entry: Mapping[str, str]) -> Release:
    for algorithm, length in (("sha256", 64), ("sha512", 128)):
        checksum = entry.get(algorithm)
        if checksum is None:
            continue
        if len(checksum) != length or set(checksum) - set("0123456789abcdef"):
            raise ValueError(f"release {name}: {algorithm} is not {length} hexadecimal digits: {checksum}")
        source = entry.get("checksum_source")
        if not source:
            raise ValueError(f"release {name}: no checksum_source; name the text that states the checksum")
        return Release(name, url, algorithm, checksum, source)
    raise ValueError(f"release {name}: neither sha256 nor sha512 is given")


def _archives(raw: Raw) -> dict[str, Release]:
    """Every release file, by its name and version, and its program where each has its own.

    `etcd-3.6.5`, `kubernetes-1.35.3/kubelet`.
    """
    found = {}
    for name, table in raw.get("release", {}).items():
        for version, entry in table.get("of", {}).items():
            checksums = entry.get("sha256")
            alone = checksums if isinstance(checksums, dict) else {"": checksums}
            for program, checksum in alone.items():
                key = f"{name}-{version}/{program}".rstrip("/")
                url = table["url"].format(version=version, name=program)
                found[key] = _archive(key, url, {**entry, "sha256": checksum})
    return found


def _together(before: Module, new: Module) -> Module:
    """A module that is several programs', with what each asks for."""
    return Module(
        new.name,
        tuple(dict.fromkeys((*before.ldflags, *new.ldflags))),
        before.embed or new.embed,
        tuple(dict.fromkeys((*before.reduced, *new.reduced))),
    )


class _Reading:
    """`versions.toml`, read for one release of the catalogue after another."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.archives = _archives(raw)
        self.modules: dict[str, Module] = {}

    def module(self, key: str, directory: str, versions: Mapping[str, str]) -> None:
        """Add a module, or what one that is there must be told to be another program's, too."""
        table = _filled(self.raw["module"][key], versions)
        before = self.modules.get(directory)
        new = Module(
            directory,
            table["ldflags"],
            Embed(**table["embed"]) if "embed" in table else None,
            tuple(Reduced(**entry) for entry in table.get("reduced", ())),
        )
        self.modules[directory] = _together(before, new) if before else new

    def programs(
        self, versions: Mapping[str, str], directories: Mapping[str, str], those: Callable[[str], bool]
    ) -> dict[str, Program]:
        """Programs of some versions. directories: of modules, by their keys in the file."""
        found = {}
        for name, program in _entries(Program, self.raw, versions, those).items():
            archive = f"{program.release}-{program.version}"
            files = (key for key in (archive, f"{archive}/{name}") if key in self.archives)
            if program.release and program.release not in self.raw.get("release", {}):
                raise ValueError(f"program {name}: there is no release {program.release}")
            if program.module and program.module not in directories:
                raise ValueError(f"program {name}: there is no module {program.module}")
            found[name] = replace(
                program,
                release=next(files, None),
                module=directories[program.module] if program.module else None,
            )
        return found


def parse(
    text: str, defaults: Iterable[releases.Release] = (), others: Iterable[releases.Release] = ()
) -> Manifest:
    """Read the text of `versions.toml`. defaults, others: releases of the catalogue.

    Raises ToolchainError that names the entry when a reference leads nowhere, a checksum is malformed or has
    no public source, or a program can come from nowhere.
    """
    try:
        reading = _Reading(tomllib.loads(text))
        return _manifest(reading, tuple(defaults), tuple(others))
    except ValueError as error:
        raise ToolchainError(f"versions.toml: {error}") from error
    except KeyError as error:
        raise ToolchainError(
            f"versions.toml: {error} is missing, or neither one of [versions] nor a program of the catalogue"
        ) from error


def _manifest(
    reading: _Reading, defaults: tuple[releases.Release, ...], others: tuple[releases.Release, ...]
) -> Manifest:
    raw = reading.raw
    versions: dict[str, str] = {**raw["versions"]}
    for release in defaults:
        versions |= _versions(release)
    # Of what hosts have from their distribution no release is a default.
    apart = {key for release in others for key in _versions(release)} - versions.keys()

    def is_default(key: str) -> bool:
        return key not in apart

    directories = {key: key for key in raw.get("module", {}) if is_default(key)}
    directories |= {release.program: release.module for release in defaults if release.module}
    for key, directory in directories.items():
        reading.module(key, directory, versions)
    wheels = _entries(Wheel, raw, versions)
    programs = reading.programs(versions, directories, is_default)
    data = {
        name: replace(entry, module=directories[entry.module])
        for name, entry in _entries(Data, raw, versions, is_default).items()
    }
    for program in programs.values():
        if not (program.release or program.module or program.wheel):
            raise ValueError(f"program {program.name}: no release, module or wheel to get it from")
        if program.wheel and program.wheel not in wheels:
            raise ValueError(f"program {program.name}: there is no wheel {program.wheel}")
    quick = tuple(raw.get("compile", {}).get("quick", ()))
    found = Manifest(versions, reading.archives, reading.modules, wheels, programs, data, quick)
    for release in defaults:
        its = _versions(release).__contains__
        names = [*_entries(Program, raw, versions, its), *_entries(Data, raw, versions, its)]
        found.members[f"{release.program}-{release.version}"] = tuple(found.entries[name] for name in names)
    for release in others:
        members = _members(reading, found, directories, release)
        found.members[f"{release.program}-{release.version}"] = members
    return found


def _members(
    reading: _Reading, found: Manifest, directories: Mapping[str, str], release: releases.Release
) -> tuple[Program | Data, ...]:
    """What belongs to a release that is no default; what is new of it is added to `further`.

    directories: of the modules of the default releases, by their keys in the file.
    """
    own = {**found.versions, **_versions(release)}
    where = {**directories, release.program: release.module}
    reading.module(release.program, release.module, own)
    those = _versions(release).__contains__
    entries: dict[str, Program | Data] = {}
    if release.programs:
        entries |= reading.programs(own, where, those)
    for name, entry in _entries(Data, reading.raw, own, those).items():
        entries[name] = replace(entry, module=where[entry.module])
    members = []
    for name, member in entries.items():
        # Two releases may bring the same version of a program: one of them makes it.
        same = found.entries.get(name)
        if same is None or same.version != member.version:
            same = found.further.setdefault(f"{name}-{member.version}", member)
        members.append(same)
    return tuple(members)


def _versions(release: releases.Release) -> dict[str, str]:
    """The versions that a release is, by program."""
    return {
        release.program: release.version,
        f"{release.program}-minor": release.version.split(".")[1],
        **release.brings,
    }


@cache
def manifest() -> Manifest:
    """The pinned versions of this checkout."""
    return parse(VERSIONS_FILE.read_text(), releases.defaults(), releases.others())
