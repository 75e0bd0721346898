"""Whether name servers agree, and parents of their zones name them. Pure: what was asked comes in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from access.delegation import Delegation
from live.prober import ADMIN_STATE, Health, View


@dataclass(frozen=True)
class Said:
    """What one edge host says."""

    health: Health
    zones: Mapping[str, str]
    """The digest of each zone's file."""
    answers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Of hosts that all servers answer alike where they see the same: what it answered."""


@dataclass(frozen=True)
class Difference:
    """Something in which edge hosts differ."""

    words: str
    fix: str
    wrong: bool
    """Whether somebody made it so; else it is what they see, and each is right for where it is."""
    passing: bool = False
    """Whether it may be over soon: they count each for itself."""


def differences(said: Mapping[str, Said]) -> Iterator[Difference]:
    """What edge hosts (by name) do not have alike."""
    for zone in sorted({zone for each in said.values() for zone in each.zones}):
        by_digest = _by({edge: each.zones.get(zone, "none") for edge, each in said.items()})
        if len(by_digest) > 1:
            words = f"{zone} is not the same zone everywhere: {_told(by_digest)}"
            yield Difference(words, "Run `pulumi up --refresh`, which writes it anew where it differs.", True)
    for target in sorted({target for each in said.values() for target in each.health.views}):
        yield from _of_gateway(target, {edge: each.health.views.get(target) for edge, each in said.items()})
    seen = {edge: _seen(each.health) for edge, each in said.items()}
    if len(set(seen.values())) == 1:
        for host in sorted({host for each in said.values() for host in each.answers}):
            answers = _by(
                {edge: ", ".join(sorted(each.answers.get(host, ()))) for edge, each in said.items()}
            )
            if len(answers) > 1:
                words = f"{host} is answered differently, though all see the same: {_told(answers)}"
                yield Difference(
                    words, "See `journalctl -u gdnsd` there; run `pulumi up --refresh`.", True, True
                )


def _of_gateway(target: str, views: Mapping[str, View | None]) -> Iterator[Difference]:
    known = {edge: view for edge, view in views.items() if view}
    region = next(iter(known.values())).region
    what = f"the gateway of {region} ({target})"
    if missing := sorted(views.keys() - known.keys()):
        words = f"{', '.join(missing)} does not know {what}, which others do"
        yield Difference(words, "Run `pulumi up`.", True)
    forced = _by({edge: _forced(view) for edge, view in known.items()})
    if len(forced) > 1:
        fix = f"Write the same lines into `{ADMIN_STATE}` of all edge hosts, or take them out."
        yield Difference(f"{what} is not forced alike: {_told(forced)}", fix, True)
    seen = _by({edge: "UP" if view.seen_up else "DOWN" for edge, view in known.items()})
    if len(seen) > 1:
        words = f"{what} is seen differently, so the server that is asked decides: {_told(seen)}"
        yield Difference(
            words, f"See the way from these hosts to {region}, and their health-view.", False, True
        )
    held = _by({edge: "held out" if view.held else "not held out" for edge, view in known.items()})
    if len(held) > 1:
        words = f"{what} is held out by some alone: {_told(held)}"
        fix = "Wait for its time, or return it by its number in `returned`."
        yield Difference(words, fix, False, True)


def _forced(view: View) -> str:
    return ("forced UP" if view.answered else "forced DOWN") if view.forced else "not forced"


def _seen(health: Health) -> tuple[tuple[str, bool], ...]:
    return tuple(sorted((target, view.answered) for target, view in health.views.items()))


def _by(told: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for edge, words in sorted(told.items()):
        found.setdefault(words, []).append(edge)
    return found


def _told(found: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{words[:60]} on {', '.join(edges)}" for words, edges in sorted(found.items()))


def misled(zone: str, declared: Mapping[str, str], found: Delegation) -> Iterator[tuple[str, str, bool]]:
    """What is wrong with a delegation: words, what to do, and whether clients meet it.

    declared: address of each name server, by its full name.
    """
    at = f"at {found.parent}"
    if not found.servers:
        named = ", ".join(f"{name} ({address})" for name, address in sorted(declared.items()))
        yield f"{zone} is not delegated {at}", f"Have its owner delegate it to {named}.", True
        return
    for name in sorted(set(found.servers) - declared.keys()):
        words = f"{zone}: {name} is named {at}, and is no name server of ours: who asks it gets no answer"
        yield words, f"Have it taken out {at}, or declare it as an edge host.", True
    for name in sorted(declared.keys() - set(found.servers)):
        words = f"{zone}: {name} is not named {at}: nobody asks it"
        yield words, f"Have it added {at}.", len(declared.keys() & set(found.servers)) == 0
    for name in sorted(declared.keys() & set(found.servers)):
        glue = found.glue.get(name, ())
        if not glue and name.endswith(f".{zone}"):
            words = f"{zone}: {name} is named {at} without its address, which only it could give"
            yield words, f"Have the glue {declared[name]} added {at}.", True
        elif glue and glue != (declared[name],):
            words = f"{zone}: {name} has the glue {', '.join(glue)} {at}, and is at {declared[name]}"
            yield words, f"Have the glue changed {at}.", True
