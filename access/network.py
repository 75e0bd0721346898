"""Questions to name servers and gateways as a client on the network asks them."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from access.outputs import GatewayAddress, NameServer

SECONDS = 4.0
"""Bound of one question or connection."""


@dataclass(frozen=True)
class NameAnswer:
    """What a name server said. `problem` is empty when it gave an authoritative answer with addresses."""

    addresses: tuple[str, ...]
    """IPv4 addresses; where it names another name instead, that one, as clouds name their load balancers."""
    ttl: int | None
    problem: str = ""


def resolve(gateway: GatewayAddress, seconds: float = SECONDS) -> NameAnswer:
    """The addresses that this machine's resolver gives for a gateway. Never raises for what that does."""
    if not gateway.is_name:
        return NameAnswer((str(gateway),), None)
    try:
        answer = dns.resolver.resolve(f"{gateway}.", "A", lifetime=seconds)
    except (OSError, dns.exception.DNSException) as error:
        return NameAnswer((), None, f"{gateway} resolves to no address: {error}")
    return NameAnswer(tuple(sorted(record.address for record in answer)), answer.chaining_result.minimum_ttl)


def ask(server: NameServer, host: str, *, tcp: bool = False, seconds: float = SECONDS) -> NameAnswer:
    """Ask one name server where `host` is, over UDP or TCP. Never raises for what the
    server does.
    """
    question = dns.message.make_query(host, "A")
    question.flags &= ~dns.flags.RD
    transport = dns.query.tcp if tcp else dns.query.udp
    try:
        answer = transport(question, str(server.address), timeout=seconds, port=server.port)
    except dns.exception.Timeout:
        return NameAnswer((), None, f"no answer within {seconds:.0f} s")
    except (OSError, dns.exception.DNSException, EOFError) as error:
        return NameAnswer((), None, f"{type(error).__name__}: {error}")
    code = answer.rcode()
    if code != dns.rcode.NOERROR:
        return NameAnswer((), None, f"it answers {dns.rcode.to_text(code)}")
    records = [record for record in answer.answer if record.rdtype == dns.rdatatype.A]
    # A name of another zone is for the client to resolve.
    records = records or [record for record in answer.answer if record.rdtype == dns.rdatatype.CNAME][-1:]
    addresses = tuple(sorted(str(item).removesuffix(".") for record in records for item in record))
    ttl = min((record.ttl for record in records), default=None)
    if not addresses:
        return NameAnswer((), ttl, "the answer holds no address")
    if not answer.flags & dns.flags.AA:
        return NameAnswer(addresses, ttl, "the answer is not authoritative")
    return NameAnswer(addresses, ttl)


@dataclass(frozen=True)
class WebAnswer:
    """An HTTP answer: status 0 and `problem` when there was none."""

    status: int
    body: str = ""
    problem: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def trusting(ca_certificate: str) -> ssl.SSLContext:
    """A client context that trusts this PEM and nothing else, and checks names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=ca_certificate)
    return context


def get_https(
    address: str, host: str, path: str, context: ssl.SSLContext, *, port: int = 443, seconds: float = SECONDS
) -> WebAnswer:
    """`GET https://host/path` with the connection led to `address`: SNI, Host and verification are about
    `host`.
    """
    try:
        with (
            socket.create_connection((address, port), timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            connection = http.client.HTTPConnection(host, port, timeout=seconds)
            connection.sock = secured
            connection.request("GET", path, headers={"Host": host, "Connection": "close"})
            answer = connection.getresponse()
            return WebAnswer(answer.status, answer.read(65536).decode(errors="replace"))
    except ssl.SSLCertVerificationError as error:
        return WebAnswer(0, problem=f"its certificate is refused: {error.verify_message}")
    except (OSError, http.client.HTTPException) as error:
        return WebAnswer(0, problem=f"{type(error).__name__}: {error}")


def get_http(address: str, port: int, path: str, *, seconds: float = SECONDS) -> WebAnswer:
    """`GET http://address:port/path`."""
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return WebAnswer(answer.status, answer.read(65536).decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        return WebAnswer(0, problem=f"{type(error).__name__}: {error}")
    finally:
        connection.close()


def served_chain(address: str, host: str, context: ssl.SSLContext, *, port: int = 443) -> list[bytes]:
    """DER certificates that a verified TLS server shows for `host`, leaf first.

    Raises `OSError` (`ssl.SSLError` is one) when the handshake fails.
    """
    with (
        socket.create_connection((address, port), timeout=SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        leaf = secured.getpeercert(binary_form=True)
        return [leaf] if leaf else []
