"""DNS: what each name server answers, against what it was given.

A server answers healthy gateways only, and shortens its TTL while one changes: that is health, not drift.
Drift is an address of no gateway, a name that it does not know, another set of name servers, or a longer TTL.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from access.outputs import GatewayAddress
from components.names import DNS_PORT
from components.tokens import GLOBAL_LOAD_BALANCER
from components.values.answers import Answers
from live.drift.compare import below
from live.drift.inquiry import Inquiry, each
from live.drift.model import Comparison, Drifted, Record, few
from live.drift.state import opened
from live.gateways import Gateway, resolved
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


class Unanswered(Exception):
    """No answer of the server itself came; the message says why, `fix` what to do."""

    def __init__(
        self, message: str, fix: str = "See that the machine runs and that this one has a route to it."
    ) -> None:
        super().__init__(message)
        self.fix = fix


class Refused(Exception):
    """The host is there, and no name server on it."""


@dataclass(frozen=True)
class Reply:
    """What a server said to one question: texts of the records, sorted; the longest of their TTLs."""

    records: tuple[str, ...] = ()
    ttl: int | None = None
    problem: str = ""
    """An error code, or an answer that is not its own to give."""


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
        except Unanswered as reason:
            self.record.not_measurable(name, str(reason), urn=self.urn, fix=reason.fix)
        except Refused as reason:
            properties = (PropertyChange(below("answers", name), "given", None),)
            self.record.drifted.append(Drifted(self.urn, Op.UPDATE, properties))
            self.record.row(f"{name} ({address})", "answers", "no name server")
            self.record.fail(f"{name}: {reason}", urn=self.urn, fix=_FIX)


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

    def _expect(self, kind: str, name: str, expected: set[str], *, some: bool = False) -> Reply:
        """Ask, and note what is not expected. `some`: not all of the expected records need be there."""
        reply = ask(self._address, DNS_PORT, name, kind)
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


def ask(address: str, port: int, name: str, kind: str) -> Reply:
    """Ask one question over UDP, twice if need be, without recursion.

    Raises `Unanswered`, also when another answers in its place, and `Refused` when the host says that nothing
    listens there.
    """
    question = dns.message.make_query(name, kind)
    question.flags &= ~dns.flags.RD
    for last in (False, True):
        try:
            answer, _ = dns.query.udp_with_fallback(question, address, timeout=SECONDS, port=port)
            break
        except dns.exception.Timeout:
            # UDP says nothing of a port on which nothing listens; TCP does.
            if _is_refused(address, port):
                raise Refused(f"nothing listens at {address} port {port}") from None
            if last:
                raise Unanswered(f"no answer from {address} port {port} within {SECONDS:.0f} s") from None
        except (OSError, dns.exception.DNSException, EOFError) as error:
            raise Unanswered(f"{address} port {port}: {type(error).__name__}: {error}") from error
    if _is_of_a_resolver(answer):
        raise Unanswered(
            f"something else answers for {address} port {port}: a resolver in between",
            f"Look from a machine whose questions to port {port} are not redirected on their way.",
        )
    code = answer.rcode()
    if code != dns.rcode.NOERROR:
        return Reply(problem=dns.rcode.to_text(code))
    wanted = dns.rdatatype.from_text(kind)
    sets = [records for records in answer.answer if records.rdtype == wanted]
    # A name of another zone is for the client to resolve.
    sets = sets or [records for records in answer.answer if records.rdtype == dns.rdatatype.CNAME]
    records = tuple(sorted({_text(record) for records in sets for record in records}))
    ttl = max((records.ttl for records in sets), default=None)
    problem = "" if answer.flags & dns.flags.AA else "an answer without authority"
    return Reply(records, ttl, problem)


def _is_of_a_resolver(answer: dns.message.Message) -> bool:
    """Whether it comes from who asks others, as routers do that take all questions for themselves.

    gdnsd never offers to ask others, and denies only names of its own zone, with authority. A zone that it
    does not have it refuses, with neither.
    """
    if answer.flags & dns.flags.AA:
        return False
    return bool(answer.flags & dns.flags.RA) or answer.rcode() == dns.rcode.NXDOMAIN


def _text(record: Any) -> str:
    """What of a record is compared: an address, a name, and of the zone's start its server."""
    match record.rdtype:
        case dns.rdatatype.SOA:
            return str(record.mname)
        case dns.rdatatype.NS:
            return str(record.target)
        case dns.rdatatype.CNAME:
            return str(record.target).removesuffix(".")
    return str(record)


def _is_refused(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=SECONDS).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    return False
