"""DNS: what each name server answers, against what it was given, and how old is what it goes by.

A server answers healthy gateways only: that is health, not drift. Drift is an address of no gateway, a name
that it does not know, another set of name servers, another TTL, or a view of a gateway that nobody renews.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from access import network
from access.errors import AccessError
from access.network import NameAnswer, NotServed
from access.outputs import GatewayAddress, NameServer
from components.names import DNS_PORT
from components.tokens import GLOBAL_LOAD_BALANCER
from live import prober
from live.drift.compare import below
from live.drift.inquiry import Inquiry, each
from live.drift.model import Comparison, Drifted, Record, few
from live.gateways import Gateway, resolved
from live.state import opened
from report.model import Op, PropertyChange, Rule, Severity
from report.progress import Watch
from stacks.answers import Answers
from stacks.load import Stack

SECONDS = 3.0
"""For one question; it is asked twice."""
COMPARISON = Comparison(
    "dns",
    "DNS answers: as configured, and given",
    Rule(
        "drift/dns",
        "Each name server answers as it was configured",
        "Which healthy gateways are answered changes with their health, and is no drift.",
    ),
)
_FIX = "See the layer `hosts`, and on the edge host `systemctl status gdnsd` and `journalctl -u gdnsd`."


def look(inquiry: Inquiry, record: Record) -> None:
    """Ask every name server, side by side."""
    for balancer in inquiry.state.of_type(GLOBAL_LOAD_BALANCER):
        answers = Answers.from_inputs(opened(balancer.inputs))
        if answers is None:
            record.not_measurable("names", "the state does not say who answers which", urn=balancer.urn)
            continue
        targets = answers.targets.items()
        gateways = [
            resolved(region, (GatewayAddress.of(str(each)) for each in told)) for region, told in targets
        ]
        for gateway in gateways:
            if gateway.problem:
                record.not_measurable(f"the gateway of {gateway.region}", gateway.problem, urn=balancer.urn)
        servers = [
            _Server(record, balancer.urn, inquiry.stack, name, server.address, answers, gateways)
            for name, server in sorted(answers.servers.items())
        ]
        each(servers, lambda server: server.look(inquiry.watch), parallel=16)


@dataclass(frozen=True)
class _Server:
    """One name server, what it was configured to answer, and what it does answer."""

    record: Record
    urn: str
    """Of the resource that configured it."""
    stack: Stack
    """As it is declared: the way to hosts."""
    name: str
    address: str
    answers: Answers
    gateways: Sequence[Gateway]
    problems: list[str] = field(default_factory=list)
    properties: list[PropertyChange] = field(default_factory=list)

    def look(self, watch: Watch) -> None:
        """Ask for all that it has to answer."""
        if watch.over:
            self.record.ran_out(self.name, urn=self.urn)
            return
        watch.at(f"{self.name} ({self.address})")
        try:
            self._ask()
        except NotServed as reason:
            change = PropertyChange(below("answers", self.name), "given", None)
            self.record.row(f"{self.name} ({self.address})", "answers", "no name server")
            self.record.drift(Drifted(self.urn, Op.UPDATE, (change,)), f"{self.name}: {reason.message}", _FIX)
        except AccessError as reason:
            self.record.not_measurable(self.name, reason.message, urn=self.urn, fix=reason.fix)
        else:
            self._views()
        # What was seen before a server fell silent counts.
        if self.problems:
            properties = tuple(sorted(self.properties, key=lambda change: change.path))
            words = f"{self.name} ({self.address}): {few(self.problems)}"
            self.record.drift(Drifted(self.urn, Op.UPDATE, properties), words, _FIX)

    def _ask(self) -> None:
        servers = [f"{server}.{self.answers.zone}." for server in sorted(self.answers.servers)]
        for zone in self.answers.zones:
            self._expect("SOA", f"{zone}.", {servers[0]})
            self._expect("NS", f"{zone}.", set(servers))
        for name in self.answers.names:
            self._targets(name)

    def _expect(self, kind: str, name: str, expected: set[str], *, some: bool = False) -> NameAnswer:
        """Ask, and note what is not expected. `some`: not all of the expected records need be there."""
        server = NameServer(IPv4Address(self.address), DNS_PORT)
        reply = network.ask(server, name, kind, seconds=2 * SECONDS)
        if reply.failure:
            raise reply.failure
        records = set(reply.records)
        well = (bool(records) and records <= expected) if some else records == expected
        shown, answered = ", ".join(sorted(expected)), reply.problem or ", ".join(reply.records) or "nothing"
        if well and not reply.problem:
            answered = shown
        else:
            self._note(kind, name, shown, answered)
        self.record.row(f"{name.removesuffix('.')} {kind} ({self.name})", shown, answered)
        return reply

    def _targets(self, name: str) -> None:
        """A server leads to healthy gateways: to their addresses, or to their names, as clouds give them."""
        ttl = self.answers.ttl
        if any(gateway.problem for gateway in self.gateways):
            return
        regions = self.answers.targets_of(name)
        targets = {
            target for gateway in self.gateways if gateway.region in regions for target in gateway.targets
        }
        reply = self._expect("A", f"{name}.", targets, some=True)
        if reply.ttl not in (None, ttl):
            self._note("TTL", f"{name}.", f"{ttl} s", f"{reply.ttl} s")
        down = [
            gateway.region if gateway.is_one_address else f"{gateway.region} at {address}"
            for gateway in self.gateways
            for address in gateway.resolved
            if address not in reply.records
        ]
        # An answer holds one host name at most, so with names among them one gateway is answered at a time;
        # by a policy, those that clients from here are led to.
        one_at_a_time = any(gateway.has_names for gateway in self.gateways) or self.answers.routing_of(name)
        if down and not one_at_a_time and targets & set(reply.records):
            self.record.fail(
                f"{self.name} leaves the gateway of {', '.join(down)} out of {name}: its probe finds it "
                "down. That is health, not drift",
                urn=self.urn,
                fix="`crossmesh doctor` says what its prober met, and whether an operator forces it.",
                severity=Severity.NOTE,
            )

    def _views(self) -> None:
        """What its prober sees, and since when: an old view answers for gateways that may have changed."""
        try:
            health = prober.read(self.stack, self.name, self.address)
        except AccessError as reason:
            what = f"what {self.name} sees of the gateways"
            self.record.not_measurable(what, reason.message, urn=self.urn, fix=reason.fix)
            return
        for target, view in health.views.items():
            expected = f"seen less than {health.bound:.0f} s ago" if health.stale(view) else str(view)
            self.record.row(f"gateway of {health.place(target)} ({self.name})", expected, str(view))
        for words, fix in health.blind():
            self.record.fail(f"{self.name}: {words}", urn=self.urn, fix=fix)

    def _note(self, kind: str, name: str, expected: str, answered: str) -> None:
        plain = name.removesuffix(".")
        self.problems.append(f"{plain} {kind} is {answered}, expected {expected}")
        path = f"{below(below('answers', self.name), plain)}.{kind}"
        self.properties.append(PropertyChange(path, expected, answered))
