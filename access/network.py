"""Questions to name servers and gateways as a client on the network asks them."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import httpx

from access.errors import AccessError, IdentityMismatch, Unanswered, causes
from access.outputs import GatewayAddress, NameServer, Outputs

SECONDS = 4.0
"""Bound of one question or connection."""
_LONGEST = 65536
"""Bytes that are read of an answer."""
_ROUTE = "See that the machine runs and that this one has a route to it."


class NotServed(AccessError):
    """The host is there, and no name server on it."""


@dataclass(frozen=True)
class NameAnswer:
    """What a name server said. `problem` is empty when it gave an authoritative answer with records."""

    records: tuple[str, ...]
    """Texts, sorted: addresses and names. Of an address that is asked for, another name instead where that is
    answered, as clouds name their load balancers.
    """
    ttl: int | None
    """Seconds; the longest."""
    problem: str = ""
    failure: AccessError | None = None
    """Why no answer of the server itself came: `Unanswered`, `NotServed`, or `IdentityMismatch` when another
    answers in its place.
    """


def resolve(gateway: GatewayAddress, seconds: float = SECONDS) -> NameAnswer:
    """The addresses that this machine's resolver gives for a gateway. Never raises for what that does."""
    if not gateway.is_name:
        return NameAnswer((str(gateway),), None)
    try:
        answer = dns.resolver.resolve(f"{gateway}.", "A", lifetime=seconds)
    except (OSError, dns.exception.DNSException) as error:
        return NameAnswer((), None, f"{gateway} resolves to no address: {error}")
    return NameAnswer(tuple(sorted(record.address for record in answer)), answer.chaining_result.minimum_ttl)


def ask(
    server: NameServer, name: str, kind: str = "A", *, tcp: bool = False, seconds: float = SECONDS
) -> NameAnswer:
    """Ask one name server for records, without recursion. Never raises for what the server does.

    It is asked over TCP, or over UDP, twice if need be, in `seconds` in all.
    """
    question = dns.message.make_query(name, kind)
    question.flags &= ~dns.flags.RD
    try:
        answer = _own(_exchange(question, server, tcp, seconds), server)
    except AccessError as failure:
        return NameAnswer((), None, failure.message, failure)
    code = answer.rcode()
    if code != dns.rcode.NOERROR:
        return NameAnswer((), None, dns.rcode.to_text(code))
    wanted = dns.rdatatype.from_text(kind)
    sets = [records for records in answer.answer if records.rdtype == wanted]
    # A name of another zone is for the client to resolve.
    sets = sets or [records for records in answer.answer if records.rdtype == dns.rdatatype.CNAME][-1:]
    texts = tuple(sorted({_text(record) for records in sets for record in records}))
    ttl = max((records.ttl for records in sets), default=None)
    if not answer.flags & dns.flags.AA:
        return NameAnswer(texts, ttl, "an answer without authority")
    return NameAnswer(texts, ttl, "" if texts else "no record")


def _exchange(
    question: dns.message.Message, server: NameServer, tcp: bool, seconds: float
) -> dns.message.Message:
    where, port = str(server.address), server.port
    try:
        if tcp:
            _require_listener(server, seconds)
            return dns.query.tcp(question, where, timeout=seconds, port=port)
        try:
            return dns.query.udp_with_fallback(question, where, timeout=seconds / 2, port=port)[0]
        except dns.exception.Timeout:
            # UDP says nothing of a port on which nothing listens; TCP does.
            with contextlib.suppress(OSError):
                _require_listener(server, seconds / 2)
            return dns.query.udp_with_fallback(question, where, timeout=seconds / 2, port=port)[0]
    except dns.exception.Timeout as error:
        raise Unanswered(f"no answer from {server} within {seconds:.0f} s", fix=_ROUTE) from error
    except (OSError, dns.exception.DNSException, EOFError) as error:
        raise Unanswered(f"{server}: {type(error).__name__}: {error}", fix=_ROUTE) from error


def _require_listener(server: NameServer, seconds: float) -> None:
    try:
        socket.create_connection((str(server.address), server.port), timeout=seconds).close()
    except ConnectionRefusedError:
        raise NotServed(f"nothing listens at {server}") from None


def _own(answer: dns.message.Message, server: NameServer) -> dns.message.Message:
    """The answer, unless it comes from who asks others, as routers do that take all questions for themselves.

    gdnsd never offers to ask others, and denies only names of its own zone, with authority. A zone that it
    does not have it refuses, with neither.
    """
    denied = answer.flags & dns.flags.RA or answer.rcode() == dns.rcode.NXDOMAIN
    if denied and not answer.flags & dns.flags.AA:
        raise IdentityMismatch(
            f"something else answers for {server}: a resolver in between",
            fix=f"Look from a machine whose questions to port {server.port} are not redirected on their way.",
        )
    return answer


def _text(record: Any) -> str:
    """What of a record is compared: an address, a name, and of the zone's start its server."""
    match record.rdtype:
        case dns.rdatatype.SOA:
            return str(record.mname)
        case dns.rdatatype.CNAME:
            return str(record.target).removesuffix(".")
    return str(record)


@dataclass(frozen=True)
class WebAnswer:
    """An HTTP answer: status 0 and `problem` when there was none."""

    status: int
    body: str = ""
    problem: str = ""
    location: str = ""
    """Where a redirect leads."""

    @property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def trusting(authorities: str) -> ssl.SSLContext:
    """A client context that trusts this PEM and nothing else, and checks names; without any, it trusts the
    system's store.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authorities:
        context.load_verify_locations(cadata=authorities)
    else:
        context.load_default_certs()
    return context


class Trust:
    """What clients trust, by the host that they ask for; a context for all that have the same."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._contexts: dict[str, ssl.SSLContext] = {}

    def of(self, host: str) -> ssl.SSLContext:
        """A client's context for a host."""
        authorities = self._outputs.authorities_of(host)
        if authorities not in self._contexts:
            self._contexts[authorities] = trusting(authorities)
        return self._contexts[authorities]


def get_https(
    address: str, host: str, path: str, context: ssl.SSLContext, *, port: int = 443, seconds: float = SECONDS
) -> WebAnswer:
    """`GET https://host/path` from `address`: SNI, Host and verification are about `host`."""
    return _get(f"https://{address}:{port}{path}", seconds, host, context)


def get_http(address: str, port: int, path: str, *, host: str = "", seconds: float = SECONDS) -> WebAnswer:
    """`GET http://address:port/path`, asked for `host` where it is named."""
    return _get(f"http://{address}:{port}{path}", seconds, host)


def _get(url: str, seconds: float, host: str = "", context: ssl.SSLContext | None = None) -> WebAnswer:
    headers = {"Host": host, "Connection": "close"} if host else {}
    extensions = {"sni_hostname": host} if host else {}
    try:
        with (
            httpx.Client(verify=context or False, trust_env=False, timeout=seconds) as client,
            client.stream("GET", url, headers=headers, extensions=extensions) as answer,
        ):
            body = next(answer.iter_bytes(_LONGEST), b"")
            location = answer.headers.get("location", "")
            return WebAnswer(answer.status_code, body.decode(errors="replace"), location=location)
    except httpx.HTTPError as error:
        for cause in causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return WebAnswer(0, problem=f"its certificate is refused: {cause.verify_message}")
        return WebAnswer(0, problem=f"{type(error).__name__}: {error}")


def served_chain(address: str, host: str, context: ssl.SSLContext, *, port: int = 443) -> list[bytes]:
    """DER certificates that a verified TLS server shows for `host`, leaf first. Raises `OSError`."""
    with (
        socket.create_connection((address, port), timeout=SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        leaf = secured.getpeercert(binary_form=True)
        return [leaf] if leaf else []


def shown_certificate(
    host: str, port: int, *, name: str = "", proxy: str = "", seconds: float = SECONDS
) -> bytes:
    """DER of the certificate that a TLS server shows, whoever signed it and whenever it ends.

    Nothing is verified, so nothing is sent but the greeting. name: to ask for, where it is not the host's.
    proxy: URL of the HTTP proxy by which it is reached. Raises `OSError`.
    """
    through = urlsplit(proxy)
    if through.scheme == "https":
        raise OSError("through a proxy that itself is spoken to by TLS, it is not asked for")
    first = (through.hostname, through.port or 80) if proxy else (host, port)
    connection = http.client.HTTPConnection(first[0] or "", first[1], timeout=seconds)
    try:
        if proxy:
            login = f"{unquote(through.username or '')}:{unquote(through.password or '')}"
            shown = {"Proxy-Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
            connection.set_tunnel(host, port, shown if through.username else {})
        connection.connect()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(connection.sock, server_hostname=name or host) as secured:
            return secured.getpeercert(binary_form=True) or b""
    except http.client.HTTPException as error:
        raise OSError(f"the proxy answers what is no HTTP: {type(error).__name__}") from error
    finally:
        connection.close()
