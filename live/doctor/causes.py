"""Which of the failed checks are causes, and what follows from each. Pure: results in, judgement out.

- A failed check is a *cause* if nothing that it rests on failed, directly or further down; else it follows
  from the causes below it.
- What could not be measured is no failure, so it explains none: it is *not known*. It follows from what is
  broken below it; where nothing is, it stands by itself, as does a host that ssh does not reach.
- What only warns holds now, so it breaks nothing.
- What holds although something below it failed is told as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from live.doctor.keys import Key
from live.doctor.model import CheckResult
from report.model import Cause, Status


@dataclass(frozen=True)
class Below:
    """What lies below a check, on the ways that are broken all along."""

    failed: frozenset[Key] = frozenset()
    """Causes."""
    unknown: frozenset[Key] = frozenset()
    """What is not known, and follows from nothing."""


def judge(results: Iterable[CheckResult]) -> dict[Key, tuple[Key, ...]]:
    """By each check that is broken what it follows from, sorted; nothing for a cause, or what stands by
    itself. Checks must not rest on each other in a circle.
    """
    by_key = {result.check.id: result for result in results}
    below: dict[Key, Below] = {}
    for key in _upwards(by_key):
        if by_key[key].broken:
            below[key] = _below(by_key, below, key)
    return {key: _follows(by_key[key], found) for key, found in sorted(below.items())}


def causes(results: Iterable[CheckResult]) -> tuple[Cause, ...]:
    """What everything that is not well comes down to: failures first, by how much follows from each."""
    by_key = {result.check.id: result for result in results}
    follows = judge(by_key.values())
    resting = _resting(by_key)
    found = [_cause(by_key, follows, resting, key) for key, lower in follows.items() if not lower]
    return tuple(sorted(found, key=_order))


def _upwards(by_key: Mapping[Key, CheckResult]) -> Iterable[Key]:
    """All checks, each after what it rests on."""
    graph = {key: result.check.foundations & by_key.keys() for key, result in sorted(by_key.items())}
    return TopologicalSorter(graph).static_order()


def _below(by_key: Mapping[Key, CheckResult], below: Mapping[Key, Below], key: Key) -> Below:
    """Of a check that is broken."""
    failed: set[Key] = set()
    unknown: set[Key] = set()
    for lower in by_key[key].check.foundations & below.keys():
        found = below[lower]
        failed |= found.failed
        unknown |= found.unknown
        if by_key[lower].finding.status is Status.FAIL:
            failed |= set() if found.failed else {lower}
        else:
            unknown |= set() if found.failed or found.unknown else {lower}
    return Below(frozenset(failed), frozenset(unknown))


def _follows(result: CheckResult, below: Below) -> tuple[Key, ...]:
    explains = below.failed if result.finding.status is Status.FAIL else below.failed or below.unknown
    return tuple(sorted(explains))


def _resting(by_key: Mapping[Key, CheckResult]) -> dict[Key, frozenset[Key]]:
    """All that each check rests on, directly or not."""
    found: dict[Key, frozenset[Key]] = {}
    for key in _upwards(by_key):
        direct = by_key[key].check.foundations & by_key.keys()
        found[key] = direct.union(*(found[lower] for lower in direct))
    return found


def _cause(
    by_key: Mapping[Key, CheckResult],
    follows: Mapping[Key, tuple[Key, ...]],
    resting: Mapping[Key, frozenset[Key]],
    key: Key,
) -> Cause:
    result = by_key[key]
    finding = result.finding

    def rules(of: Iterable[Key]) -> tuple[str, ...]:
        return tuple(by_key[one].check.rule.id for one in sorted(of))

    return Cause(
        rule=result.check.rule.id,
        status=finding.status,
        message=finding.message,
        region=result.check.region,
        fix=finding.fix,
        runbook=finding.runbook,
        follows=rules(upper for upper, lower in follows.items() if key in lower),
        holds=rules(upper for upper in by_key if key in resting[upper] and not by_key[upper].broken),
        unknown=rules(
            lower
            for lower in resting[key]
            if by_key[lower].finding.status is Status.NOT_MEASURABLE and not follows[lower]
        ),
    )


def _order(cause: Cause) -> tuple[bool, int, str]:
    return cause.status is not Status.FAIL, -len(cause.follows), cause.rule
