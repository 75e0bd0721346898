"""Which releases are newer than those of the catalogue: by a list that is given, or from the network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import releases
from releases import State, minor, numbers
from report.errors import ConfigurationError
from toolchain.errors import ToolchainError
from toolchain.progress import Ticker
from upkeep.golang import Go
from upkeep.programs import PROGRAMS, Program

PATCHES = 8
"""How many versions behind the last known one of a minor are asked for, until none of them is there."""
MINORS = 2
"""How many minors behind the last known one are asked for, until none of them is there."""

_RELEASE = re.compile(r"v?(\d+\.\d+\.\d+)")
_VERSION = re.compile(r"v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")


@dataclass(frozen=True)
class Line:
    """One minor version of a program."""

    minor: str
    has: tuple[str, ...]
    """The catalogue's releases of it, the oldest first."""
    state: State | None
    """Whether the newest of these is mended on the day; None where the catalogue has none."""
    until: date | None
    newer: tuple[str, ...]
    """What can be had and is newer than these, the oldest first."""


@dataclass(frozen=True)
class Found:
    """What is known of one program."""

    program: str
    lines: tuple[Line, ...]
    problem: str = ""
    """Why it could not be asked for; then the lines tell the catalogue alone."""

    @property
    def newer(self) -> bool:
        """Whether there is a newer release of it."""
        return any(line.newer for line in self.lines)


def check(there: Callable[[str], Iterable[str]], programs: Iterable[str], today: date) -> list[Found]:
    """Hold the catalogue against what can be had.

    there: gives the versions of a program that can be had, as `given` and `Network.versions` do; a
    ToolchainError of it becomes that program's problem.
    """
    found = []
    for program in programs:
        try:
            found.append(Found(program, tuple(_lines(program, there(program), today))))
        except ToolchainError as error:
            found.append(Found(program, tuple(_lines(program, (), today)), str(error)))
    return found


def given(text: str) -> Mapping[str, list[str]]:
    """Versions by program out of a list: `{"program": ["version"]}` as JSON, or lines of both.

    Raises `ConfigurationError` naming the line, or the program, that is none.
    """
    if text.lstrip().startswith("{"):
        try:
            pairs = [(program, one) for program, listed in json.loads(text).items() for one in listed]
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"the list is no JSON of versions by program: {error}") from None
    else:
        lines = [line.split() for line in text.splitlines() if line.strip() and line.lstrip()[0] != "#"]
        pairs = [(words[0], " ".join(words[1:])) for words in lines]
    versions: dict[str, list[str]] = {}
    for program, version in pairs:
        if program not in PROGRAMS or not isinstance(version, str) or not _VERSION.fullmatch(version):
            raise ConfigurationError(
                f"the list names {program!r} {version!r}, which is no release of a program of the catalogue",
                fix="write a program and its version in each line; programs are "
                + ", ".join(sorted(PROGRAMS)),
            )
        versions.setdefault(program, []).append(version)
    return versions


class Network:
    """What proxies of Go modules serve."""

    def __init__(self, go: Go) -> None:
        self._go = go

    def versions(self, name: str) -> set[str]:
        """The versions of a program that can be had.

        A list that a proxy serves is taken for whole when it names each release of the catalogue. Otherwise
        versions are asked for one by one. Raises ToolchainError when not even the catalogue's can be had:
        then nothing is known of others.
        """
        program = PROGRAMS[name]
        has = releases.versions(name)
        ticker = Ticker(f"newer {releases.NAMES[name]}")
        try:
            listed = {version for version in map(_release, self._go.listed(program.told_by)) if version}
        except ToolchainError:
            listed = set()
        found = listed if listed >= set(has) else listed | self._probed(program, has, listed, ticker)
        ticker.done(f"{len(found)} versions known")
        return found

    def _probed(self, program: Program, has: tuple[str, ...], listed: set[str], ticker: Ticker) -> set[str]:
        """What is there of the versions that may come after those of the catalogue."""
        if not self._served(program, [has[-1]], ticker):
            raise ToolchainError(
                f"{program.told_by} {has[-1]} is in the catalogue, and cannot be had here: nothing is known "
                "of newer ones. Is a Go module proxy reachable (GOPROXY)?"
            )
        found, asked = {*has, *listed}, {*has}
        while wanted := sorted(set(_candidates(found, has)) - asked - listed, key=numbers):
            asked |= set(wanted)
            found |= self._served(program, wanted, ticker)
        return found

    def _served(self, program: Program, versions: list[str], ticker: Ticker) -> set[str]:
        served = self._go.served(program.told_by, [f"v{version}" for version in versions], ticker)
        return {version.removeprefix("v") for version in served}


def _release(version: str) -> str | None:
    """A version without `v`; None for one that is no release: `v1.38.0-beta.0`."""
    matched = _RELEASE.fullmatch(version)
    return matched[1] if matched else None


def _candidates(known: Iterable[str], has: tuple[str, ...]) -> Iterator[str]:
    """The next patches of each minor from the catalogue's oldest on, and the first of the next minors."""
    last = {numbers(version)[:2]: numbers(version)[2] for version in sorted(known, key=numbers)}
    own = {numbers(version)[:2]: numbers(version)[2] for version in has}
    oldest, (major, newest) = min(own), max(last)
    for line in ((major, number) for number in range(oldest[1], newest + MINORS + 1)):
        behind = max(last.get(line, -1), own.get(line, -1)) + PATCHES
        yield from (f"{major}.{line[1]}.{patch}" for patch in range(own.get(line, -1) + 1, behind + 1))


def _lines(program: str, there: Iterable[str], today: date) -> Iterator[Line]:
    has = releases.versions(program)
    oldest = numbers(has[0])[:2]
    known = {version for version in map(_release, there) if version and numbers(version)[:2] >= oldest}
    for name, group in groupby(sorted({*has, *known}, key=numbers), key=minor):
        versions = tuple(group)
        own = tuple(version for version in versions if version in has)
        newer = tuple(version for version in versions if not own or numbers(version) > numbers(own[-1]))
        if own:
            support = releases.release(program, own[-1]).support
            yield Line(name, own, support.state(today), support.until, newer)
        else:
            yield Line(name, own, None, None, newer)
