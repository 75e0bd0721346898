"""DNS: what each name server answers, against what it was given.

A server answers healthy gateways only, and shortens its TTL while one changes: that is health, not drift.
Drift is an address of no gateway, a name that it does not know, another set of name servers, or a longer TTL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from access import network
from access.errors import AccessError
from access.network import NameAnswer, NotServed
from access.outputs import GatewayAddress, NameServer
from components.names import DNS_PORT
from components.tokens import GLOBAL_LOAD_BALANCER
from components.values.answers import Answers
from live.drift.compare import below
from live.drift.inquiry import Inquiry, each
from live.drift.model import Comparison, Drifted, Record, few
from live.gateways import Gateway, resolved
from live.state import opened
from report.model import Op, PropertyChange, Rule, Severity

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
        _Zone(inquiry, record, balancer.urn, answers, _gateways(answers, record, balancer.urn)).look()


def _gateways(answers: Answers, record: Record, urn: str) -> dict[str, Gateway]:
    """The gateways that are answered, by region, with what their names lead to now."""
    gateways = {
        region: resolved(region, GatewayAddress.of(str(target))) for region, target in answers.targets.items()
    }
    for region, gateway in gateways.items():
        if gateway.problem:
            record.not_measurable(f"the gateway of {region}", gateway.problem, urn=urn)
    return gateways


@dataclass(frozen=True)
class _Zone:
    """What all servers of a zone were configured to answer."""

    inquiry: Inquiry
    record: Record
    urn: str
    answers: Answers
    gateways: Mapping[str, Gateway]

    def look(self) -> None:
        each(sorted(self.answers.servers), self._server, parallel=16)

    def _server(self, name: str) -> None:
        address = self.answers.servers[name].address
        if self.inquiry.watch.over:
            self.record.ran_out(name, urn=self.urn)
            return
        self.inquiry.say(f"{name} ({address})")
        try:
            _Questions(self, name, address).ask()
        except NotServed as reason:
            properties = (PropertyChange(below("answers", name), "given", None),)
            self.record.drifted.append(Drifted(self.urn, Op.UPDATE, properties))
            self.record.row(f"{name} ({address})", "answers", "no name server")
            self.record.fail(f"{name}: {reason.message}", urn=self.urn, fix=_FIX)
        except AccessError as reason:
            self.record.not_measurable(name, reason.message, urn=self.urn, fix=reason.fix)


class _Questions:
    """To one server."""

    def __init__(self, zone: _Zone, name: str, address: str) -> None:
        self._zone = zone
        self._name = name
        self._address = address
        self._record = zone.record
        self._problems: list[str] = []
        self._properties: list[PropertyChange] = []

    def ask(self) -> None:
        answers = self._zone.answers
        apex = f"{answers.zone}."
        servers = [f"{server}.{apex}" for server in sorted(answers.servers)]
        try:
            self._expect("SOA", apex, {servers[0]})
            self._expect("NS", apex, set(servers))
            for name in answers.names:
                self._targets(name)
        finally:
            # What was seen before a server fell silent counts.
            self._conclude()

    def _conclude(self) -> None:
        if self._problems:
            properties = tuple(sorted(self._properties, key=lambda change: change.path))
            self._record.drifted.append(Drifted(self._zone.urn, Op.UPDATE, properties))
            words = f"{self._name} ({self._address}): {few(self._problems)}"
            self._record.fail(words, urn=self._zone.urn, fix=_FIX)

    def _expect(self, kind: str, name: str, expected: set[str], *, some: bool = False) -> NameAnswer:
        """Ask, and note what is not expected. `some`: not all of the expected records need be there."""
        server = NameServer(IPv4Address(self._address), DNS_PORT)
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
        self._record.row(f"{name.removesuffix('.')} {kind} ({self._name})", shown, answered)
        return reply

    def _targets(self, name: str) -> None:
        """A server leads to healthy gateways: to their addresses, or to their names, as clouds give them."""
        gateways, ttl = self._zone.gateways.values(), self._zone.answers.ttl
        if any(gateway.problem for gateway in gateways):
            return
        targets = {target for gateway in gateways for target in gateway.targets}
        reply = self._expect("A", f"{name}.", targets, some=True)
        if reply.ttl is not None and reply.ttl > ttl:
            self._note("TTL", f"{name}.", f"at most {ttl} s", f"{reply.ttl} s")
        down = [gateway.region for gateway in gateways if not set(gateway.targets) & set(reply.records)]
        # An answer holds one host name at most, so with names among them one gateway is answered at a time.
        one_at_a_time = any(gateway.address.is_name for gateway in gateways)
        if down and not one_at_a_time and targets & set(reply.records):
            self._record.fail(
                f"{self._name} leaves the gateway of {', '.join(down)} out of {name}: its probe finds it "
                "down. That is health, not drift",
                urn=self._zone.urn,
                fix=f"`crossmesh doctor` says why; on {self._name}: `gdnsdctl states`.",
                severity=Severity.NOTE,
            )

    def _note(self, kind: str, name: str, expected: str, answered: str) -> None:
        plain = name.removesuffix(".")
        self._problems.append(f"{plain} {kind} is {answered}, expected {expected}")
        path = f"{below(below('answers', self._name), plain)}.{kind}"
        self._properties.append(PropertyChange(path, expected, answered))
