"""What the API servers of a Kubernetes serve, and which configurations its programs read.

`kubernetes/served-<minor>.json` has it of one minor version; `served.go` beside these reads it in the
release's own source. Clusters of others may run versions that are not described: of these the nearest says
since when and until when there is what.

    >>> standing("1.35.3", "policy/v1beta1", "PodDisruptionBudget").until
    '1.25'
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import releases
from releases import minor, numbers

_STABLE = re.compile(r"v(\d+)")
_WARNED = {"v1": {"Endpoints": {"deprecated": "1.33", "instead": "discovery.k8s.io/v1 EndpointSlice"}}}
"""What API servers warn of, though no lifecycle says so (pkg/registry/core/endpoint/strategy.go)."""


class Served(StrEnum):
    """Whether an API server of a version serves a kind in an API version."""

    BY_DEFAULT = "by default"
    ON_REQUEST = "on request"
    """Only where it is told to, by `--runtime-config`, and where its feature is on."""
    ENDED = "no longer"
    NOT_YET = "not yet"
    NEVER = "no"
    """Its group is there, and has no such kind or version."""


@dataclass(frozen=True)
class Standing:
    """How a kind in an API version stands with a version of Kubernetes. Versions are minor ones, or empty."""

    served: Served
    since: str = ""
    """From when on it is served, where that is later."""
    deprecated: str = ""
    """Since when it is, where it is by then."""
    until: str = ""
    """The first version without it, where one is known."""
    instead: str = ""
    """API version and kind that this version of Kubernetes serves in its place."""


def standing(kubernetes: str, api_version: str, kind: str) -> Standing | None:
    """How a kind stands with a version such as `1.34.3` or `1.34`; None for what is not Kubernetes' own."""
    release, own = minor(kubernetes), _nearest(minor(kubernetes))
    if _group(api_version) not in _groups(releases.ROOT):
        return None
    entry = own["kinds"].get(api_version, {}).get(kind)
    served = _served(entry, release) if entry else _absent(release, api_version, kind)
    if served is None:
        return None
    entry = {**(entry or _elsewhere(api_version, kind)), **_WARNED.get(api_version, {}).get(kind, {})}
    deprecated, until = entry.get("deprecated", ""), entry.get("until", "")
    is_over = bool(until) and _by(until, release)
    return Standing(
        served,
        since=entry.get("since", "") if served is Served.NOT_YET else "",
        deprecated=deprecated if deprecated and _by(deprecated, release) else "",
        # Some ended before they were said to.
        until=until if is_over is (served is Served.ENDED) else "",
        instead=_instead(release, api_version, kind, entry.get("instead", "")),
    )


def known(kubernetes: str) -> tuple[tuple[str, str], ...]:
    """API version and kind of all that the description of a version is about, what has ended too."""
    kinds = _nearest(minor(kubernetes))["kinds"]
    return tuple((api_version, kind) for api_version in kinds for kind in kinds[api_version])


def configurations(kubernetes: str) -> Mapping[str, list[str]]:
    """The kinds of configurations that kubeadm, kubelet and kube-proxy of a version read, by API version."""
    found: Mapping[str, list[str]] = _nearest(minor(kubernetes))["configurations"]
    return found


def described() -> tuple[str, ...]:
    """The minor versions that are described, the oldest first."""
    return tuple(sorted(_files(), key=numbers))


def _served(entry: Mapping[str, Any], release: str) -> Served | None:
    """Of a kind that the nearest description has."""
    since, until = entry.get("since"), entry.get("until")
    if since and not _by(since, release):
        return Served.NOT_YET
    if until and _by(until, release):
        return Served.ENDED
    if release not in _files():
        return Served.BY_DEFAULT  # how API servers of other versions are set up is not described
    return {"by default": Served.BY_DEFAULT, "on request": Served.ON_REQUEST}.get(
        entry["served"], Served.ENDED
    )


def _absent(release: str, api_version: str, kind: str) -> Served | None:
    """Of a kind that the nearest description has not; None where nothing can be said of it."""
    if release not in _files():
        return None
    others = [name for name, known in _files().items() if kind in known["kinds"].get(api_version, {})]
    if others:
        return Served.ENDED if _by(others[0], release) else Served.NOT_YET
    own = _files()[release]["kinds"]
    is_elsewhere = any(kind in own[name] for name in own if _group(name) == _group(api_version))
    is_there = any(entry["served"] != "no" for entry in own.get(api_version, {}).values())
    return None if is_there and not is_elsewhere else Served.NEVER


def _elsewhere(api_version: str, kind: str) -> Mapping[str, Any]:
    """What another version of Kubernetes says of a kind: the first that has it says since when."""
    found = [known["kinds"].get(api_version, {}).get(kind) for known in _files().values()]
    return next((entry for entry in found if entry), {})


def _instead(release: str, api_version: str, kind: str, said: str) -> str:
    """What serves in its place: what is said, if it is served, or else the same kind of the same group.

    A stable one: the others are off by default, or have been on their way out since.
    """
    kinds = _nearest(release)["kinds"]
    others = sorted(filter(lambda name: _group(name) == _group(api_version), kinds), key=_rank, reverse=True)
    for candidate in (said, *(f"{name} {kind}" for name in others)):
        version, _, name = candidate.partition(" ")
        entry = kinds.get(version, {}).get(name)
        is_other = version != api_version and _rank(version)[0]
        if is_other and entry and _served(entry, release) is Served.BY_DEFAULT:
            return candidate
    return ""


def _by(version: str, release: str) -> bool:
    """Whether a version has come by a release."""
    return numbers(version) <= numbers(release)


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def _rank(api_version: str) -> tuple[bool, int]:
    """What API versions of a group are compared by: whether one is stable, and its number."""
    found = _STABLE.fullmatch(api_version.rpartition("/")[2])
    return found is not None, int(found[1]) if found else 0


def _nearest(release: str) -> Mapping[str, Any]:
    """The description of a minor version; where it has none, that of the latest before it, or the oldest."""
    known = described()
    before = [name for name in known if numbers(name) <= numbers(release)]
    return _files()[before[-1] if before else known[0]]


def _files() -> Mapping[str, Mapping[str, Any]]:
    return _read(releases.ROOT)


@cache
def _groups(root: Path) -> frozenset[str]:
    """Kubernetes' own, of all versions."""
    return frozenset(_group(api_version) for known in _read(root).values() for api_version in known["kinds"])


@cache
def _read(root: Path) -> Mapping[str, Mapping[str, Any]]:
    """By minor version, the oldest first."""
    files = {file.stem.partition("-")[2]: file for file in (root / "kubernetes").glob("served-*.json")}
    return {name: json.loads(files[name].read_text("utf-8")) for name in sorted(files, key=numbers)}
