"""Releases of a region that do not go together, and those of them that an operator has taken upon himself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import releases
from stacks.model import Environment, UnlistedPair


class Met(NamedTuple):
    """Two releases that their makers do not list as a pair."""

    clash: releases.Clash
    taken: tuple[str, ...]
    """The entry of `unlistedPairs` that takes it, as a path below the environment; empty where none does."""


def unlisted(environment: Environment, region: str) -> Iterator[Met]:
    """The pairs of a region that no list has. One that is known to break is taken by no entry."""
    declared = environment.unlisted_in(region)
    for clash in releases.clashes(environment.installed_in(region)):
        pair = pair_of(clash)
        yield Met(clash, declared.get(pair, ()) if pair else ())


def pair_of(clash: releases.Clash) -> UnlistedPair | None:
    """The entry by which an operator may take a pair upon himself; None where nobody may."""
    if (clash.release.program, clash.other) != ("istio", "kubernetes") or not clash.beyond:
        return None
    return UnlistedPair(istio=clash.release.version, kubernetes=clash.version)


def written(pair: UnlistedPair) -> str:
    """An entry of `unlistedPairs` as it stands in a file."""
    return f"{{istio: {pair.istio}, kubernetes: {_quoted(pair.kubernetes)}}}"


def _quoted(version: str) -> str:
    """A version as YAML takes it for a text: `1.36` is a number."""
    return version if version.count(".") > 1 else f'"{version}"'
