"""Changes to the reference environment, made by hand: the smallest that a rule has to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from components.component import named
from components.kubernetes_object import type_token
from components.manifests import Manifest
from components.tokens import BARE_METAL_CLUSTER, PLATFORM, REGION
from gate.rules.subject import Check, Subject
from playbooks.tokens import HOST_PHASE
from report.model import Against, Change, ChangeSet, Finding, Op, Resource, Status
from stacks.load import Stack, load_stack, stack_path
from stacks.model import Environment, RegionSpec

TODAY = date(2026, 11, 24)
MENDED = date(2026, 3, 1)
"""A day on which the makers of all default releases mend them for long."""
_ROOT = "urn:pulumi:lab::crossmesh::"


def stack(name: str = "lab") -> Stack:
    """A stack that ships with the project."""
    return load_stack(stack_path(name))


def with_environment(found: Stack, change: Callable[[Environment], Mapping[str, Any]]) -> Stack:
    """The stack with other values in its environment."""
    return replace(found, environment=found.environment.model_copy(update=dict(change(found.environment))))


def at(**found: str) -> Stack:
    """The stack with these versions declared for all regions, by program."""
    return with_environment(stack(), lambda old: {"versions": old.versions.model_copy(update=found)})


def with_region(found: Stack, name: str, change: Callable[[RegionSpec], Mapping[str, Any]]) -> Stack:
    """The stack with other values in one of its regions."""
    regions = found.environment.regions
    changed = regions[name].model_copy(update=dict(change(regions[name])))
    return with_environment(found, lambda _: {"regions": {**regions, name: changed}})


def component(type_: str, name: str, inputs: Mapping[str, Any] | None = None, **more: Any) -> Resource:
    """A component of the platform."""
    urn = f"{_ROOT}{PLATFORM}${type_}::{name}"
    return Resource(urn, type_, name, inputs or {}, parent=f"{_ROOT}{PLATFORM}::lab", custom=False, **more)


def region(name: str) -> Resource:
    """The component of a region."""
    return component(REGION, name, region=name, declared=("regions", name))


def below(parent: Resource, type_: str, name: str, inputs: Mapping[str, Any], **more: Any) -> Resource:
    """A resource of a component."""
    chain = parent.urn.split("::")[2]
    return Resource(f"{_ROOT}{chain}${type_}::{name}", type_, name, inputs, parent=parent.urn, **more)


def host_phase(holder: Resource, host: str, phase: str, **variables: Any) -> Resource:
    """One phase of a host, held by a region's cluster or by a region."""
    inputs = {"host": host, "phase": phase, "variables": variables, "reset_on_delete": True}
    kind = ("cluster", "nodes") if holder.type == BARE_METAL_CLUSTER else ("edges",)
    declared = ("regions", holder.region, *kind, host)
    return below(holder, HOST_PHASE, named(host, phase), inputs, region=holder.region, declared=declared)


def provider_of(name: str) -> str:
    """URN of the provider of a region's cluster."""
    chain = f"{PLATFORM}${REGION}${BARE_METAL_CLUSTER}"
    return f"{_ROOT}{chain}$pulumi:providers:kubernetes::{name}.kubernetes"


def kubernetes(manifest: Manifest, region: str = "eu") -> Resource:
    """A Kubernetes object in a region's cluster."""
    metadata = manifest["metadata"]
    name = named(region, metadata.get("namespace", ""), metadata["name"])
    type_ = type_token(manifest)
    return Resource(
        f"{_ROOT}{PLATFORM}${type_}::{name}",
        type_,
        name,
        manifest,
        parent=f"{_ROOT}{PLATFORM}::lab",
        provider=provider_of(region),
        region=region,
    )


def creation(resource: Resource) -> Change:
    """A resource that is new."""
    return Change(Op.CREATE, resource.urn, None, resource)


def deletion(resource: Resource, **more: Any) -> Change:
    """A resource that goes."""
    return Change(Op.DELETE, resource.urn, resource, None, **more)


def update(old: Resource, new: Resource, **more: Any) -> Change:
    """A resource that is changed in place."""
    return Change(Op.UPDATE, new.urn, old, new, **more)


def replacement(old: Resource, new: Resource | None = None, **more: Any) -> Change:
    """A resource that is made anew."""
    return Change(Op.REPLACE, old.urn, old, new or old, **more)


def changes(*found: Change, same: Iterable[Resource] = ()) -> ChangeSet:
    """A change set of these changes, and of resources that stay."""
    return ChangeSet(Against.STATE, tuple(found), tuple(same))


def subject(
    found: ChangeSet,
    *,
    of: Stack | None = None,
    before: Stack | None = None,
    today: date = TODAY,
) -> Subject:
    """What rules get for a change; of the lab unless another stack is given."""
    return Subject(found, of or stack(), before, today)


def against(check: Check, found: ChangeSet, **more: Any) -> list[Finding]:
    """What a rule has against a change; nothing where it passed."""
    findings = check.findings(subject(found, **more))
    assert findings
    assert all(finding.rule == check.rule.id for finding in findings)
    return [finding for finding in findings if finding.status is not Status.PASS]
