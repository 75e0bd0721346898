"""Does every name server send clients to healthy gateways, to those only, and see these as they are?

A name server that takes every gateway for dead answers with all of them, and one whose prober is dead answers
by what was seen last: both look healthy from outside. So it is asked what it sees, and since when.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from access import network, ssh
from access.delegation import delegation
from access.errors import AccessError
from access.outputs import NameServer
from live import prober
from live.agreement import Said, differences, misled
from live.doctor import foundations, keys
from live.doctor.model import CHECK_SECONDS, Check, Evidence, Finding, NotMeasurable, Watch, once_settled
from live.doctor.platform import Platform
from live.doctor.shell import ask
from live.gateways import Gateway, gateways_of, owners, unready
from live.logins import login
from live.prober import ADMIN_STATE, View
from playbooks.preflight.expected import database_program
from playbooks.preflight.software import OLD_DATABASE
from playbooks.preflight.software import database as problems_of
from playbooks.work.names import HEALTH_SERVICE, database
from stacks.model import Environment, HealthCheck, Host
from stacks.routing import Routing, Tiers, by_host, routings

_SUM_AND_NAME = 2
_LOOK_SECONDS = 12.0
"""What is left for one more look at all gateways, so that it can say what it met."""


def checks(platform: Platform) -> list[Check]:
    """The checks of this column."""
    probing = list(prober.probing(platform.stack.environment))
    places = {edge.address: (region, ("regions", region, "edges", name)) for region, name, edge in probing}
    checks = []
    for server in platform.outputs.nameservers:
        run = partial(check_name_server, platform, server)
        title = f"{server} answers with healthy gateways"
        # One that is declared no more may answer still.
        region, key = places.get(server.address, ("", ("globalLoadBalancer",)))
        below = foundations.name_server(platform, server.address)
        checks.append(
            Check(keys.name_server(server), "names", title, run, rests_on=below, region=region, declared=key)
        )
    for region, name, edge in probing:
        run = partial(check_health_view, platform, name, edge)
        title = f"{name} sees the gateways as they are"
        _, key = places[edge.address]
        seconds = CHECK_SECONDS + _counting(platform)
        checks.append(
            Check(
                keys.health_view(name),
                "names",
                title,
                run,
                (),
                seconds,
                rests_on=(keys.services(name),),
                region=region,
                declared=key,
            )
        )
        if path := database(platform.stack.environment):
            run = partial(check_country_database, platform, name, edge, path)
            title = f"the database of countries on {name} can be used, and is of these weeks"
            rests, of = (keys.host(name),), ("globalLoadBalancer", "geoipDatabase")
            database_key = keys.country_database(name)
            checks.append(
                Check(database_key, "names", title, run, rests_on=rests, region=region, declared=of)
            )
    return [*checks, *_of_all(platform)]


def _of_all(platform: Platform) -> Iterator[Check]:
    """Checks of all name servers together."""
    probing = list(prober.probing(platform.stack.environment))
    views = tuple(keys.health_view(name) for _, name, _ in probing)
    of = ("globalLoadBalancer",)
    if len(probing) > 1:
        run, title = partial(check_agreement, platform), "all name servers have and see the same"
        seconds = CHECK_SECONDS + _counting(platform)
        key = keys.NAME_SERVERS_AGREE
        yield Check(key, "names", title, run, (), seconds, rests_on=views, declared=of)
    for zone in delegated(platform.stack.environment):
        run, title = partial(check_delegation, platform, zone), f"{zone} is delegated to its name servers"
        yield Check(keys.delegation(zone), "names", title, run, declared=(*of, "delegated"))


def delegated(environment: Environment) -> tuple[str, ...]:
    """The zones that their parents delegate, as it is declared."""
    balancer = environment.global_load_balancer
    return environment.zones if balancer and balancer.delegated else ()


def check_delegation(platform: Platform, zone: str, watch: Watch) -> Finding:
    """The zone's parent names the declared name servers, and where they are; not measurable where it cannot
    be asked from here."""
    evidence = Evidence("the declared name servers, with their addresses, at the parent of the zone")
    environment = platform.stack.environment
    declared = {
        f"{name}.{environment.domain}": str(edge.address) for _, name, edge in prober.probing(environment)
    }
    watch.at(f"the parent of {zone}")
    try:
        found = delegation(zone)
    except AccessError as error:
        raise NotMeasurable(error.message, error.fix) from error
    for words, fix, meets in misled(zone, declared, found):
        (evidence.problem if meets else evidence.warning)(words, fix)
    told = [f"{name} ({', '.join(found.glue.get(name, ())) or 'no glue'})" for name in found.servers]
    return evidence.finding(f"at {found.parent}: {', '.join(told) or 'nothing'}")


def check_agreement(platform: Platform, watch: Watch) -> Finding:
    """All edge hosts have the same zones, force the same and see the same; and answer alike where they do."""
    until = min(time.monotonic() + _counting(platform), watch.deadline - _LOOK_SECONDS)
    return once_settled(partial(_compare, platform, watch), watch, until)


def _compare(platform: Platform, watch: Watch) -> tuple[Finding, str]:
    """The finding of one look, and in words what may be over soon."""
    evidence = Evidence("the same zones, forced states and views on every edge host")
    said = {}
    for _, name, edge in prober.probing(platform.stack.environment):
        watch.at(f"what {name} has and sees")
        said[name] = _said(platform, name, edge)
    passing = ""
    for found in differences(said):
        (evidence.problem if found.wrong else evidence.warning)(found.words, found.fix)
        passing = passing or (found.words if found.passing else "")
    return evidence.finding(f"{', '.join(sorted(said))} were asked"), passing


def _said(platform: Platform, name: str, edge: Host) -> Said:
    try:
        health = prober.read(platform.stack, name, str(edge.address))
    except AccessError as error:
        raise NotMeasurable(error.message, error.fix or "Restore ssh access to the host.") from error
    script = "cd /etc/gdnsd/zones && sha256sum -- *"
    rows = [line.split() for line in ask(platform, name, edge, script).stdout.splitlines()]
    zones = {zone: digest for digest, zone in (row for row in rows if len(row) == _SUM_AND_NAME)}
    answers = {
        host: frozenset(network.ask(server, host).records)
        for server in platform.outputs.nameservers
        if server.address == edge.address
        for host in _answered_alike(platform)
    }
    return Said(health, zones, answers)


def _answered_alike(platform: Platform) -> list[str]:
    """Hosts that every server answers with the same to us, where it sees the same: none is drawn by weight,
    nor leads to host names, of which each server prefers its own region's."""
    if any(gateway.has_names for gateway in gateways_of(platform.outputs)):
        return []
    led = by_host(routings(platform.stack.environment))
    return [
        exposed.example
        for exposed in platform.exposed
        if exposed.dns
        and not any(tier.weighted for tiers in _orders(led.get(exposed.host)) for tier in tiers)
    ]


def _orders(routing: Routing | None) -> list[Tiers]:
    return [routing.of(place) for place in routing.clients] if routing else []


def check_country_database(platform: Platform, name: str, edge: Host, path: str, watch: Watch) -> Finding:
    """The database is there, gdnsd may read it, and it is not old: what `up` looks for before it begins."""
    evidence = Evidence(f"a database of countries of the last {OLD_DATABASE} days")
    watch.at(f"{path} on {name}")
    try:
        way = login(platform.stack, name, edge.ssh_address)
        found = ssh.ask(name, way, database_program(path), {}, what="its database of countries")
    except AccessError as error:
        raise NotMeasurable(error.message, error.fix or "Restore ssh access to the host.") from error
    for problem in problems_of(found, found["now"]):
        fix = f"{problem.fix[:1].upper()}{problem.fix[1:]}."
        (evidence.problem if problem.refuses else evidence.warning)(f"{name}: {problem.words}", fix)
    days = max(0.0, found["now"] - found["built"]) / 86400
    measured = found["error"] or f"{found['type']}, built {days:.0f} days ago"
    return evidence.finding(f"{path}: {measured}")


def check_name_server(platform: Platform, server: NameServer, watch: Watch) -> Finding:
    """The server answers over UDP and TCP, for every host, with addresses of healthy gateways only."""
    spec = platform.stack.environment.global_load_balancer
    ttl = spec.ttl if spec else None
    evidence = Evidence("healthy gateways' addresses for every host" + (f", TTL {ttl} s" if ttl else ""))
    watch.at("the gateways' names and readiness")
    gateways = gateways_of(platform.outputs)
    dead = {target for gateway in gateways for target in _dead(platform, gateway)}
    regions = owners(gateways)
    drained = set(spec.drained) if spec else set()
    measured = []
    for host in [exposed.example for exposed in platform.exposed if exposed.dns]:
        for tcp in (False, True):
            transport = "TCP" if tcp else "UDP"
            watch.at(f"{server} ({transport}) for {host}")
            answer = network.ask(server, host, tcp=tcp)
            if answer.problem:
                evidence.problem(
                    f"{transport}, {host}: {answer.problem}",
                    "Look at gdnsd on that edge host: `systemctl status gdnsd`, `journalctl -u gdnsd`.",
                )
                continue
            named = [f"{address} ({regions.get(address, 'nobody')})" for address in answer.records]
            evidence.note(f"{transport}, {host}: {', '.join(named)}, TTL {answer.ttl} s")
            _judge(answer, regions, dead, (transport, host, ttl), evidence)
            for region in sorted({regions.get(address, "") for address in answer.records} & drained):
                evidence.problem(
                    f"{transport}, {host}: {region} is drained, and answered", "Run `pulumi up`."
                )
            if not tcp:
                measured.append(f"{', '.join(named)} TTL {answer.ttl}")
    return evidence.finding("; ".join(measured) or "no answer")


def _judge(
    answer: network.NameAnswer,
    regions: dict[str, str],
    dead: set[str],
    about: tuple[str, str, int | None],
    evidence: Evidence,
) -> None:
    transport, host, ttl = about
    for address in answer.records:
        if address not in regions:
            evidence.problem(f"{transport}, {host}: {address} is no region's gateway", "Run `pulumi up`.")
        elif address in dead:
            evidence.problem(
                f"{transport}, {host}: it sends clients to {regions[address]} at {address}, "
                "where its gateway is not ready",
                f"See gateway-readiness/{regions[address]}, and health-view of that edge host.",
            )
    if ttl is not None and answer.ttl not in (None, ttl):
        evidence.problem(f"{transport}, {host}: TTL {answer.ttl} s, declared {ttl} s", "Run `pulumi up`.")


def _dead(platform: Platform, gateway: Gateway) -> set[str]:
    """What leads clients to a gateway that is not ready; its name does where none of its addresses is."""
    bad = set(unready(platform, gateway, seconds=2))
    names = {str(address) for address in gateway.addresses if address.is_name}
    return bad | names if bad.issuperset(gateway.resolved) else bad


def _counting(platform: Platform) -> float:
    """Seconds in which a prober has made up its mind about a change and gdnsd has it, but not more than a
    minute: whoever declares that it takes longer is told how far it is.
    """
    spec = platform.stack.environment.global_load_balancer
    health = spec.health_check if spec else HealthCheck()
    probes = max(health.up_threshold, health.down_threshold) + 1
    return min(probes * max(health.interval, health.timeout) + prober.SETTLED, 60.0)


def check_health_view(platform: Platform, name: str, edge: Host, watch: Watch) -> Finding:
    """What an edge host's prober sees is what is measured from here, and not old; gdnsd answers by it.

    A prober counts before it believes. It is let count: right after `up`, or after a fault, the two differ.
    """
    until = min(time.monotonic() + _counting(platform), watch.deadline - _LOOK_SECONDS)
    return once_settled(partial(_look, platform, name, edge, watch), watch, until)


def _look(platform: Platform, name: str, edge: Host, watch: Watch) -> tuple[Finding, str]:
    """The finding of one look, and in words that a view which is not old may follow soon."""
    evidence = Evidence("every gateway seen as it is, and lately")
    watch.at(f"the prober's views on {name}")
    try:
        health = prober.read(platform.stack, name, str(edge.address))
    except AccessError as error:
        raise NotMeasurable(error.message, error.fix or "Restore ssh access to the host.") from error
    watch.at("the gateways' names and readiness")
    counting = False
    for gateway in gateways_of(platform.outputs):
        dead = _dead(platform, gateway)
        for address in map(str, gateway.addresses):
            what = f"{gateway.region} ({gateway if gateway.has_names else address})"
            ready, view = address not in dead, health.views.get(address)
            _judge_view(name, what, ready, view, evidence)
            counting |= view is not None and view.seen_up != ready and not health.stale(view)
    if evidence.problems and not any(view.answered for view in health.views.values()):
        evidence.problem("with none up it answers with all of them, dead ones too")
    for words, fix in health.complaints():
        evidence.problem(words, fix)
    measured = ", ".join(f"{target} {view}" for target, view in sorted(health.views.items()))
    finding = evidence.finding(measured or "nothing")
    words = f"the prober on {name} to count what it meets: {finding.message}" if counting else ""
    return finding, words


def _judge_view(name: str, what: str, ready: bool, view: View | None, evidence: Evidence) -> None:
    """what: the gateway's region, and where it is reached."""
    really = "ready" if ready else "not ready"
    if view is None or view.seen_up != ready:
        seen = "not at all" if view is None else f"{'UP' if view.seen_up else 'DOWN'} ({view.last})"
        evidence.problem(
            f"it sees the gateway of {what} {seen}, which is {really}",
            f"Ask as clients do, with `crossmesh ask`; `journalctl -u {HEALTH_SERVICE}` on {name} says what "
            "was met from there, and when.",
        )
    elif view.forced and view.answered and not ready:
        evidence.problem(
            f"it is told to take the gateway of {what} for UP, which is not ready: clients are sent there",
            f"Take the line out of `{ADMIN_STATE}` on {name}.",
        )
    elif view.held and view.left is None and ready:
        evidence.warning(
            f"the gateway of {what} is ready again, and its region waits to be returned by hand",
            f"Raise the number of {view.region} in `returned` of `healthCheck`, and run `pulumi up`.",
        )
    else:
        evidence.note(f"{what}: {view}")
