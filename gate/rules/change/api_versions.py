"""No object is of an API version that its cluster does not serve, or will soon not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gate.rules.api_lifecycle import Lifecycle, lifecycle
from gate.rules.schema.objects import objects
from gate.rules.subject import Check, Subject, failed, not_measurable, part, undeclared
from releases import minor
from report.model import Finding, Resource, Rule, Severity

RULE = Rule(
    "change/api-versions",
    "Every object is of an API version that its cluster serves",
    "An API version that is gone is refused when the change is applied; one that is deprecated stops a later "
    "upgrade. An error in the first case, a warning in the second. Write the object for the version that is "
    "named. For Kubernetes' own kinds by its Deprecated API Migration Guide and the lifecycles in its API "
    "packages, for others by the definitions in the same change.",
)


def _find(subject: Subject) -> Iterator[Finding]:
    environment = subject.stack.environment
    versions = {region: environment.versions_of(region).kubernetes for region in environment.regions}
    unknown: set[str] = set()
    definitions = _definitions(subject)
    for entry in objects(subject.after):
        what, region = f"{entry.api_version} {entry.kind}", entry.resource.region
        if known := lifecycle(entry.api_version, entry.kind):
            if version := versions.get(region):
                yield from _of_kubernetes(entry.resource, what, known, minor(version))
            elif region in versions:
                unknown.add(region)
        elif declared := definitions.get((entry.cluster, entry.group, entry.kind), {}).get(entry.version):
            yield from _of_definition(entry.resource, what, declared)
    if unknown:
        yield not_measurable(RULE, undeclared(unknown))


def _of_kubernetes(resource: Resource, what: str, known: Lifecycle, version: str) -> Iterator[Finding]:
    instead = f"; {known.instead} takes its place" if known.instead else ""
    if known.removed is not None and _number(version) >= _number(known.removed):
        words = f"{what} is not served by Kubernetes {version}: it ended with {known.removed}{instead}"
        yield failed(RULE, words, resource.urn, fix=_fix(known.instead))
    elif _number(version) >= _number(known.deprecated):
        until = f", and goes with {known.removed}" if known.removed else ""
        words = f"{what} is deprecated since Kubernetes {known.deprecated}{until}{instead}"
        yield failed(RULE, words, resource.urn, severity=Severity.WARNING, fix=_fix(known.instead))


def _of_definition(resource: Resource, what: str, declared: Mapping[str, Any]) -> Iterator[Finding]:
    if declared.get("served") is False:
        yield failed(RULE, f"{what} is not served, its definition says", resource.urn, fix=_fix(""))
    elif declared.get("deprecated"):
        words = declared.get("deprecationWarning") or f"{what} is deprecated, its definition says"
        yield failed(RULE, str(words), resource.urn, severity=Severity.WARNING, fix=_fix(""))


def _fix(instead: str) -> str:
    return f"write it as {instead}" if instead else "write it for a version that is served and not deprecated"


def _definitions(subject: Subject) -> dict[tuple[str, str, str], dict[str, Mapping[str, Any]]]:
    """What definitions say of their versions, by cluster, group and kind."""
    found = {}
    for resource in subject.after:
        if resource.type.endswith(":CustomResourceDefinition"):
            spec = part(resource, "spec")
            key = (resource.provider, str(spec.get("group")), str((spec.get("names") or {}).get("kind")))
            found[key] = {str(version.get("name")): version for version in spec.get("versions") or ()}
    return found


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


CHECK = Check("clusters", RULE, _find)
