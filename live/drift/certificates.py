"""Certificates: those that were issued against those in use, and how long they and tokens are still valid."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509

from access import network
from access.errors import AccessError
from components.tokens import EXPOSED_HOST, GATEWAY_TRUST, ISTIO_CONTROL_PLANE
from live.certificates import fingerprint, parse_chain, subject
from live.doctor.platform import HTTPS_PORT, ISTIO_SYSTEM
from live.drift.access import Clusters, Stranger, each
from live.drift.model import Drifted, Record
from live.drift.state import Applied, State, opened
from playbooks.tokens import CERTIFICATE, CERTIFICATE_AUTHORITY, SERVICE_ACCOUNT_TOKEN
from report.model import Op, PropertyChange, Severity
from report.progress import Watch

SOON = timedelta(days=30)
"""From this long before its end, a certificate is worth a warning."""

_CACERTS = f"/api/v1/namespaces/{ISTIO_SYSTEM}/secrets/cacerts"
_RENEW = "Run `pulumi up`: it renews what comes to its end."


@dataclass(frozen=True)
class Gateway:
    """One host on one region's gateway, and the certificate that was issued for it."""

    region: str
    address: str
    host: str
    issued: Applied


def look(
    state: State,
    clusters: Clusters,
    record: Record,
    say: Callable[[str], None],
    watch: Watch,
    now: datetime,
    port: int = HTTPS_PORT,
) -> None:
    """Look at what was issued, at what each gateway shows, and at what istiod of each region signs with."""
    for resource in (*state.of_type(CERTIFICATE_AUTHORITY), *state.of_type(CERTIFICATE)):
        _issued(resource, record, now)
    for resource in state.of_type(SERVICE_ACCOUNT_TOKEN):
        _token(resource, record, now)
    authority = next(iter(state.below(GATEWAY_TRUST, CERTIFICATE_AUTHORITY)), None)
    served = gateways(state) if authority is not None else []

    def shown(gateway: Gateway) -> None:
        say(f"{gateway.host} at {gateway.address}")
        if watch.over:
            record.late = True
            record.not_measurable(_name(gateway), "the time ran out", urn=gateway.issued.urn)
        else:
            _shown(gateway, str(authority.outputs["certificate"]), record, port)  # type: ignore[union-attr]

    with ThreadPoolExecutor(max(1, min(16, len(served)))) as pool:
        for done in [pool.submit(shown, gateway) for gateway in served]:
            done.result()
    _mesh(state, clusters, record, say)


def gateways(state: State) -> list[Gateway]:
    """Every host on every region's gateway, as far as the gateways have addresses."""
    regions = opened(state.outputs).get("regions") or {}
    found = []
    for certificate in state.below(EXPOSED_HOST, CERTIFICATE):
        for host in certificate.inputs.get("dns_names") or ():
            for region, output in sorted(regions.items()):
                if address := output.get("gatewayAddress"):
                    found.append(Gateway(region, str(address), str(host), certificate))
    return found


def _issued(resource: Applied, record: Record, now: datetime) -> None:
    try:
        certificate = parse_chain(str(resource.outputs.get("certificate")))[0]
    except (ValueError, IndexError):
        record.not_measurable(
            resource.name, "the state has no certificate of it", urn=resource.urn, fix=_RENEW
        )
        return
    text = _text(certificate)
    record.row(resource.name, text, text)
    _end(resource, subject(certificate), certificate.not_valid_after_utc, record, now)


def _token(resource: Applied, record: Record, now: datetime) -> None:
    text = f"ends {str(resource.outputs.get('expires_at'))[:10]}"
    try:
        end = datetime.fromisoformat(str(resource.outputs.get("expires_at")))
    except ValueError:
        record.not_measurable(
            resource.name, "the state does not say when it ends", urn=resource.urn, fix=_RENEW
        )
        return
    record.row(resource.name, text, text)
    _end(resource, "the token", end, record, now)


def _end(resource: Applied, what: str, end: datetime, record: Record, now: datetime) -> None:
    """Say when something has ended, or is about to."""
    day = f"{end:%Y-%m-%d}"
    if end <= now:
        change = PropertyChange("not_after", "valid", f"expired {day}")
        record.drifted.append(Drifted(resource.urn, Op.UPDATE, (change,)))
        record.row(resource.name, record.rows[resource.name][0], "expired")
        record.fail(f"{resource.name} ({what}) has expired at {day}", urn=resource.urn, fix=_RENEW)
    elif end - now < SOON:
        days = (end - now).days
        record.fail(
            f"{resource.name} ({what}) ends at {day}, in {days} day{'' if days == 1 else 's'}",
            urn=resource.urn,
            fix=_RENEW,
            severity=Severity.WARNING,
        )


def _name(gateway: Gateway) -> str:
    return f"{gateway.host} at the gateway of {gateway.region}"


def _shown(gateway: Gateway, authority: str, record: Record, port: int) -> None:
    """What a gateway shows to a client that trusts the environment's authority."""
    issued = parse_chain(str(gateway.issued.outputs["certificate"]))[0]
    name, urn = _name(gateway), gateway.issued.urn
    try:
        chain = network.served_chain(gateway.address, gateway.host, network.trusting(authority), port=port)
        found = x509.load_der_x509_certificate(chain[0])
    except ssl.SSLCertVerificationError as error:
        text = f"refused: {error.verify_message}"
        fix = "See the layer `clusters`: the gateway's Secret may have been changed. Else run `pulumi up`."
        _differs(record, gateway, issued, text, f"its certificate is {text}", fix)
        return
    except (ssl.SSLError, ConnectionResetError, EOFError) as error:
        fix = "See the layer `clusters`: its Ingress or its Secret may be gone."
        words = (
            f"the handshake is broken off, as where there is no certificate for the name ({_words(error)})"
        )
        _differs(record, gateway, issued, "none", words, fix)
        return
    except OSError as error:
        fix = "`crossmesh doctor` says what is between here and the gateway."
        record.not_measurable(name, f"{gateway.address} does not answer: {_words(error)}", urn=urn, fix=fix)
        return
    if found == issued:
        record.row(name, _text(issued), _text(issued))
        return
    words = f"it shows {_text(found)}, issued was {_text(issued)}"
    fix = "See the layer `clusters`: the gateway's Secret may have been changed. Else its pods are behind."
    _differs(record, gateway, issued, _text(found), words, fix)


def _differs(
    record: Record, gateway: Gateway, issued: x509.Certificate, live: str, words: str, fix: str
) -> None:
    name = _name(gateway)
    record.row(name, _text(issued), live)
    change = PropertyChange(f"in_use.{gateway.region}", _text(issued), live)
    record.drifted.append(Drifted(gateway.issued.urn, Op.UPDATE, (change,)))
    record.fail(f"{name}: {words}", urn=gateway.issued.urn, fix=fix)


def _mesh(state: State, clusters: Clusters, record: Record, say: Callable[[str], None]) -> None:
    """What istiod of each region signs with: the secret `cacerts`."""
    authorities = {
        authority.region: authority for authority in state.below(ISTIO_CONTROL_PLANE, CERTIFICATE_AUTHORITY)
    }

    def one(region: str) -> None:
        say(f"{region}: the mesh's authority")
        authority = authorities[region]
        try:
            secret = clusters.cluster(region).get(_CACERTS)
        except Stranger as stranger:
            stranger.refusal.into(record)
        except AccessError as problem:
            what = f"the secret cacerts of {region}"
            record.not_measurable(what, problem.message, urn=authority.urn, fix=problem.fix)
        else:
            record.known.add(region)
            _signs_with(region, authority, (secret or {}).get("data") or {}, record)

    each(sorted(authorities.keys() & clusters.ways.keys()), one)


def _signs_with(region: str, authority: Applied, data: Mapping[str, Any], record: Record) -> None:
    changes = []
    for key, output in (("ca-cert.pem", "certificate"), ("root-cert.pem", "root_certificate")):
        issued = parse_chain(str(authority.outputs[output]))[0]
        try:
            live = _text(parse_chain(base64.b64decode(str(data[key])))[0])
        except KeyError:
            live = "none"
        except (ValueError, IndexError):
            live = "no certificate"
        record.row(f"cacerts of {region}, {key}", _text(issued), live)
        if live != _text(issued):
            changes.append(PropertyChange(f"in_use.{output}", _text(issued), live))
    if changes:
        words = "; ".join(f"{found.path} is {found.new}, issued was {found.old}" for found in changes)
        record.drifted.append(Drifted(authority.urn, Op.UPDATE, tuple(changes)))
        record.fail(
            f"istiod of {region} signs with another authority than was issued (secret cacerts): {words}",
            urn=authority.urn,
            fix="See the layer `clusters`: somebody has changed the secret. Put it back before sidecars get "
            "certificates that the other regions refuse.",
        )


def _text(certificate: x509.Certificate) -> str:
    """A certificate in a table: enough to tell it from others, and its last day."""
    return f"{fingerprint(certificate)}, ends {certificate.not_valid_after_utc:%Y-%m-%d}"


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
