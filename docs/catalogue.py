"""The page of the releases that there are, made from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from releases import NAMES, Release, Seen, default, every
from releases.order import order

_INTRODUCTION = """\
# Releases

Made by `make docs` from the catalogue, `releases/`. A stack file names releases under `versions`, for the
environment or for one region; the default is taken where it names none. `crossmesh releases` shows the same
with what the day says of it.

| seen | what it means |
|---|---|
"""
_AFTER = """
The defaults are what was tested together: each test run brings up two regions of them. Other releases go
together as far as is said below; other pairs are refused. A Kubernetes that is later than all that the
makers of an Istio list can be declared by an entry of
[`unlistedPairs`](guides/upgrades.md#past-the-end-of-a-list). `1.34` is a minor version, `1.7.28`
that patch of it and later ones, `2.2+` that version and all later ones.

containerd is that of a host's distribution unless a stack file names a release. Definitions of the Gateway
API have no version in a stack file: whoever owns a cluster brings them. Those of the standard channel are put
below the toolchain's directory, verified, by `python -m toolchain install gateway-api-crds-1.4.1`.
"""

_ORDER = """\
## Order

What must move before what, and what is one-way. The gate holds changes to it
(`change/release-order`), as far as a stack file or a state tells the versions.
"""

_MEANINGS = {
    Seen.BROUGHT_UP: "a platform of it is brought up: by each test run where it is a default, by "
    "`make acceptance SUITE=releases` otherwise (of containerd, `SUITE=containerd`; where an upgrade "
    "goes to it, `SUITE=upgrade_onward`)",
    Seen.RENDERED: "its objects are rendered and held against its clusters' schemas; nothing of it was run",
    Seen.READ: "what is said of it was read in its source; nothing of it was run",
}


def render() -> str:
    """The page, as the text of its file."""
    parts = [_INTRODUCTION + "\n".join(f"| {seen} | {_MEANINGS[seen]} |" for seen in Seen), _AFTER]
    for program, found in groupby(every(), lambda release: release.program):
        parts.append(f"## {NAMES[program]}\n")
        parts += [_section(release) for release in found]
    return "\n".join([*parts, _ORDER, *_facts(), ""])


def _facts() -> Iterator[str]:
    """What is known of the order between releases, one paragraph each."""
    known = order()
    for first in known.first:
        other = f"{NAMES[first.other]} {first.at_least}"
        yield _fact(f"{other} before {NAMES[first.program]} {first.reaches}", first.why, first.source)
    for way in known.one_way:
        title = f"No simple way back from {NAMES[way.program]} {way.reaches}"
        yield _fact(title, f"{way.why}. The way back: {way.back}", way.source)


def _fact(title: str, why: str, source: str) -> str:
    return f"- **{title}**: {why} ({source})."


def _section(release: Release) -> str:
    marks = ["the default"] if default(release.program) == release.version else []
    support = release.support
    ends = f"until {support.until} ({support.source})" if support.until else support.source
    lines = [f"### {release.name}\n", "| | |", "|---|---|", f"| seen | {', '.join([release.seen, *marks])} |"]
    lines.append(f"| mended by its makers | {ends} |")
    for other, needs in release.runs_on.items():
        beyond = f". Later ones by `unlistedPairs`: {needs.beyond}" if needs.beyond else ""
        lines.append(f"| runs with {NAMES[other]} | {needs} ({needs.source}){beyond} |")
    if release.images and not release.programs:
        lines.append("| programs | not built here: modules that they are made of cannot be had |")
    if release.brings:
        brought = ", ".join(f"{name} {version}" for name, version in sorted(release.brings.items()))
        lines.append(f"| brings | {brought} |")
    lines += [f"| image | `{image}` |" for _, image in sorted(release.images.items())]
    return "\n".join([*lines, ""])
