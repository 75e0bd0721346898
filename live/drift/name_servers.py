"""DNS: what each name server answers, against what it was given.

A server answers healthy gateways only, and shortens its TTL while one changes: that is health, not drift.
Drift is an address of no gateway, a name that it does not know, another set of name servers, or a longer TTL.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from components.names import DNS_PORT
from gate.effects.belonging import HOST_PHASE
from live.drift.compare import below
from live.drift.model import Drifted, Record, few
from live.drift.state import State, opened
from playbooks.work.names import EDGE
from report.model import Op, PropertyChange, Severity
from report.progress import Watch

SECONDS = 3.0
"""For one question; it is asked twice."""
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


@dataclass(frozen=True)
class Server:
    """A name server as it was set up."""

    name: str
    urn: str
    address: str
    zone: str
    hosts: tuple[str, ...]
    gateways: Mapping[str, str]
    """Address of each region's gateway."""
    name_servers: tuple[str, ...]
    ttl: int


def servers(state: State) -> list[Server]:
    """The name servers of the state, by name."""
    found = []
    for phase in state.of_type(HOST_PHASE):
        inputs = opened(phase.inputs)
        if inputs.get("phase") == EDGE.name:
            found.append(_server(str(inputs["host"]), phase.urn, inputs["variables"]))
    return sorted(found, key=lambda server: server.name)


def look(
    state: State, record: Record, say: Callable[[str], None], watch: Watch, port: int = DNS_PORT
) -> None:
    """Ask every name server, side by side."""
    found = servers(state)

    def one(server: Server) -> None:
        if watch.over:
            record.late = True
            record.not_measurable(server.name, "the time ran out", urn=server.urn)
            return
        say(f"{server.name} ({server.address})")
        try:
            _Questions(server, port, record).ask()
        except Unanswered as reason:
            record.not_measurable(server.name, str(reason), urn=server.urn, fix=reason.fix)
        except Refused as reason:
            properties = (PropertyChange("answers", "given", None),)
            record.drifted.append(Drifted(server.urn, Op.UPDATE, properties))
            record.row(f"{server.name} ({server.address})", "answers", "no name server")
            record.fail(f"{server.name}: {reason}", urn=server.urn, fix=_FIX)

    with ThreadPoolExecutor(max(1, min(16, len(found)))) as pool:
        for done in [pool.submit(one, server) for server in found]:
            done.result()


class _Questions:
    """To one server."""

    def __init__(self, server: Server, port: int, record: Record) -> None:
        self._server = server
        self._port = port
        self._record = record
        self._problems: list[str] = []
        self._properties: list[PropertyChange] = []

    def ask(self) -> None:
        server = self._server
        zone = f"{server.zone}."
        try:
            self._expect("SOA", zone, {server.name_servers[0]})
            self._expect("NS", zone, set(server.name_servers))
            for host in server.hosts:
                self._gateways(host)
        finally:
            # What was seen before a server fell silent counts.
            self._conclude()

    def _conclude(self) -> None:
        if self._problems:
            server = self._server
            properties = tuple(sorted(self._properties, key=lambda found: found.path))
            self._record.drifted.append(Drifted(server.urn, Op.UPDATE, properties))
            words = f"{server.name} ({server.address}): {few(self._problems)}"
            self._record.fail(words, urn=server.urn, fix=_FIX)

    def _expect(self, kind: str, name: str, expected: set[str], *, some: bool = False) -> Reply:
        """Ask, and note what is not expected. `some`: not all of the expected records need be there."""
        reply = ask(self._server.address, self._port, name, kind)
        records = set(reply.records)
        well = (bool(records) and records <= expected) if some else records == expected
        shown, given = ", ".join(sorted(expected)), reply.problem or ", ".join(reply.records) or "nothing"
        if well and not reply.problem:
            given = shown
        else:
            self._note(kind, name, shown, given)
        self._record.row(f"{name.removesuffix('.')} {kind} ({self._server.name})", shown, given)
        return reply

    def _gateways(self, host: str) -> None:
        server = self._server
        gateways = set(server.gateways.values())
        reply = self._expect("A", f"{host}.", gateways, some=True)
        if reply.ttl is not None and reply.ttl > server.ttl:
            self._note("TTL", f"{host}.", f"at most {server.ttl} s", f"{reply.ttl} s")
        down = sorted(region for region, address in server.gateways.items() if address not in reply.records)
        if down and gateways.intersection(reply.records):
            self._record.fail(
                f"{server.name} leaves the gateway of {', '.join(down)} out of {host}: its probe finds it "
                "down. That is health, not drift",
                urn=server.urn,
                fix=f"`crossmesh doctor` says why; on {server.name}: `gdnsdctl states`.",
                severity=Severity.NOTE,
            )

    def _note(self, kind: str, name: str, expected: str, given: str) -> None:
        plain = name.removesuffix(".")
        self._problems.append(f"{plain} {kind} is {given}, expected {expected}")
        self._properties.append(PropertyChange(f"{below('answers', plain)}.{kind}", expected, given))


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
    sets = [found for found in answer.answer if found.rdtype == wanted]
    records = tuple(sorted({_text(record) for found in sets for record in found}))
    ttl = max((found.ttl for found in sets), default=None)
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
    return str(record)


def _is_refused(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=SECONDS).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    return False


def _server(name: str, urn: str, variables: Mapping[str, Any]) -> Server:
    zone = str(variables["gdnsd_zone"])
    return Server(
        name=name,
        urn=urn,
        address=str(variables["gdnsd_address"]),
        zone=zone,
        hosts=tuple(sorted(variables["gdnsd_hosts"])),
        gateways=dict(variables["gdnsd_gateways"]),
        name_servers=tuple(f"{server}.{zone}." for server in sorted(variables["gdnsd_name_servers"])),
        ttl=int(variables["gdnsd_ttl"]),
    )
