"""Versions move the way that Kubernetes and Istio support."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import releases
from components.manifests.mesh import ISTIOD
from gate.effects.scene import below, metadata, phase_of
from gate.rules.schema.objects import objects
from gate.rules.subject import Check, Subject, failed, not_measurable, only_in, part, undeclared
from playbooks.phase import Phase
from playbooks.work.clusters import CONTAINERD, CONTROL_PLANE
from playbooks.work.machines import PREPARE
from releases.order import order
from report.model import UNKNOWN, Finding, Resource, Rule, Severity
from report.urns import kind
from stacks.errors import value_at
from stacks.model import AdoptedClusterSpec, Environment
from stacks.pairs import unlisted
from stacks.system_namespaces import ISTIO_SYSTEM, METALLB_SYSTEM

RULE = Rule(
    "change/version-skew",
    "Versions move one minor at a time, never back, and fit each other",
    "Kubernetes and Istio support an upgrade by one minor version and none back; kubelets may not be newer "
    "than their API server; and each Istio runs on certain versions of Kubernetes "
    "(kubernetes.io, Version Skew Policy; istio.io, Supported Releases). Definitions of the Gateway API that "
    "it was not made with are a warning: what it makes of their objects depends on what it is told to serve. "
    "So are a distribution whose containerd comes before what Kubernetes asks for, and a pair of releases "
    "that `unlistedPairs` takes though their makers do not list it.",
)

_BUNDLE = "gateway.networking.k8s.io/bundle-version"
"""The annotation by which definitions of the Gateway API say of which release they are."""
_RELEASE = re.compile(r"v?(\d+\.\d+\.\d+)(-.*)?")
_DEPLOYMENTS = {
    "istio": {"namespace": ISTIO_SYSTEM, "app": ISTIOD},
    "metallb": {"namespace": METALLB_SYSTEM, "app": "metallb", "component": "controller"},
}
"""Namespace and labels of the Deployment whose image tells a version. A revision is in istiod's name."""


def _find(subject: Subject) -> Iterator[Finding]:
    environment, old = subject.stack.environment, before(subject)
    said: dict[_Problem, list[str]] = {}
    for region in sorted(environment.regions):
        for problem in _of_region(environment, region, old.get(region, {})):
            said.setdefault(problem, []).append(region)
    for problem, regions in said.items():
        words = f"{only_in(regions, environment)}{problem.words}"
        yield failed(RULE, words, fix=problem.fix, severity=problem.severity, declared=problem.declared)
    yield from _kubelets(subject)
    yield from _runtimes(environment, old)
    yield from _definitions(subject)
    if unknown := [name for name in environment.regions if environment.versions_of(name).kubernetes is None]:
        needs = {
            f"{releases.release(program, version).name} needs {needs}"
            for name in unknown
            for program, version in environment.installed_in(name).items()
            if version in releases.versions(program)
            and (needs := releases.release(program, version).runs_on.get("kubernetes"))
        }
        yield not_measurable(RULE, f"{undeclared(unknown)}; {', '.join(sorted(needs))}")


class _Problem(NamedTuple):
    """What is wrong, how to mend it, and the key that it is about."""

    words: str
    fix: str
    declared: tuple[str, ...]
    severity: Severity = Severity.ERROR


def _of_region(environment: Environment, region: str, old: Mapping[str, str]) -> Iterator[_Problem]:
    """What is wrong with the versions of a region."""
    versions = environment.versions_of(region)
    adopted = isinstance(environment.regions[region].cluster, AdoptedClusterSpec)
    # An adopted cluster is upgraded by its owner.
    steps = [("istio", "Istio", versions.istio)]
    steps += [] if adopted else [("kubernetes", "Kubernetes", str(versions.kubernetes))]
    for key, name, new in steps:
        if (had := old.get(key)) and (words := wrong_step(name, had, new)):
            yield _Problem(words, _instead(key, had, new), environment.version_path(region, key))
    if old and not adopted:
        yield from _runtime(environment, region, old)
    for clash, taken in unlisted(environment, region):
        both = f"{clash.release.name} with {releases.NAMES[clash.other]} {clash.version}"
        if taken:
            yield _taken(both, clash, taken)
            continue
        where = environment.version_path(region, clash.other)
        yield _Problem(f"{both}: {clash.rule}", "change one of the two in `versions`", where)


def _taken(both: str, clash: releases.Clash, entry: tuple[str, ...]) -> _Problem:
    """That an operator has taken a pair upon himself, what nobody promises, and what he looks at."""
    program, other = clash.release.program, clash.other
    listing = [
        version
        for version in releases.versions(program)
        if releases.release(program, version).supports(other, clash.version)
    ]
    go = f", or go on to {releases.NAMES[program]} {' or '.join(listing)}, which lists it" if listing else ""
    source = clash.release.runs_on[other].source
    words = f"{both} is taken upon yourself: {clash.rule} ({source}). Of later ones: {clash.beyond}"
    fix = (
        "rehearse it (`crossmesh rehearse up`), let one region go first, and look there at "
        f"`crossmesh doctor` and the logs of {releases.NAMES[program]}{go}"
    )
    return _Problem(words, fix, entry, Severity.WARNING)


def _runtime(environment: Environment, region: str, old: Mapping[str, str]) -> Iterator[_Problem]:
    """What is wrong with a containerd that takes another one's place under pods."""
    versions, where = environment.versions_of(region), environment.version_path(region, "containerd")
    had, new = old.get("containerd"), versions.containerd
    if had == new:
        return
    if had and not new:
        words = f"containerd goes back from {had} to the distribution's, which may not read what it leaves"
        yield _Problem(words, f"keep `containerd: {had}`, or go on to a later one", where)
    elif had and new and (words := wrong_step("containerd", had, new)):
        yield _Problem(words, _instead("containerd", had, new), where)
    if old.get("kubernetes", versions.kubernetes) != versions.kubernetes:
        words = "containerd and Kubernetes both change: an upgrade waits for pods that the exchange has ended"
        yield _Problem(
            words, "change containerd first, and Kubernetes in a change of its own after it", where
        )


def _runtimes(environment: Environment, old: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """Distributions whose containerd comes before what a Kubernetes asks for, which does not come there now:
    of that the order between releases speaks.

    A source may have a later one under the same name, which the preflight sees.
    """
    said: dict[str, list[str]] = {}
    for region in sorted(environment.regions):
        versions = environment.kept_in(region)
        if "containerd" in versions or "kubernetes" not in versions:
            continue
        for fact in order().first:
            version = versions.get(fact.program)
            if fact.other != "containerd" or version is None or not fact.crossed("0", version):
                continue
            late = [found for found in of_distributions(environment) if not fact.met(found)]
            if late and not fact.crossed(old.get(region, {}).get(fact.program, version), version):
                words = f"containerd is the distribution's, {' or '.join(late)} by its sources: {fact.why}"
                said.setdefault(words, []).append(region)
    for words, regions in said.items():
        fix = "name a release by `containerd` in `versions`, or have a source with a later one"
        where = environment.version_path(regions[0], "containerd")
        yield failed(
            RULE,
            f"{only_in(regions, environment)}{words}",
            fix=fix,
            severity=Severity.WARNING,
            declared=where,
        )


def of_distributions(environment: Environment) -> tuple[str, ...]:
    """The versions of containerd that hosts may have from their distribution, by the suites of the declared
    sources; none where these do not tell.
    """
    suites = {source.suite for source in environment.sources.apt}
    found = {known.containerd for known in releases.distributions().values() if known.suite in suites}
    return tuple(sorted(found - {""}, key=releases.numbers))


def before(subject: Subject) -> dict[str, dict[str, str]]:
    """By region and program, the versions that there are: as resources say, or else as it was declared."""
    found: dict[str, dict[str, str]] = {}
    if subject.before is not None:
        declared = subject.before.environment
        for region in declared.regions:
            installed = declared.installed_in(region).items()
            found[region] = {program: version for program, version in installed if version is not None}
    runtimes: dict[str, set[str]] = {}
    for resource in subject.changes.before:
        if _pinned(resource, "kubelet"):
            runtimes.setdefault(resource.region, set()).add(_pinned(resource, CONTAINERD))
        if version := _api_server(resource):
            found.setdefault(resource.region, {})["kubernetes"] = version
        for program, what in _DEPLOYMENTS.items():
            if version := _tag(resource, what):
                found.setdefault(resource.region, {})[program] = version
    for region, versions in runtimes.items():
        # Of the distribution's nobody says the version. Where nodes differ, the one furthest behind counts.
        found.setdefault(region, {}).pop("containerd", None)
        if "" not in versions:
            found[region]["containerd"] = min(versions, key=releases.numbers)
    return found


def _instead(program: str, had: str, new: str) -> str:
    """What to do where a step is wrong."""
    if _parsed(new) < _parsed(had):
        return f"keep {had}, or go on to a later one"
    first, second, _ = _parsed(had)
    following = f"{first}.{second + 1}"
    there = [version for version in releases.versions(program) if releases.minor(version) == following]
    which = f", which is {' or '.join(there)}" if there else ""
    return f"go to the next minor version of {had} first{which}, in a change of its own"


def wrong_step(name: str, old: str, new: str) -> str:
    """What is wrong with going from one version to another; empty if nothing is."""
    before, after = _parsed(old), _parsed(new)
    if after < before:
        return f"{name} goes back from {old} to {new}, which is not supported"
    if after[0] != before[0] or after[1] - before[1] > 1:
        return f"{name} goes from {old} to {new}: minor versions may not be left out"
    return ""


def _kubelets(subject: Subject) -> Iterator[Finding]:
    """Kubelets newer than their API server. Where that is not told, the declaration stands in for it."""
    environment = subject.stack.environment
    servers = {found.region: version for found in subject.after if (version := _api_server(found))}
    for resource in subject.after:
        version, region = _pinned(resource, "kubelet"), resource.region
        declared = environment.versions_of(region).kubernetes if region in environment.regions else None
        server = servers.get(region) or declared
        if version and server and _parsed(version)[:2] > _parsed(server)[:2]:
            words = f"{resource.name} installs kubelet {version}, its API server is {server}"
            yield failed(RULE, words, resource.urn, fix="upgrade the control plane first")


def _definitions(subject: Subject) -> Iterator[Finding]:
    """Definitions of the Gateway API, of whomever, that the region's Istio is not made with."""
    environment, said = subject.stack.environment, set()
    for entry in objects(subject.after):
        bundle = str(below(metadata(entry.resource), "annotations").get(_BUNDLE) or "")
        version = _RELEASE.fullmatch(bundle)
        if (
            version is None
            or entry.kind != "CustomResourceDefinition"
            or entry.region not in environment.regions
        ):
            continue
        declared = {"istio": environment.versions_of(entry.region).istio, "gateway-api": version[1]}
        for clash in releases.clashes(declared):
            if (entry.region, bundle) not in said:
                said.add((entry.region, bundle))
                words = f"{entry.region}: {clash}: {clash.rule}"
                fix = f"bring definitions of {clash.release.runs_on[clash.other]}"
                where = environment.version_path(entry.region, "istio")
                yield failed(
                    RULE, words, entry.resource.urn, fix=fix, severity=Severity.WARNING, declared=where
                )


def _variables(resource: Resource, phase: Phase) -> Mapping[str, Any]:
    return part(resource, "variables") if phase_of(resource) == phase.name else {}


def _api_server(resource: Resource) -> str:
    version = str(_variables(resource, CONTROL_PLANE).get("control_plane_kubernetes_version") or "")
    return "" if version == UNKNOWN else version


def _pinned(resource: Resource, package: str) -> str:
    """The version of a package that a host is kept at; empty for other resources."""
    pins = _variables(resource, PREPARE).get("base_pins")
    return str(pins.get(package) or "").partition("-")[0] if isinstance(pins, Mapping) else ""


def _tag(resource: Resource, what: Mapping[str, str]) -> str:
    """The version in the tag of such a Deployment's image; empty for other resources."""
    metadata = part(resource, "metadata")
    said = {**(metadata.get("labels") or {}), "namespace": metadata.get("namespace")}
    if kind(resource) != "Deployment" or any(said.get(key) != value for key, value in what.items()):
        return ""
    containers = value_at(resource.inputs, ("spec", "template", "spec", "containers"))
    tags = [str(value_at(container, ("image",))).rpartition(":")[2] for container in containers or ()]
    return next((tag.removeprefix("v") for tag in tags if tag.removeprefix("v")[:1].isdigit()), "")


def _parsed(version: str) -> tuple[int, ...]:
    numbers = version.partition("-")[0].split(".")
    return tuple(int(number) if number.isdigit() else 0 for number in (*numbers, "0")[:3])


CHECK = Check("clusters", RULE, _find)
