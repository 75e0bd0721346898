"""A new release: its file in the catalogue and its Go module, both or neither."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import releases
from releases import NAMES, Release, Seen
from report.errors import ConfigurationError, OperationsError
from stacks.whole_file import write_whole
from toolchain.errors import ToolchainError
from toolchain.progress import say
from upkeep import compare, entry, go_mod, module
from upkeep.compare import Difference, Side
from upkeep.derive import Given, Made, derive
from upkeep.golang import Go, Source
from upkeep.programs import PROGRAMS, Program


@dataclass(frozen=True)
class Added:
    """What was made."""

    release: Release
    like: Release
    files: tuple[Path, ...]
    read: tuple[str, ...]
    taken_over: tuple[str, ...]
    modules: int
    """How many Go modules its programs are made of, each pinned with its checksum."""
    together: Mapping[str, tuple[str, ...]]
    """The catalogue's releases of each other program that go together with it, the oldest first."""
    difference: Difference | None
    """From the release before it; None where the catalogue has no other."""


@dataclass(frozen=True)
class Wanted:
    """A release that is to be added."""

    program: str
    version: str
    like: Release
    """What cannot be read is taken over from this one."""
    given: Given
    module_version: str | None = None
    """The version of its Go module, where the proxy does not know the release's tag."""
    programs: bool = True
    """Whether its Go module has its programs, or nothing but the source of its charts and manifests."""


def add(wanted: Wanted, go: Go) -> Added:
    """Make the file and the module of a release, and compare it with the one before it.

    Raises `ConfigurationError` for what the catalogue has already and for what must be given, ToolchainError
    when something cannot be had, verified or resolved. Nothing is left behind then.
    """
    program, version = PROGRAMS[wanted.program], wanted.version
    file = releases.ROOT / program.name / f"{version}.toml"
    place = module.directory(program.name, version)
    for there in (file, place):
        if there.exists():
            raise ConfigurationError(
                f"{there} is there already: {NAMES[program.name]} {version} was added before",
                fix="take it away to have it made anew",
            )
    if not (wanted.programs or wanted.like.data):
        raise ConfigurationError(
            f"{NAMES[program.name]} has no charts or manifests: --data-only leaves nothing"
        )
    say(f"the source of {program.query(version)}")
    source = _source(program, wanted, go)
    said = go_mod.parse((source.directory / "go.mod").read_text(encoding="utf-8"))
    made = derive(program.name, version, wanted.like, source.directory, said, wanted.given)
    made = replace(made, release=replace(made.release, programs=wanted.programs))
    # What this needs (helm, the other's source) is missed before the long part.
    differs = _differs(made, source)
    with tempfile.TemporaryDirectory(prefix="crossmesh-release-") as directory:
        work = Path(directory)
        modules = _module(work, program, wanted, made.release, source, go)
        _place(made.release, work, file, place)
    return Added(
        made.release,
        wanted.like,
        (file, place),
        made.read,
        made.taken_over,
        modules,
        together(made.release),
        differs,
    )


def _module(work: Path, program: Program, wanted: Wanted, release: Release, source: Source, go: Go) -> int:
    if not wanted.programs:
        return module.of_data(work, program, wanted.version, source)
    try:
        brought = [go.source(query) for query in program.brought(release)]
        return module.with_programs(work, program, wanted.version, [source, *brought], go)
    except ToolchainError as error:
        without = "; --data-only adds it without its programs" if wanted.like.data else ""
        raise OperationsError(
            str(error), fix=f"add another one (`python -m releases check` shows which there are){without}"
        ) from None


def together(release: Release) -> dict[str, tuple[str, ...]]:
    """The catalogue's releases of each other program that go together with one, by both sides' tables."""
    found: dict[str, tuple[str, ...]] = {name: () for name in PROGRAMS if name != release.program}
    for other in releases.every():
        tables = ((release, other), (other, release))
        if other.program in found and all(
            its.program not in one.runs_on or one.runs_on[its.program].hold(its.version)
            for one, its in tables
        ):
            found[other.program] += (other.version,)
    return found


def next_steps(added: Added) -> Iterator[str]:
    """What whoever adds a release does next, in order."""
    release = added.release
    if release.program == "kubernetes":
        for target in compare.undescribed(release.version):
            yield f"make {target} MODULE=toolchain/modules/{release.module}"
    yield "make docs"
    for data in release.data.values():
        yield f"python -m toolchain install {data.name}-{data.version}"
    yield "make unit"
    seen = f'; when it passes, the file may say seen = "{Seen.RENDERED}"' if release.data else ""
    yield f"python -m pytest tests/gate/test_further_releases.py{seen}"


def _source(program: Program, wanted: Wanted, go: Go) -> Source:
    given = wanted.module_version
    try:
        return go.source(f"{program.module}@{given}" if given else program.query(wanted.version))
    except ToolchainError as error:
        fix = "`python -m releases check` shows which releases can be had"
        if program.module != program.told_by and not given:
            fix = "the proxy may know the commit of the release's tag: `--module v0.0.0-DATE-COMMIT`"
        raise OperationsError(f"{program.name} {wanted.version}: {error}", fix=fix) from None


def _differs(made: Made, source: Source) -> Difference | None:
    before = compare.earlier(made.release.program, made.release.version)
    if before is None:
        return None
    return compare.compare(Side(before, compare.source(before)), Side(made.release, source.directory))


def _place(release: Release, work: Path, file: Path, place: Path) -> None:
    """Put both where they belong: the file, by which the release is in the catalogue, comes last."""
    draft = place.with_name(f".{place.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        shutil.copytree(work, draft)
        # The copy is of a private directory.
        draft.chmod(0o755)
        draft.rename(place)
        try:
            write_whole(file, entry.text(release))
        except BaseException:
            shutil.rmtree(place)
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
