"""Releases are mended by their makers, and were seen to work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import releases
from gate.rules.subject import Check, Subject, failed, only_in
from releases import Release, Seen, State, Support
from report.model import Finding, Rule, Severity
from stacks.model import AdoptedClusterSpec, Environment

RULE = Rule(
    "change/release-support",
    "Releases are mended by their makers, and were seen to work",
    "What is found in a release after its end, holes too, stays in it. It is a warning from 90 days before, "
    "and stays one: what ended is no worse than the day before, and an upgrade takes longer than a change "
    "that has to go out today. A waiver says who answers for it until when. A release that this project "
    "never brought up is a note. An adopted cluster's Kubernetes is its owner's to upgrade, who may have a "
    "longer promise from a cloud.",
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
    yield from _adopted(environment, subject.today)
    for (program, version, where), regions in used.items():
        found = releases.release(program, version)
        which = only_in(regions, environment)
        if ended := _ended(found.support, subject.today):
            fix = _later(environment, regions[0], found, subject.today)
            yield failed(RULE, f"{which}{found.name} {ended}", fix=fix, declared=where)
        if found.seen is not Seen.BROUGHT_UP:
            words = f"{which}{found.name} was not brought up by this project: {_NOT_RUN[found.seen]}"
            fix = f"try it first where nobody depends on it, or name {releases.default(found.program)}"
            yield failed(RULE, words, fix=fix, severity=Severity.NOTE, declared=where)


def _adopted(environment: Environment, today: date) -> Iterator[Finding]:
    """What is to be said of the Kubernetes of adopted clusters, as far as it is declared."""
    for region, spec in sorted(environment.regions.items()):
        version = environment.versions_of(region).kubernetes
        if not isinstance(spec.cluster, AdoptedClusterSpec) or version is None:
            continue
        known = releases.support("kubernetes", version)
        if known and (ended := _ended(known, today)):
            fix = "have its owner upgrade it; or waive it until then, or for as long as its cloud mends it"
            where = environment.version_path(region, "kubernetes")
            yield failed(
                RULE, f"{region}: the adopted cluster's Kubernetes {version} {ended}", fix=fix, declared=where
            )


def _ended(known: Support, today: date) -> str:
    """That a release is past its end, or near it, in words; empty where it is neither."""
    said = {
        State.ENDED: f"is past its end: its makers mended it until {known.until}",
        State.ENDING: f"nears its end: they mend it until {known.until}",
    }
    return said.get(known.state(today), "")


def _later(environment: Environment, region: str, found: Release, today: date) -> str:
    """Which later releases are mended longer, and go together with the others of a region.

    Those that this project brought up, where there are any.
    """
    fitting = [
        version
        for version in releases.suitable(found.program, environment.installed_in(region))
        if releases.numbers(version) > releases.numbers(found.version)
        and _mended_longer(releases.release(found.program, version), found, today)
    ]
    run = [one for one in fitting if releases.release(found.program, one).seen is Seen.BROUGHT_UP]
    if run:
        return f"plan an upgrade to {' or '.join(run)}"
    if fitting:
        return f"plan an upgrade to {' or '.join(fitting)}, which this project did not bring up"
    return "no later release in docs/releases.md goes with the others; waive it until there is one"


def _mended_longer(later: Release, found: Release, today: date) -> bool:
    ends, before = later.support.until, found.support.until
    return ends is None or (ends >= today and (before is None or ends > before))


CHECK = Check("clusters", RULE, _find)
