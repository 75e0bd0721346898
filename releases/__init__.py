"""The catalogue: which releases of which programs are supported, and what is known of each.

`<program>/<version>.toml` is one release; `defaults.toml` names the one that is taken where none is named. A
release has a file here when all is known that an environment of it needs; it says how far it was seen to
work. The stack files' rules, components, the toolchain and the lab read it. Needs only the standard library.

    >>> releases.release("istio", "1.29.1").runs_on["kubernetes"].oldest
    '1.31'
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent

NAMES = {
    "containerd": "containerd",
    "gateway-api": "Gateway API",
    "istio": "Istio",
    "kubernetes": "Kubernetes",
    "metallb": "MetalLB",
}
"""What programs are called in sentences, by the names that the catalogue has for them."""

DISTRIBUTION = "distribution"
"""What stands for the version of a program that hosts have from their distribution."""

OWNER = "owner"
"""What stands for the version of what whoever owns a cluster brings, and Crossmesh does not."""

NEAR = timedelta(days=90)
"""How long before its end a release is spoken of: a quarter, in which platforms plan their upgrades."""

_SPAN = re.compile(r"\d+(\.\d+){1,2}\+?|\d+\.\d+ to \d+\.\d+")


class UnknownReleaseError(LookupError):
    """The catalogue has no such release. Says which it has."""


@dataclass(frozen=True)
class Data:
    """Charts or manifests of a release: a data set of the toolchain, by its name and version there."""

    name: str
    version: str


class Seen(StrEnum):
    """How far this project has seen a release work. What was not run is never said to run."""

    BROUGHT_UP = "brought up"
    """A platform of it is brought up: by each test run where it is a default, by `make acceptance
    SUITE=releases` otherwise, `SUITE=containerd`, or `SUITE=upgrade_onward`, which goes to it.
    """
    RENDERED = "rendered"
    """Its objects are rendered and held against its clusters' schemas; none of its programs was run here."""
    READ = "read"
    """What is said of it was read in its source, which the file names; nothing of it was run here."""


class State(StrEnum):
    """Whether a release's makers mend it on a day."""

    MENDED = "mended"
    ENDING = "ends soon"
    """Within `NEAR`."""
    ENDED = "past its end"
    UNSTATED = "no end stated"


@dataclass(frozen=True)
class Support:
    """How long its makers mend a release."""

    source: str
    """Who says so, and what else is to be known of it."""
    until: date | None = None
    """The last day; None where they state none."""

    def __post_init__(self) -> None:
        if self.until is not None and not isinstance(self.until, date):
            raise TypeError(f"no date: {self.until!r}")

    def state(self, today: date) -> State:
        """Whether they mend it on a day. The last day is one of them."""
        if self.until is None:
            return State.UNSTATED
        if self.until < today:
            return State.ENDED
        return State.ENDING if self.until - today <= NEAR else State.MENDED


@dataclass(frozen=True)
class Needs:
    """Versions of another program that a release runs with."""

    versions: tuple[str, ...]
    """Each `1.34` (that minor version), `1.7.28` (that patch of it and later ones), `1.13 to 1.35` (these
    minor versions) or `2.2+` (this and all later ones); the oldest first.
    """
    source: str
    """Who says so, and what happens with others."""
    beyond: str = ""
    """What is known of versions after the last one, where the list ends because it was published before them:
    an operator may take such a pair upon himself. Empty where it has no end, or ends at what breaks.
    """

    def __post_init__(self) -> None:
        if not self.versions or not all(_SPAN.fullmatch(span) for span in self.versions):
            raise ValueError(f"no versions: {', '.join(self.versions) or 'none'}")

    def __str__(self) -> str:
        return ", ".join(self.versions)

    @property
    def oldest(self) -> str:
        """The oldest version that it names."""
        return self.versions[0].partition(" ")[0].rstrip("+")

    def hold(self, version: str) -> bool:
        """Whether a version, or a minor version, is among them."""
        return any(_within(span, numbers(version)) for span in self.versions)

    def end_before(self, version: str) -> bool:
        """Whether a version, or a minor version, is of a later minor version than all of them."""
        if any(span.endswith("+") for span in self.versions):
            return False
        lasts = (span.rpartition(" ")[2] for span in self.versions)
        return all(numbers(last)[:2] < numbers(version)[:2] for last in lasts)


@dataclass(frozen=True)
class Release:
    """One release of one program."""

    program: str
    version: str
    """Without a leading `v`."""
    seen: Seen
    support: Support
    module: str = ""
    """The Go module that its programs are built from where no official release can be had: a directory of
    `toolchain/modules`. Several releases may share one.
    """
    programs: bool = True
    """Whether that module has its programs. Otherwise it has the source of its charts and manifests alone:
    there are no others, or modules that they are made of cannot be had, so that a lab cannot run it.
    """
    packages: str = ""
    """Version of its makers' Debian packages; empty where there are none."""
    brings: Mapping[str, str] = field(default_factory=dict)
    """Versions of the programs that come with it, by name."""
    images: Mapping[str, str] = field(default_factory=dict)
    """References of its container images, by the name of what they hold."""
    data: Mapping[str, Data] = field(default_factory=dict)
    """Its charts and manifests, by what they are for."""
    runs_on: Mapping[str, Needs] = field(default_factory=dict)
    """What it runs with, by program; a program that is not named is not needed."""

    @property
    def name(self) -> str:
        """Program and version in words: `Istio 1.29.1`."""
        return f"{NAMES.get(self.program, self.program)} {self.version}"

    def tag(self, image: str) -> str:
        """The tag of one of its images. Raises `KeyError` for an image that it has not."""
        return self.images[image].rpartition(":")[2]

    def supports(self, program: str, version: str) -> bool:
        """Whether it runs on that version of a program that it needs."""
        return program in self.runs_on and self.runs_on[program].hold(version)


@dataclass(frozen=True)
class Clash:
    """Two releases that do not go together."""

    release: Release
    other: str
    """The program that it does not run with, in the version that there is."""
    version: str

    def __str__(self) -> str:
        return f"{NAMES[self.other]} {self.version} with {self.release.name}"

    @property
    def rule(self) -> str:
        """With what the release runs, in words."""
        known = self.release.runs_on[self.other]
        short = f"{NAMES[self.release.program]} {minor(self.release.version)}"
        return f"{short} runs on {NAMES[self.other]} {known}"

    @property
    def beyond(self) -> str:
        """What is known of the pair where its makers' list just ends before it; empty where it may not be."""
        known = self.release.runs_on[self.other]
        return known.beyond if known.end_before(self.version) else ""


def release(program: str, version: str) -> Release:
    """One release. Raises `UnknownReleaseError` naming those that there are."""
    try:
        return _read(ROOT)[program][version]
    except KeyError:
        known = ", ".join(versions(program)) or "none"
        raise UnknownReleaseError(
            f"{program} {version} is not among the supported releases: {known}. Name one of these."
        ) from None


def support(program: str, version: str) -> Support | None:
    """How long a version is mended, of an adopted cluster too: that of its minor version; None if unknown."""
    ends = _ends(ROOT)
    if until := ends.get(program, {}).get(minor(version)):
        return Support(ends["source"], until)
    same = [other for other in versions(program) if minor(other) == minor(version)]
    return release(program, version if version in same else same[-1]).support if same else None


def versions(program: str) -> tuple[str, ...]:
    """The supported versions of a program, the oldest first; none for a program that is not known."""
    known = _read(ROOT).get(program, ())
    return tuple(sorted(known, key=numbers))


def built(program: str) -> tuple[str, ...]:
    """The supported versions of a program that are built here, the oldest first."""
    return tuple(version for version in versions(program) if release(program, version).programs)


def every() -> tuple[Release, ...]:
    """All releases: program by program, the oldest first."""
    return tuple(
        release(program, version) for program in sorted(_read(ROOT)) for version in versions(program)
    )


def clashes(declared: Mapping[str, str | None]) -> Iterator[Clash]:
    """Releases that do not go together, of versions by program. Those that are not known are passed over."""
    for program, version in sorted(declared.items()):
        if version is None or version not in versions(program):
            continue
        found = release(program, version)
        for other, needs in sorted(found.runs_on.items()):
            has = declared.get(other)
            if has is not None and not needs.hold(has):
                yield Clash(found, other, has)


def suitable(program: str, declared: Mapping[str, str | None]) -> tuple[str, ...]:
    """The versions of a program that go together with the declared ones of others, the oldest first."""
    return tuple(
        version
        for version in versions(program)
        if not any(
            program in (clash.release.program, clash.other)
            for clash in clashes({**declared, program: version})
        )
    )


def default(program: str) -> str:
    """The version that is taken where none is named; `DISTRIBUTION` or `OWNER` where that is no release."""
    return _defaults(ROOT)[program]


def defaults(root: Path = ROOT) -> tuple[Release, ...]:
    """The default release of each program of a catalogue, but for those that others bring."""
    named = _defaults(root).items()
    brought = (DISTRIBUTION, OWNER)
    return tuple(_read(root)[program][version] for program, version in named if version not in brought)


def others(root: Path = ROOT) -> tuple[Release, ...]:
    """The releases of a catalogue that are no default."""
    found = (release for versions in _read(root).values() for release in versions.values())
    return tuple(release for release in found if _defaults(root).get(release.program) != release.version)


def configurations(kubernetes: str) -> Mapping[str, Any]:
    """What a version of Kubernetes takes as configuration: JSON schemas, by `kubelet` and `kubeProxy`.

    `defaults` holds what they do without, by the same names. Raises `UnknownReleaseError` for a minor version
    that is not described; `releases/kubernetes/configurations.go` describes one.
    """
    found = _configurations(ROOT).get(minor(kubernetes))
    if found is None:
        raise UnknownReleaseError(f"the configuration of Kubernetes {minor(kubernetes)} is not described")
    return found


def configured() -> tuple[str, ...]:
    """The minor versions of Kubernetes whose configurations are described, the oldest first."""
    return tuple(sorted(_configurations(ROOT), key=numbers))


def minor(version: str) -> str:
    """The minor version: `1.35` of `1.35.3`."""
    return ".".join(version.split(".")[:2])


def numbers(version: str) -> tuple[int, ...]:
    """A version as what it is compared by: (1, 35, 3) of `1.35.3`, and of `1.35.3-debug`."""
    return tuple(int(number) for number in version.partition("-")[0].split("."))


def _within(span: str, version: tuple[int, ...]) -> bool:
    first, _, last = span.rstrip("+").partition(" to ")
    if version < numbers(first):
        return False
    return span.endswith("+") or version[:2] <= numbers(last or first)[:2]


@dataclass(frozen=True)
class Distribution:
    """One release of an operating system that the roles are written for."""

    name: str
    suite: str
    """What apt sources call it."""
    shown: str
    """How far it was seen to work."""
    containerd: str = ""
    """The version that it has; empty where its updates bring later ones."""


@cache
def distributions() -> Mapping[str, Distribution]:
    """All that hosts may run, by os-release(5)'s ID and VERSION_ID: `debian-12`."""
    text = (ROOT / "distributions.toml").read_text(encoding="utf-8")
    return {name: Distribution(**entry) for name, entry in tomllib.loads(text).items()}


@cache
def _defaults(root: Path) -> Mapping[str, str]:
    return tomllib.loads((root / "defaults.toml").read_text(encoding="utf-8"))


@cache
def _ends(root: Path) -> Mapping[str, Any]:
    return tomllib.loads((root / "ends.toml").read_text(encoding="utf-8"))


@cache
def _configurations(root: Path) -> Mapping[str, Mapping[str, Any]]:
    files = (root / "kubernetes").glob("configurations-*.json")
    return {file.stem.partition("-")[2]: json.loads(file.read_text(encoding="utf-8")) for file in files}


@cache
def _read(root: Path) -> Mapping[str, Mapping[str, Release]]:
    """Every release, by program and version."""
    catalogue: dict[str, dict[str, Release]] = {}
    for file in sorted(root.glob("*/*.toml")):
        found = read(file)
        catalogue.setdefault(found.program, {})[found.version] = found
    return catalogue


def read(file: Path) -> Release:
    """The release of a file `<program>/<version>.toml`. Raises `ValueError` naming it if it is malformed."""
    try:
        entry = tomllib.loads(file.read_text(encoding="utf-8"))
        entry["seen"] = Seen(entry.get("seen", "unsaid"))
        entry["support"] = Support(**entry.get("support", {}))
        entry["data"] = {name: Data(**data) for name, data in entry.get("data", {}).items()}
        entry["runs_on"] = {
            name: Needs(tuple(needs.pop("versions", ())), **needs)
            for name, needs in entry.get("runs_on", {}).items()
        }
        return Release(file.parent.name, file.stem, **entry)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{file}: {error}") from error
