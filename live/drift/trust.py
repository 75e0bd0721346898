"""Trust: how long what was issued is valid, and whether istiod of each region signs with what was issued."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509

from access.errors import AccessError
from components.manifests.mesh import CA_SECRET
from components.tokens import ISTIO_CONTROL_PLANE
from live.certificates import in_short, parse_chain, read_mesh_authority
from live.drift.access import Stranger
from live.drift.inquiry import Inquiry, each
from live.drift.model import Comparison, Drifted, Record
from live.expiry.model import Kind, State
from live.expiry.trust import issued, resources
from live.state import Applied
from playbooks.tokens import CERTIFICATE_AUTHORITY
from report.model import Op, PropertyChange, Rule, Severity

COMPARISON = Comparison(
    "certificates",
    "Certificates and tokens: as issued, and valid",
    Rule(
        "drift/certificates",
        "What was issued is valid, and what the mesh signs with",
        "`pulumi up` renews what comes to its end.",
    ),
    recognises=True,
)
_RENEW = "Run `pulumi up`: it renews what comes to its end."


def look(inquiry: Inquiry, record: Record) -> None:
    """Look at what was issued, and at what istiod of each region signs with."""
    state, clusters = inquiry.state, inquiry.clusters
    for resource in resources(state):
        _issued(resource, record, inquiry.now)

    def mesh(authority: Applied) -> None:
        region = authority.region
        inquiry.watch.at(f"{region}: the mesh's authority")
        try:
            intermediate, root = read_mesh_authority(clusters.cluster(region))
        except Stranger as stranger:
            stranger.into(record)
        except AccessError as problem:
            what = f"the secret {CA_SECRET} of {region}"
            record.not_measurable(what, problem.message, urn=authority.urn, fix=problem.fix)
        else:
            record.recognised.add(region)
            keys = {"certificate": intermediate, "root_certificate": root}
            _signs_with(authority, keys, record)

    intermediates = state.below(ISTIO_CONTROL_PLANE, CERTIFICATE_AUTHORITY)
    each([authority for authority in intermediates if authority.region in clusters.ways], mesh)


def _issued(resource: Applied, record: Record, now: datetime) -> None:
    """Say when a certificate or token has ended, or is about to."""
    entry = issued(resource)
    if entry.not_after is None:
        record.not_measurable(resource.name, entry.problem, urn=resource.urn, fix=_RENEW)
        return
    end, is_token = entry.not_after, entry.kind is Kind.TOKEN
    shown = f"ends {end:%Y-%m-%d}"
    text, what = (shown, "the token") if is_token else (f"{entry.fingerprint}, {shown}", entry.subject)
    state = entry.state(now)
    expired = state is State.ENDED
    record.row(resource.name, text, "expired" if expired else text)
    if expired:
        change = PropertyChange("not_after", "valid", f"expired {end:%Y-%m-%d}")
        record.drifted.append(Drifted(resource.urn, Op.UPDATE, (change,)))
    if state is not State.OK:
        severity = Severity.ERROR if expired else Severity.WARNING
        words = entry.words(now)
        record.fail(f"{resource.name} ({what}) {words}", urn=resource.urn, fix=_RENEW, severity=severity)


def _signs_with(authority: Applied, live: dict[str, x509.Certificate | None], record: Record) -> None:
    changes = []
    for output, certificate in live.items():
        issued = in_short(parse_chain(str(authority.outputs[output]))[0])
        used = in_short(certificate) if certificate else "none"
        record.row(f"istiod of {authority.region}, {output}", issued, used)
        if used != issued:
            changes.append(PropertyChange(f"in_use.{output}", issued, used))
    if changes:
        words = "; ".join(f"{change.path} is {change.new}, issued was {change.old}" for change in changes)
        record.drift(
            Drifted(authority.urn, Op.UPDATE, tuple(changes)),
            f"istiod of {authority.region} signs with another authority than was issued "
            f"(secret {CA_SECRET}): {words}",
            "See the layer `clusters`: somebody has changed the secret. Put it back before sidecars get "
            "certificates that the other regions refuse.",
        )
