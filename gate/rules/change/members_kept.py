"""What cannot change on a member of a cluster does not, and no machine becomes another within one change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gate.effects.machines import address_of
from gate.effects.scene import host_of, phase_of
from gate.rules.subject import Check, Subject, failed, part
from playbooks.phase import Fixed
from playbooks.tokens import HOST_PHASE
from playbooks.work import PHASES
from report.model import UNKNOWN, Change, Finding, Op, Resource, Rule

RULE = Rule(
    "change/members-kept",
    "What cannot change on a member stays, and no machine becomes another in one change",
    "kubeadm makes a member once. Where its cluster, name or endpoint change, roles refuse to go "
    "on, with hosts before them changed already; with another cgroup driver, pods that run are lost. An "
    "endpoint alone can change where the one before goes on to be served: a cluster that is reached at its "
    "only control plane's own address is led to an `apiServerAddress`. And "
    "what is new is made before what goes is undone: a machine that "
    "gets another name, role or place in one change is refused by kubeadm, or reset after it was set up. "
    "Which way there is: docs/guides/moves.md.",
)


def _find(subject: Subject) -> Iterator[Finding]:
    told: dict[tuple[str, str, str, str], list[Change]] = {}
    fixes: dict[tuple[str, str, str, str], str] = {}
    moved: set[tuple[str, str, str, str]] = set()
    for change in subject.changes.changes:
        for fixed, old, new in _changed(change):
            key = (change.resource.region, fixed.name, old, new)
            told.setdefault(key, []).append(change)
            fixes.setdefault(key, fixed.instead)
            if fixed.moves(*_variables(change)):
                moved.add(key)
    for key in moved:
        del told[key]
    for (region, name, old, new), changes in sorted(told.items()):
        hosts = ", ".join(sorted({host_of(change.resource) for change in changes}))
        words = (
            f"region '{region}': {name} of {hosts} is {old} and would be {new}, which no member can change"
        )
        yield failed(RULE, words, min(change.urn for change in changes), fix=fixes[region, name, old, new])
    yield from _other_hands(subject)


def _changed(change: Change) -> Iterator[tuple[Fixed, str, str]]:
    """What a change of a phase would have another value of, and must not."""
    phase = PHASES.get(phase_of(change.resource))
    if change.op is not Op.UPDATE or change.old is None or phase is None:
        return
    before, after = _variables(change)
    for fixed in phase.fixed:
        old, new = before.get(fixed.variable), after.get(fixed.variable)
        if old != new and not {old, new} & {None, UNKNOWN}:
            yield fixed, str(old), str(new)


def _variables(change: Change) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """A phase's role variables before and after."""
    return part(change.old or change.resource, "variables"), part(change.resource, "variables")


def _other_hands(subject: Subject) -> Iterator[Finding]:
    """Machines that are undone as one thing and made another: deletions come last in a run."""
    before, after = _by_address(subject.changes.before), _by_address(subject.after)
    for address in sorted(before.keys() & after.keys()):
        goes = [before[address][urn] for urn in sorted(before[address].keys() - after[address].keys())]
        comes = [after[address][urn] for urn in sorted(after[address].keys() - before[address].keys())]
        if goes and comes:
            was, will = (", ".join(sorted(map(_said, phases))) for phases in (goes, comes))
            words = f"the machine {address} is {was}, and would be {will} in the same change"
            fix = f"take {_hosts(goes)} out in a change of its own, and declare {_hosts(comes)} in the next"
            yield failed(RULE, words, comes[0].urn, fix=fix)


def _by_address(resources: Iterable[Resource]) -> dict[str, dict[str, Resource]]:
    """Phases that are undone when they go, by their machine's address and their URN."""
    found: dict[str, dict[str, Resource]] = {}
    for resource in resources:
        reset = resource.type == HOST_PHASE and resource.inputs.get("reset_on_delete")
        if reset and (address := address_of(resource)):
            found.setdefault(str(address), {})[resource.urn] = resource
    return found


def _said(phase: Resource) -> str:
    return f"{host_of(phase)} ({phase_of(phase)})"


def _hosts(phases: Iterable[Resource]) -> str:
    return ", ".join(sorted({host_of(phase) for phase in phases}))


CHECK = Check("machines", RULE, _find)
