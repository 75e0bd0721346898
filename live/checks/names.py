"""Does every name server send clients to healthy gateways, to those only, and see these as they are?

A name server that takes every gateway for dead answers with all of them, which looks healthy from outside
until one of them is dead indeed. So it is asked what it sees.
"""

from __future__ import annotations

import json
from functools import partial

from access import network
from access.hosts import HostAccessError, run_on
from access.outputs import NameServer
from live.doctor.model import Check, Evidence, Finding, NotMeasurable, Watch
from live.doctor.platform import GATEWAY_READINESS_PORT, GATEWAY_READY_PATH, Platform
from stacks.model import Host


def checks(platform: Platform) -> list[Check]:
    """The checks of this column."""
    checks = []
    for server in platform.outputs.nameservers:
        run = partial(check_name_server, platform, server)
        title = f"{server} answers with healthy gateways"
        checks.append(Check(f"name-server/{server}", "names", title, run))
    for region in platform.regions if platform.stack.environment.global_load_balancer else ():
        for name, edge in sorted(platform.stack.environment.regions[region].edges.items()):
            run = partial(check_health_view, platform, name, edge)
            title = f"{name} sees the gateways as they are"
            checks.append(Check(f"health-view/{name}", "names", title, run))
    return checks


def check_name_server(platform: Platform, server: NameServer, watch: Watch) -> Finding:
    """The server answers over UDP and TCP, for every host, with addresses of healthy gateways only."""
    spec = platform.stack.environment.global_load_balancer
    ttl = spec.ttl if spec else None
    evidence = Evidence(
        "healthy gateways' addresses for every host" + (f", TTL at most {ttl} s" if ttl else "")
    )
    owners = {address: region for region, address in platform.gateways.items()}
    healthy = _healthy(platform, watch)
    measured = []
    for host in [spec.host for spec in platform.ingresses]:
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
            named = [f"{address} ({owners.get(address, 'nobody')})" for address in answer.addresses]
            evidence.note(f"{transport}, {host}: {', '.join(named)}, TTL {answer.ttl} s")
            _judge(answer, owners, healthy, (transport, host, ttl), evidence)
            if not tcp:
                measured.append(f"{', '.join(named)} TTL {answer.ttl}")
    return evidence.finding("; ".join(measured) or "no answer")


def _judge(
    answer: network.NameAnswer,
    owners: dict[str, str],
    healthy: set[str],
    about: tuple[str, str, int | None],
    evidence: Evidence,
) -> None:
    transport, host, ttl = about
    for address in answer.addresses:
        if address not in owners:
            evidence.problem(f"{transport}, {host}: {address} is no region's gateway", "Run `pulumi up`.")
        elif address not in healthy:
            evidence.problem(
                f"{transport}, {host}: it sends clients to {owners[address]}, whose gateway is not ready",
                f"See gateway-readiness/{owners[address]}; `gdnsdctl states` says what the edge host sees.",
            )
    if ttl is not None and answer.ttl is not None and answer.ttl > ttl:
        evidence.problem(
            f"{transport}, {host}: TTL {answer.ttl} s is longer than {ttl} s", "Run `pulumi up`."
        )


def _healthy(platform: Platform, watch: Watch) -> set[str]:
    found = set()
    for region, address in platform.gateways.items():
        watch.at(f"the readiness of the gateway of {region}")
        if network.get_http(address, GATEWAY_READINESS_PORT, GATEWAY_READY_PATH, seconds=2).status == 200:
            found.add(address)
    return found


def check_health_view(platform: Platform, name: str, edge: Host, watch: Watch) -> Finding:
    """The states that gdnsd on an edge host has of all gateways are those that are measured from here."""
    evidence = Evidence("every gateway seen as it is")
    ssh = platform.stack.environment.ssh
    if ssh is None:
        raise NotMeasurable("the stack file declares no ssh access", "Declare `ssh` in the stack file.")
    watch.at(f"gdnsd's states on {name}")
    try:
        done = run_on(ssh, str(edge.address), "gdnsdctl states")
    except HostAccessError as error:
        raise NotMeasurable(error.message, "Restore ssh access to the host.") from error
    try:
        states = {key.split("/")[0]: value["state"] for key, value in json.loads(done.stdout).items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        words = " ".join((done.stderr or done.stdout).split())[:300]
        evidence.problem(f"gdnsd on {name} does not say its states: {words}", _fix(name))
        return evidence.finding("nothing")
    for region, address in platform.gateways.items():
        watch.at(f"the readiness of the gateway of {region}")
        ready = network.get_http(address, GATEWAY_READINESS_PORT, GATEWAY_READY_PATH, seconds=2).status == 200
        seen = str(states.get(address, "unknown")).split("/")[0]
        if (seen == "UP") == ready:
            evidence.note(f"{region} ({address}): seen {seen}")
            continue
        really = "ready" if ready else "not ready"
        evidence.problem(f"it sees the gateway of {region} ({address}) {seen}, which is {really}", _fix(name))
    if evidence.problems and not any(state.startswith("UP") for state in states.values()):
        evidence.problem("with none up it answers with all of them, dead ones too")
    return evidence.finding(", ".join(f"{address} {state}" for address, state in sorted(states.items())))


def _fix(name: str) -> str:
    return f"Compare what its probe gets on {name} (`/etc/gdnsd/config`, `journalctl -u gdnsd`) with curl."
