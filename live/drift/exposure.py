"""Exposure: the certificates that gateways show for each host, against those that were issued."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from cryptography import x509

from access import network
from access.outputs import GatewayAddress
from components.tokens import EXPOSED_HOST
from live.certificates import in_short, parse_chain
from live.drift.inquiry import Inquiry, each
from live.drift.model import Comparison, Drifted, Record
from live.gateways import Gateway, resolved
from live.state import Applied, State, opened
from playbooks.tokens import CERTIFICATE, GIVEN_CERTIFICATE
from report.model import Op, PropertyChange, Rule
from stacks.model import HTTPS_PORT, example_of

COMPARISON = Comparison(
    "gateways",
    "Gateways: certificates as issued, and shown",
    Rule(
        "drift/gateways",
        "Each gateway shows the certificate that was issued or given for each host",
        "Clients trust the environment's authority alone, or what is declared of a given certificate, and "
        "check names and times.",
    ),
)
_SECRET = "See the layer `clusters`: the gateway's Secret may have been changed."


@dataclass(frozen=True)
class Shown:
    """One host on one address of a region's gateway, and the certificate that was issued for it."""

    gateway: Gateway
    address: str
    host: str
    issued: Applied
    """Issued, or given."""
    authorities: str
    """What its clients trust, PEM; empty for the system's store."""

    @property
    def certificate(self) -> x509.Certificate:
        """What it has to show."""
        return parse_chain(str(self.issued.outputs["certificate"]))[0]

    def __str__(self) -> str:
        at = "" if self.gateway.is_one_address else f" at {self.address}"
        return f"{self.host} at the gateway of {self.gateway.region}{at}"


def look(inquiry: Inquiry, record: Record) -> None:
    """Shake hands with every region's gateway for every host."""

    def one(shown: Shown) -> None:
        inquiry.watch.at(f"{shown.host} at {shown.address}")
        if inquiry.watch.over:
            record.ran_out(str(shown), urn=shown.issued.urn)
        else:
            _compare(shown, record)

    each(_all(inquiry.state, record), one, parallel=16)


def _all(state: State, record: Record) -> list[Shown]:
    """Every host on every address of every region's gateway, as far as the gateways have any."""
    hosts, shown = _hosts(state), []
    outputs = opened(state.outputs) if hosts else {}
    told_of = outputs.get("hostAuthorities") or {}
    for region, output in sorted((outputs.get("regions") or {}).items()):
        told = [str(address) for address in output.get("gatewayAddresses") or () if address]
        if not told:
            why, fix = "the outputs name no address of it", f"Run `pulumi up --stack {state.stack}`."
            record.not_measurable(f"the gateway of {region}", why, fix=fix)
        gateway = resolved(region, map(GatewayAddress.of, told))
        if gateway.problem:
            record.not_measurable(f"the gateway of {region}", gateway.problem)
        shown += [
            Shown(gateway, address, host, certificate, str(told_of.get(host, outputs.get("caCertificate"))))
            for host, certificate in hosts
            for address in gateway.resolved
        ]
    return shown


def _hosts(state: State) -> list[tuple[str, Applied]]:
    """The exposed hosts, each with the certificate that was issued or given for it."""
    issued = [
        (str(host), certificate)
        for certificate in state.below(EXPOSED_HOST, CERTIFICATE)
        for host in certificate.inputs.get("dns_names") or ()
    ]
    given = {str(each.inputs.get("certificate_name")): each for each in state.of_type(GIVEN_CERTIFICATE)}
    exposed = [(str(each.inputs.get("host")), each) for each in state.of_type(EXPOSED_HOST)]
    return [
        *issued,
        *((host, given[name]) for host, each in exposed if (name := each.inputs.get("certificate")) in given),
    ]


def _compare(shown: Shown, record: Record) -> None:
    """What a gateway shows to a client that trusts what it is told to."""
    issued = in_short(shown.certificate)
    try:
        trusted = network.trusting(shown.authorities)
        # A client names no wildcard, but a host that it covers.
        host = example_of(shown.host)
        chain = network.served_chain(shown.address, host, trusted, port=HTTPS_PORT)
        live = x509.load_der_x509_certificate(chain[0])
    except ssl.SSLCertVerificationError as error:
        text = f"refused: {error.verify_message}"
        _differs(record, shown, text, f"its certificate is {text}", f"{_SECRET} Else run `pulumi up`.")
    except (ssl.SSLError, ConnectionResetError, EOFError) as error:
        fix = "See the layer `clusters`: its Ingress or its Secret may be gone."
        words = "the handshake is broken off, as where there is no certificate for the name"
        _differs(record, shown, "none", f"{words} ({_words(error)})", fix)
    except OSError as error:
        fix = "`crossmesh doctor` says what is between here and the gateway."
        why = f"{shown.address} does not answer: {_words(error)}"
        record.not_measurable(str(shown), why, urn=shown.issued.urn, fix=fix)
    else:
        if live == shown.certificate:
            record.row(str(shown), issued, issued)
            return
        text = in_short(live)
        words = f"it shows {text}, issued was {issued}"
        _differs(record, shown, text, words, f"{_SECRET} Else its pods are behind.")


def _differs(record: Record, shown: Shown, live: str, words: str, fix: str) -> None:
    issued = in_short(shown.certificate)
    record.row(str(shown), issued, live)
    change = PropertyChange(f"in_use.{shown.gateway.region}", issued, live)
    record.drift(Drifted(shown.issued.urn, Op.UPDATE, (change,)), f"{shown}: {words}", fix)


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
