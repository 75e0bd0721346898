"""No object is of an API version that its cluster does not serve, or will soon not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import releases
from gate.rules.change.versions import before
from gate.rules.schema.objects import Object, objects
from gate.rules.subject import Check, Subject, failed, not_measurable, part, undeclared
from releases import minor, numbers, served
from releases.served import Served, Standing
from report.model import Finding, Rule, Severity
from stacks.model import AdoptedClusterSpec, Environment

RULE = Rule(
    "change/api-versions",
    "Every object is of an API version that its cluster serves",
    "An API version that is gone, that comes with a later version, or that API servers have on request only, "
    "is refused when the change is applied; one that is deprecated stops a later upgrade. An error in the "
    "first case, a warning in the second, and where an adopted cluster's owner may have asked for it. Write "
    "the object for the version that is named; before an upgrade that takes it away, in a change of its own. "
    "For Kubernetes' own kinds by the source of its releases (`releases/kubernetes`), for others by the "
    "definitions in the same change.",
)


@dataclass(frozen=True)
class _Cluster:
    """What is known of a region's cluster. Versions are minor ones."""

    version: str
    adopted: bool
    declared: tuple[str, ...]
    """Where its version is declared."""
    had: str
    """The version that it had; empty where nobody knows it, and where it stays."""


def _find(subject: Subject) -> Iterator[Finding]:
    clusters, unsaid = _clusters(subject)
    there = {resource.urn for resource in subject.changes.before}
    doubtful: set[str] = set()
    definitions = _definitions(subject)
    for entry in objects(subject.after):
        versions = definitions.get((entry.cluster, entry.group, entry.kind))
        if versions:
            yield from _of_definition(entry, versions)
        elif cluster := clusters.get(entry.region):
            if known := served.standing(cluster.version, entry.api_version, entry.kind):
                yield from _of_kubernetes(entry, known, cluster, entry.resource.urn in there)
        elif any(_is_wrong(served.standing(version, entry.api_version, entry.kind)) for version in unsaid):
            doubtful.add(entry.region)
    if doubtful := doubtful & {*subject.stack.environment.regions}:
        yield not_measurable(RULE, undeclared(doubtful))


def _clusters(subject: Subject) -> tuple[dict[str, _Cluster], set[str]]:
    """The clusters by region, and the minor versions that one may have of which nobody says it."""
    environment, old = subject.stack.environment, before(subject)
    found, unsaid = {}, set()
    for region, spec in environment.regions.items():
        version = environment.versions_of(region).kubernetes
        if version is None:
            unsaid |= _possible(environment, region)
            continue
        had = minor(old.get(region, {}).get("kubernetes", ""))
        found[region] = _Cluster(
            minor(version),
            isinstance(spec.cluster, AdoptedClusterSpec),
            environment.version_path(region, "kubernetes"),
            "" if had == minor(version) else had,
        )
    return found, unsaid


def _possible(environment: Environment, region: str) -> set[str]:
    """The minor versions on which a region's Istio runs."""
    istio = environment.versions_of(region).istio
    known = releases.release("istio", istio) if istio in releases.versions("istio") else None
    needs = known.runs_on.get("kubernetes") if known else None
    if needs is None:
        return set(served.described())
    first, last = numbers(needs.oldest)[1], numbers(served.described()[-1])[1]
    return {version for number in range(first, last + 1) if needs.hold(version := f"1.{number}")}


def _is_wrong(known: Standing | None) -> bool:
    return known is not None and (known.served is not Served.BY_DEFAULT or bool(known.deprecated))


def _of_kubernetes(entry: Object, known: Standing, cluster: _Cluster, is_there: bool) -> Iterator[Finding]:
    if not _is_wrong(known):
        return
    words, severity = _words(f"{entry.api_version} {entry.kind}", known, cluster)
    fix = _fix(known)
    declared = () if entry.resource.declared else cluster.declared
    if is_there and cluster.had and severity is Severity.ERROR:
        served_before = served.standing(cluster.had, entry.api_version, entry.kind)
        if served_before and served_before.served in (Served.BY_DEFAULT, Served.ON_REQUEST):
            words = f"{words}; it is there, and Kubernetes {cluster.had} serves it"
            fix, declared = _before(known, cluster), cluster.declared
    yield failed(RULE, words, entry.resource.urn, severity=severity, fix=fix, declared=declared)


def _words(what: str, known: Standing, cluster: _Cluster) -> tuple[str, Severity]:
    """What is wrong with an object, and how much."""
    instead = f"; {known.instead} takes its place" if known.instead else ""
    refused = f"{what} is not served by Kubernetes {cluster.version}"
    if known.served is Served.BY_DEFAULT:
        until = f", and goes with {known.until}" if known.until else ""
        words = f"{what} is deprecated since Kubernetes {known.deprecated}{until}{instead}"
        return words, Severity.WARNING
    if known.served is Served.ON_REQUEST:
        words = f"{refused}, unless its API server is told to (--runtime-config){instead}"
        return words, Severity.WARNING if cluster.adopted else Severity.ERROR
    why = {
        Served.ENDED: f"it ended with {known.until}" if known.until else "it ended before",
        Served.NOT_YET: f"it comes with {known.since}" if known.since else "it comes later",
    }.get(known.served, "it has no such kind in such a version")
    return f"{refused}: {why}{instead}", Severity.ERROR


def _fix(known: Standing) -> str:
    if known.instead:
        return f"write it as {known.instead}"
    if known.served is Served.NOT_YET:
        release = f"Kubernetes {known.since}" if known.since else "a later Kubernetes"
        return f"leave it out until the cluster has {release}"
    if known.served is Served.ON_REQUEST:
        return "leave it out, or write it for a version that is served by default"
    return "write it for a version that is served and not deprecated"


def _before(known: Standing, cluster: _Cluster) -> str:
    """What to do before an upgrade: after it nothing reads the object any more, the engine neither."""
    found = served.standing(cluster.had, *known.instead.split(" ")) if known.instead else None
    if found and found.served is Served.BY_DEFAULT:
        return f"{_fix(known)}, in a change before this one"
    anew = f", and write it as {known.instead} after it" if known.instead else ""
    return f"take it out in a change before this one{anew}"


def _of_definition(entry: Object, versions: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    what, declared = f"{entry.api_version} {entry.kind}", versions.get(entry.version)
    others = [name for name, each in versions.items() if each.get("served") and not each.get("deprecated")]
    fix = "write it for a version that is served and not deprecated"
    if others:
        fix = f"write it as {' or '.join(f'{entry.group}/{name}' for name in others)} {entry.kind}"
    if declared is None or declared.get("served") is False:
        why = (
            "its definition says" if declared else f"its definition has {', '.join(versions) or 'no version'}"
        )
        yield failed(RULE, f"{what} is not served, {why}", entry.resource.urn, fix=fix)
    elif declared.get("deprecated"):
        words = declared.get("deprecationWarning") or f"{what} is deprecated, its definition says"
        yield failed(RULE, str(words), entry.resource.urn, severity=Severity.WARNING, fix=fix)


def _definitions(subject: Subject) -> dict[tuple[str, str, str], dict[str, Mapping[str, Any]]]:
    """What definitions say of their versions, by cluster, group and kind."""
    found = {}
    for resource in subject.after:
        if resource.type.endswith(":CustomResourceDefinition"):
            spec = part(resource, "spec")
            key = (resource.provider, str(spec.get("group")), str((spec.get("names") or {}).get("kind")))
            found[key] = {str(version.get("name")): version for version in spec.get("versions") or ()}
    return found


CHECK = Check("clusters", RULE, _find)
