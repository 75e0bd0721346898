"""Names go on being answered, and answers are forgotten soon enough."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from components.tokens import GLOBAL_LOAD_BALANCER
from gate.effects.names import led
from gate.effects.scene import host_of, phase_of
from gate.rules.subject import Check, Subject, failed, region_urns
from playbooks.work.names import EDGE
from report.model import Finding, Op, Resource, Rule, Severity
from stacks.answers import Answers, is_name

_TTL = range(2, 61)
"""Seconds."""

RULE = Rule(
    "change/names-answered",
    "Names go on being answered, by two servers, with regions that stay",
    "Clients know the name servers that were there before, and for a time the answers they gave: at least "
    "one name server and one region must be there before and after. Two servers or more, so that one may "
    f"fail. A TTL from {_TTL.start} to {_TTL.stop - 1} s: longer, and clients go on calling a region that is "
    "down; shorter, and every request waits for an answer. For a zone's own name, a gateway with an address; "
    "with weights, gateways that are all addresses or all host names. Whom a policy leads elsewhere than "
    "before is noted.",
)

_ENOUGH = 2


def _find(subject: Subject) -> Iterator[Finding]:
    gone = {change.urn for change in subject.changes.changes if change.op in (Op.DELETE, Op.REPLACE)}
    before, after = _servers(subject.changes.before), _servers(subject.changes.after)
    staying = sorted(name for name, urn in before.items() if name in after and urn not in gone)
    yield from _about_servers(before, after, staying)
    regions = region_urns(subject.changes.before)
    if before and regions and gone.issuperset(regions.values()):
        fix = "add the new region first, in a change of its own"
        yield failed(RULE, f"no region stays: {_going(regions)}", min(regions.values()), fix=fix)
    yield from _about_zones(subject.after)
    yield from _about_clients(subject)
    balancer = subject.stack.environment.global_load_balancer
    if balancer is not None and balancer.ttl not in _TTL:
        too_long = balancer.ttl >= _TTL.stop
        why = "so long clients go on calling a region that is down"
        words = why if too_long else "clients ask again for nearly every request"
        words = f"answers may be kept for {balancer.ttl} s: {words}"
        urn = min(after.values(), default="")
        fix = f"set globalLoadBalancer.ttl between {_TTL.start} and {_TTL.stop - 1}"
        yield failed(RULE, words, urn, severity=Severity.WARNING, fix=fix)


def _about_servers(before: dict[str, str], after: dict[str, str], staying: list[str]) -> Iterator[Finding]:
    if before and not staying:
        fix = "keep one until clients and the parent zone know the new ones; remove it in a later change"
        yield failed(RULE, f"no name server stays: {_going(before)}", min(before.values()), fix=fix)
    elif len(after) == 1:
        (name,) = after
        words = f"{name} is the only name server: while it is down, no name is answered"
        fix = "declare a second edge host, in another region where there is one"
        yield failed(RULE, words, after[name], severity=Severity.WARNING, fix=fix)
    elif len(before) >= _ENOUGH and len(staying) == 1:
        words = f"of the name servers that clients know only {staying[0]} stays"
        fix = "replace them one by one, each in a change of its own"
        yield failed(RULE, words, before[staying[0]], severity=Severity.WARNING, fix=fix)


def _about_clients(subject: Subject) -> Iterator[Finding]:
    """Whom a change leads elsewhere while all regions are healthy: nothing is wrong with that."""
    sides: list[Answers | None] = []
    urn = ""
    for resources in (subject.changes.before, subject.after):
        balancer = next((each for each in resources if each.type == GLOBAL_LOAD_BALANCER), None)
        sides.append(Answers.from_inputs(balancer.inputs) if balancer else None)
        urn = balancer.urn if balancer else urn
    for host, kind, before, after in led(sides):
        if before and after and before[0] != after[0]:
            words = f"{host}: {kind} move from {before[0]} to {after[0]}"
            fix = "nothing, where that is meant; what they are answered after that is in the table of DNS"
            yield failed(RULE, words, urn, severity=Severity.NOTE, fix=fix)


def _about_zones(after: Iterable[Resource]) -> Iterator[Finding]:
    """Zones' own names that no gateway can stand for: the role of the name servers refuses them."""
    for component in after:
        entry = Answers.from_inputs(component.inputs) if component.type == GLOBAL_LOAD_BALANCER else None
        for zone in entry.zones if entry else ():
            if entry and zone in entry.names and not entry.targets_of(zone):
                words = (
                    f"{zone} would be answered with nothing: all gateways have host names, and DNS allows no "
                    "alias at the name of a zone"
                )
                fix = (
                    f"expose a name below it, such as www.{zone}, or give a region a gateway with an address"
                )
                yield failed(RULE, words, component.urn, fix=fix)
        for words, fix in dict.fromkeys(_unkept(entry)) if entry else ():
            yield failed(RULE, words, component.urn, fix=fix)


def _unkept(entry: Answers) -> Iterator[tuple[str, str]]:
    """What of policies gdnsd cannot keep, and what to do. What is not known yet may become a name or not."""
    kinds = {
        region: next((is_name(target) for target in told if isinstance(target, str) and "." in target), None)
        for region, told in entry.targets.items()
    }
    for routing in entry.routings:
        named = sorted(region for region in routing.regions if kinds.get(region))
        apexes = sorted({*routing.hosts} & {*entry.zones})
        if named and apexes:
            yield (
                f"{', '.join(apexes)} cannot be led to {', '.join(named)} by a policy: gateways there have "
                "host names, and DNS allows no alias at the name of a zone",
                "expose a name below it, or give these regions gateways with addresses",
            )
        for tier in (tier for place in routing.clients for tier in routing.of(place) if tier.weighted):
            names, addresses = (
                [each for each in tier.regions if kinds.get(each) is kind] for kind in (True, False)
            )
            if names and addresses:
                yield (
                    f"{', '.join(names)} cannot be weighed beside {', '.join(addresses)}: the ones' gateways "
                    "have host names, the others' addresses, and gdnsd draws among one kind alone",
                    "give these regions gateways of one kind, or weight to those of one kind alone: the "
                    "others stand by",
                )


def _going(names: Collection[str]) -> str:
    return f"{', '.join(sorted(names))} {'go' if len(names) > 1 else 'goes'}"


def _servers(resources: Iterable[Resource]) -> dict[str, str]:
    """The hosts that answer names, with the URN of that phase."""
    return {host_of(found): found.urn for found in resources if phase_of(found) == EDGE.name}


CHECK = Check("names", RULE, _find)
