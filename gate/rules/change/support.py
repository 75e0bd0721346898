"""Releases are mended by their makers, and were seen to work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import releases
from gate.rules.subject import Check, Subject, failed, only_in
from releases import Release, Seen, State
from report.model import Finding, Rule, Severity
from stacks.model import Environment

RULE = Rule(
    "change/release-support",
    "Releases are mended by their makers, and were seen to work",
    "What is found in a release after its end, holes too, stays in it. It is a warning from 90 days before, "
    "and stays one: what ended is no worse than the day before, and an upgrade takes longer than a change "
    "that has to go out today. A waiver says who answers for it until when. A release that this project "
    "never brought up is a note. Of an adopted cluster's Kubernetes its owner decides.",
    Severity.WARNING,
)

_NOT_RUN = {
    Seen.RENDERED: "its objects were rendered and checked, and nothing of it was run",
    Seen.READ: "what is said of it was read in its source, and nothing of it was run",
}


def _find(subject: Subject) -> Iterator[Finding]:
    environment = subject.stack.environment
    used: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for region in sorted(environment.regions):
        for program, version in environment.kept_in(region).items():
            where = environment.version_path(region, program)
            used.setdefault((program, version, where), []).append(region)
    for (program, version, where), regions in used.items():
        found = releases.release(program, version)
        which = only_in(regions, environment)
        state = found.support.state(subject.today)
        if state in (State.ENDING, State.ENDED):
            ended = (
                "is past its end: its makers mended" if state is State.ENDED else "nears its end: they mend"
            )
            words = f"{which}{found.name} {ended} it until {found.support.until}"
            fix = _later(environment, regions[0], found, subject.today)
            yield failed(RULE, words, fix=fix, declared=where)
        if found.seen is not Seen.BROUGHT_UP:
            words = f"{which}{found.name} was not brought up by this project: {_NOT_RUN[found.seen]}"
            fix = f"try it first where nobody depends on it, or name {releases.default(found.program)}"
            yield failed(RULE, words, fix=fix, severity=Severity.NOTE, declared=where)


def _later(environment: Environment, region: str, found: Release, today: date) -> str:
    """Which later releases are mended longer, and go together with the others of a region."""
    fitting = [
        version
        for version in releases.suitable(found.program, environment.installed_in(region))
        if releases.numbers(version) > releases.numbers(found.version)
        and _mended_longer(releases.release(found.program, version), found, today)
    ]
    if fitting:
        return f"plan an upgrade to {' or '.join(fitting)}"
    return "no later release in docs/releases.md goes with the others; waive it until there is one"


def _mended_longer(later: Release, found: Release, today: date) -> bool:
    ends, before = later.support.until, found.support.until
    return ends is None or (ends >= today and (before is None or ends > before))


CHECK = Check("clusters", RULE, _find)
