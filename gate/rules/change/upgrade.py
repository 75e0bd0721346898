"""What comes with an upgrade of Kubernetes or of containerd on machines, said before it begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import releases
from gate.rules.change.versions import before, of_distributions, wrong_step
from gate.rules.subject import Check, Subject, failed, only_in
from releases import minor, numbers
from report.model import Finding, Rule, Severity
from stacks.model import BareMetalClusterSpec, Environment

RULE = Rule(
    "change/upgrade",
    "An upgrade of Kubernetes or containerd is known for one before it begins",
    "Names which clusters are upgraded in place, what goes along with their release, and nodes whose pods "
    "can go nowhere: these are not drained, as Kubernetes asks for when kubelet goes to another minor "
    "version, and kubelet is exchanged under them, or containerd, with which they end. A note, "
    "which stops nothing; docs/guides/upgrades.md has "
    "what happens in which order, and the ways back.",
    Severity.NOTE,
)
_NAMES = {"etcd": "etcd", "coredns": "CoreDNS", "pause": "pause"}


def _find(subject: Subject) -> Iterator[Finding]:
    environment, old = subject.stack.environment, before(subject)
    steps: dict[tuple[str, str], list[str]] = {}
    for region, spec in sorted(environment.regions.items()):
        had, new = old.get(region, {}).get("kubernetes"), environment.versions_of(region).kubernetes
        if isinstance(spec.cluster, BareMetalClusterSpec) and had and new and _is_upgrade(had, new):
            steps.setdefault((had, new), []).append(region)
    for (had, new), regions in steps.items():
        where = environment.version_path(regions[0], "kubernetes")
        along = "".join(f", {words}" for words in _along(had, new))
        which = only_in(regions, environment)
        step = f"{which}Kubernetes goes from {had} to {new} on the machines that there are"
        words = f"{step}{along}: region after region, each control plane before its workers"
        fix = (
            "have a backup of each etcd elsewhere than on its host (`crossmesh runbook run backup-etcd`); a "
            "snapshot is kept on the host itself"
        )
        yield failed(RULE, words, fix=fix, declared=where)
        if minor(had) != minor(new):
            yield from _not_drained(environment, regions, where)
    yield from _of_containerd(environment, old)


def _of_containerd(environment: Environment, old: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """Regions whose nodes get another containerd under their pods."""
    steps: dict[tuple[str, str], list[str]] = {}
    for region, spec in sorted(environment.regions.items()):
        had, new = old.get(region, {}).get("containerd", ""), environment.versions_of(region).containerd
        if isinstance(spec.cluster, BareMetalClusterSpec) and region in old and new and had != new:
            steps.setdefault((had, new), []).append(region)
    for (had, new), regions in steps.items():
        where = environment.version_path(regions[0], "containerd")
        which = " or ".join(of_distributions(environment))
        there = had or f"the distribution's{f' ({which})' if which else ''}"
        words = (
            f"{only_in(regions, environment)}containerd goes from {there} to {new} under pods: node after "
            "node, each drained where its pods can go elsewhere; those of a control plane, and what stays, "
            "end and start again"
        )
        yield failed(RULE, words, declared=where)
        yield from _not_drained(environment, regions, where)


def _is_upgrade(had: str, new: str) -> bool:
    return numbers(had) < numbers(new) and not wrong_step("Kubernetes", had, new)


def _along(had: str, new: str) -> Iterator[str]:
    """What goes to another version with it, in words."""
    known = releases.versions("kubernetes")
    if had not in known or new not in known:
        return
    old, now = (releases.release("kubernetes", version) for version in (had, new))
    for name, shown in _NAMES.items():
        first, then = (each.brings.get(name) or each.tag(name).removeprefix("v") for each in (old, now))
        if first != then:
            yield f"{shown} from {first} to {then}"


def _not_drained(environment: Environment, regions: list[str], where: tuple[str, ...]) -> Iterator[Finding]:
    """Nodes from which pods can go nowhere else, as far as the declaration tells."""
    for region in regions:
        cluster = environment.regions[region].cluster
        assert isinstance(cluster, BareMetalClusterSpec)
        taking = sorted(name for name, node in cluster.nodes.items() if node.takes_workload)
        if len(taking) == 1:
            words = f"{taking[0]} of {region} is the only node that takes pods: it is not drained before"
            fix = "declare another worker before, in a change of its own; or accept that pods are not moved"
            yield failed(RULE, words, fix=fix, declared=where)


CHECK = Check("clusters", RULE, _find)
