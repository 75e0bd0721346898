"""What a lab consists of, read from a file like `reference.yaml`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

import releases
from lab.errors import LabError

REFERENCE = Path(__file__).with_name("reference.yaml")

# Bridges are called br-<region>, and the kernel's names of interfaces have 15 characters.
_REGION = re.compile(r"[a-z][a-z0-9-]{0,10}[a-z0-9]")
_MACHINE = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_SUITE = re.compile(r"[a-z]+")
# .11 to .199 of a region's /24.
_MACHINES_PER_REGION = 189


@dataclass(frozen=True, slots=True)
class LabSpec:
    """One lab: machines by region, the fabric's limits, the machines' and the mirror's Debian packages.

    ``suite`` is what the machines have that ``suites`` does not name.
    """

    regions: dict[str, tuple[str, ...]]
    emulated: frozenset[str]
    """Machines with a kernel of their own, in a processor that is emulated."""
    fabric_asn: int
    accepted_prefixes: tuple[str, ...]
    suite: str
    system_packages: tuple[str, ...]
    mirror_packages: tuple[str, ...]
    releases: dict[str, tuple[str, ...]]
    """Which releases of the catalogue's programs the mirror offers."""
    suites: dict[str, str] = field(default_factory=dict)

    @property
    def machines(self) -> dict[str, str]:
        """Region of each machine."""
        return {machine: region for region, machines in self.regions.items() for machine in machines}

    def suite_of(self, machine: str) -> str:
        """Debian's suite on a machine."""
        return self.suites.get(machine, self.suite)

    def by_suite(self) -> list[LabSpec]:
        """This lab once for each suite among its machines, as if it were that of all of them; sorted."""
        suites = sorted({self.suite_of(machine) for machine in self.machines})
        return [replace(self, suite=suite, suites={}) for suite in suites]


def load(path: Path = REFERENCE) -> LabSpec:
    """Read and check a lab's description. Raises LabError that lists every problem of the file."""
    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text())
    except (OSError, YAMLError) as error:
        raise LabError(f"{path} cannot be read: {error}") from error
    problems: list[str] = []
    if not isinstance(raw, dict):
        raise LabError(f"{path} is not a mapping", f"start from {REFERENCE}")
    _keys(raw, {"regions", "emulated", "fabric", "system", "mirror"}, "", problems)
    suites: dict[str, str] = {}
    regions = _regions(raw.get("regions"), suites, problems)
    emulated = frozenset(_words(raw, "", "emulated", problems))
    for machine in sorted(emulated - {machine for machines in regions.values() for machine in machines}):
        problems.append(f"emulated: {machine} is in no region")
    fabric = _section(raw, "fabric", {"asn", "acceptedPrefixes"}, problems)
    system = _section(raw, "system", {"suite", "packages"}, problems)
    mirror = _section(raw, "mirror", {"packages", "releases"}, problems)
    asn = fabric.get("asn")
    if not isinstance(asn, int) or isinstance(asn, bool) or not 0 < asn < 2**32:
        problems.append(f"fabric.asn: {asn!r} is not the number of an autonomous system (1 to 4294967295)")
        asn = 0
    prefixes = _words(fabric, "fabric", "acceptedPrefixes", problems)
    for prefix in prefixes:
        try:
            ipaddress.IPv4Network(prefix)
        except ValueError as error:
            problems.append(f"fabric.acceptedPrefixes: {error}")
    suite = system.get("suite")
    if not isinstance(suite, str) or not _SUITE.fullmatch(suite):
        problems.append("system.suite: name a Debian suite, for example bookworm")
        suite = ""
    spec = LabSpec(
        regions=regions,
        emulated=emulated,
        fabric_asn=asn,
        accepted_prefixes=prefixes,
        suite=suite,
        system_packages=_words(system, "system", "packages", problems),
        mirror_packages=_words(mirror, "mirror", "packages", problems),
        releases=_releases(mirror.get("releases", {}), problems),
        suites=suites,
    )
    if problems:
        raise LabError(f"{path} has {len(problems)} problem(s):\n    " + "\n    ".join(problems))
    return spec


def _keys(raw: dict[str, Any], known: set[str], where: str, problems: list[str]) -> None:
    for key in sorted(set(map(str, raw)) - known):
        problems.append(f"{where}{key}: unknown key; known are {', '.join(sorted(known))}")


def _section(raw: dict[str, Any], name: str, known: set[str], problems: list[str]) -> dict[str, Any]:
    section = raw.get(name)
    if not isinstance(section, dict):
        problems.append(f"{name}: expected a mapping with {', '.join(sorted(known))}")
        return {}
    _keys(section, known, f"{name}.", problems)
    return section


def _releases(raw: object, problems: list[str]) -> dict[str, tuple[str, ...]]:
    """Versions by program: the defaults where none are named, and none of what Debian has."""
    found: dict[str, tuple[str, ...]] = {
        release.program: () for release in releases.every() if release.programs
    }
    found |= {release.program: (release.version,) for release in releases.defaults()}
    if not isinstance(raw, dict):
        problems.append("mirror.releases: expected a mapping of program to the list of its versions")
        return found
    _keys(raw, set(found), "mirror.releases.", problems)
    for program in sorted(raw.keys() & found.keys()):
        named = _words(raw, "mirror.releases", program, problems)
        for version in named:
            if version not in releases.built(program):
                there = ", ".join(releases.built(program))
                problems.append(f"mirror.releases.{program}: no {version} is built here; known are {there}")
        found[program] = named or found[program]
    return found


def _words(section: dict[str, Any], name: str, key: str, problems: list[str]) -> tuple[str, ...]:
    words = section.get(key, [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        problems.append(f"{f'{name}.' if name else ''}{key}: expected a list of strings")
        return ()
    return tuple(words)


def _regions(raw: object, suites: dict[str, str], problems: list[str]) -> dict[str, tuple[str, ...]]:
    """Machines by region; what they say of their suites goes to ``suites``."""
    if not isinstance(raw, dict) or not raw:
        problems.append("regions: expected a mapping of region to the list of its machines")
        return {}
    regions: dict[str, tuple[str, ...]] = {}
    owners: dict[str, str] = {}
    if len(raw) > 200:
        problems.append(f"regions: {len(raw)} regions, at most 200 fit into a lab's network")
    for region, machines in raw.items():
        if not isinstance(region, str) or not _REGION.fullmatch(region):
            problems.append(f"regions.{region}: use 2 to 12 of a-z, 0-9 and -, starting with a letter")
        if not isinstance(machines, list):
            problems.append(f"regions.{region}: expected the list of its machines")
            continue
        if len(machines) > _MACHINES_PER_REGION:
            problems.append(f"regions.{region}: {len(machines)} machines, at most {_MACHINES_PER_REGION} fit")
        names = [_name(machine, f"regions.{region}", suites, problems) for machine in machines]
        for machine in names:
            if not isinstance(machine, str) or not _MACHINE.fullmatch(machine):
                problems.append(f"regions.{region}: {machine!r} is not a host name")
            elif machine in owners:
                problems.append(f"regions.{region}: {machine} is already in region {owners[machine]}")
            else:
                owners[machine] = str(region)
        regions[str(region)] = tuple(map(str, names))
    return regions


def _name(machine: object, where: str, suites: dict[str, str], problems: list[str]) -> object:
    """A machine's name, which stands alone or beside its suite."""
    if not isinstance(machine, dict):
        return machine
    _keys(machine, {"name", "suite"}, f"{where}: {machine.get('name')}.", problems)
    name, suite = machine.get("name"), machine.get("suite")
    if not isinstance(suite, str) or not _SUITE.fullmatch(suite):
        problems.append(f"{where}: {name}.suite: name a Debian suite, for example trixie")
    else:
        suites[str(name)] = suite
    return name
