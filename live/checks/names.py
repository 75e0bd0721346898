"""Does every name server send clients to healthy gateways, to those only, and see these as they are?

A name server that takes every gateway for dead answers with all of them, which looks healthy from outside
until one of them is dead indeed. So it is asked what it sees.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from access import network, ssh
from access.errors import AccessError
from access.outputs import NameServer
from access.ssh import Connection
from live.doctor.model import Check, Evidence, Finding, NotMeasurable, Watch
from live.doctor.platform import Platform
from live.gateways import Gateway, gateways_of, owners, unready
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
    watch.at("the gateways' names and readiness")
    gateways = gateways_of(platform.outputs)
    dead = {target for gateway in gateways for target in _dead(gateway)}
    regions = owners(gateways)
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
            named = [f"{address} ({regions.get(address, 'nobody')})" for address in answer.records]
            evidence.note(f"{transport}, {host}: {', '.join(named)}, TTL {answer.ttl} s")
            _judge(answer, regions, dead, (transport, host, ttl), evidence)
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
                f"{transport}, {host}: it sends clients to {regions[address]}, whose gateway is not ready",
                f"See gateway-readiness/{regions[address]}; `gdnsdctl states` says what the edge host sees.",
            )
    if ttl is not None and answer.ttl is not None and answer.ttl > ttl:
        evidence.problem(
            f"{transport}, {host}: TTL {answer.ttl} s is longer than {ttl} s", "Run `pulumi up`."
        )


def _dead(gateway: Gateway) -> set[str]:
    """What leads clients to a gateway that is not ready; its name does where none of its addresses is."""
    bad = set(unready(gateway, seconds=2))
    return bad | {str(gateway.address)} if bad.issuperset(gateway.resolved) else bad


def check_health_view(platform: Platform, name: str, edge: Host, watch: Watch) -> Finding:
    """The states that gdnsd on an edge host has of all gateways are those that are measured from here."""
    evidence = Evidence("every gateway seen as it is")
    login = platform.stack.environment.ssh_of(name)
    if login is None:
        raise NotMeasurable("the stack file declares no ssh access", "Declare `ssh` in the stack file.")
    watch.at(f"gdnsd's states on {name}")
    try:
        done = ssh.run(name, Connection.declared(login, edge.ssh_address), "gdnsdctl states")
    except AccessError as error:
        raise NotMeasurable(error.message, error.fix or "Restore ssh access to the host.") from error
    try:
        views = {
            key.split("/")[0].removesuffix("."): _View.of(value)
            for key, value in json.loads(done.stdout).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        words = " ".join((done.stderr or done.stdout).split())[:300]
        evidence.problem(f"gdnsd on {name} does not say its states: {words}", _fix(name))
        return evidence.finding("nothing")
    watch.at("the gateways' names and readiness")
    for gateway in gateways_of(platform.outputs):
        _judge_view(name, gateway, views.get(str(gateway.address)), evidence)
    if evidence.problems and not any(view.answered for view in views.values()):
        evidence.problem("with none up it answers with all of them, dead ones too")
    return evidence.finding(", ".join(f"{address} {view}" for address, view in sorted(views.items())))


@dataclass(frozen=True)
class _View:
    """What gdnsd holds of a gateway."""

    answered: bool
    """Whether clients are sent there: what its probe sees, unless an operator forces it."""
    seen_up: bool
    """What its probe sees."""
    forced: bool

    @classmethod
    def of(cls, entry: Mapping[str, str]) -> _View:
        """From an entry of `gdnsdctl states`: `UP/5`; `DOWN!` where admin_state forces it."""
        state = entry["state"]
        real = entry.get("real_state", state)
        return cls(state.startswith("UP"), real.startswith("UP"), "!" in state)

    def __str__(self) -> str:
        words = "UP" if self.answered else "DOWN"
        return f"{words} (forced; seen {'UP' if self.seen_up else 'DOWN'})" if self.forced else words


def _judge_view(name: str, gateway: Gateway, view: _View | None, evidence: Evidence) -> None:
    ready = str(gateway.address) not in _dead(gateway)
    really, what = "ready" if ready else "not ready", f"the gateway of {gateway.region} ({gateway})"
    if view is None or view.seen_up != ready:
        seen = "not at all" if view is None else "UP" if view.seen_up else "DOWN"
        evidence.problem(f"it sees {what} {seen}, which is {really}", _fix(name))
    elif view.forced and view.answered and not ready:
        evidence.problem(
            f"it is told to take {what} for UP, which is not ready: clients are sent there",
            f"Take the line out of `/var/lib/gdnsd/admin_state` on {name}.",
        )
    else:
        evidence.note(f"{gateway.region} ({gateway}): {view}")


def _fix(name: str) -> str:
    return f"Compare what its probe gets on {name} (`/etc/gdnsd/config`, `journalctl -u gdnsd`) with curl."
