"""One region at a time: what goes wrong in one is carried by the others."""

from __future__ import annotations

from collections.abc import Iterator

from components.tokens import ADOPTED_CLUSTER, BARE_METAL_CLUSTER, REGION
from gate.effects.scene import Belonging, host_of, phase_of
from gate.rules.subject import Check, Subject, failed, part
from playbooks.tokens import CLUSTER_IDENTITY
from playbooks.work import PHASES
from report.model import Change, Finding, Op, Resource, Rule
from report.urns import kind
from stacks.system_namespaces import ISTIO_INGRESS

RULE = Rule(
    "change/one-region-at-a-time",
    "At most one region loses capacity",
    "A region that loses nodes, its cluster or its gateway leans on the others. Where several lose some in "
    "one change there may be nothing to lean on. Make a change of its own for each region, and look at the "
    "others before the next.",
)

_CLUSTER = frozenset({ADOPTED_CLUSTER, BARE_METAL_CLUSTER, CLUSTER_IDENTITY, "pulumi:providers:kubernetes"})
_GATEWAY = frozenset({"DaemonSet", "Deployment", "Service"})
_MEMBERSHIP = frozenset(phase.name for phase in PHASES.values() if phase.membership)


def _find(subject: Subject) -> Iterator[Finding]:
    there = Belonging(subject.changes.before)
    losses: dict[str, list[tuple[Change, str]]] = {}
    for change in subject.changes.changes:
        region = change.old.region if change.old is not None else ""
        if region in there.regions and (what := _loss(change, there, region)):
            losses.setdefault(region, []).append((change, what))
    if len(losses) > 1:
        regions = sorted(losses)
        words = "; ".join(
            f"{region}: {', '.join(sorted({what for _, what in losses[region]}))}" for region in regions
        )
        words = f"{len(regions)} regions lose capacity in one change: {words}"
        urn = min(change.urn for change, _ in losses[regions[0]])
        yield failed(RULE, words, urn, fix=f"change {regions[0]} alone first")


def _loss(change: Change, there: Belonging, region: str) -> str:
    """What a region loses by a change, in words; empty for nothing."""
    old = change.old
    assert old is not None
    goes = change.op in (Op.DELETE, Op.REPLACE)
    if goes and old.type == REGION:
        return "the region itself"
    if goes and old.type in _CLUSTER:
        return "its cluster"
    if phase_of(old):
        host = host_of(old)
        member = host in there.nodes.get(region, ()) and phase_of(old) in _MEMBERSHIP
        return f"node {host}" if goes and member else ""
    if kind(old) in _GATEWAY and part(old, "metadata").get("namespace") == ISTIO_INGRESS:
        if goes:
            return "its gateway"
        return "replicas of its gateway" if _fewer(old, change.new) else ""
    return ""


def _fewer(old: Resource, new: Resource | None) -> bool:
    before, after = (part(side, "spec").get("replicas") if side else None for side in (old, new))
    before, after = (1 if replicas is None else replicas for replicas in (before, after))
    return isinstance(before, int) and isinstance(after, int) and after < before


CHECK = Check("clusters", RULE, _find)
