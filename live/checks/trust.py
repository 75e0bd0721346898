"""One root, an intermediate for each cluster, and SPIFFE identities of one domain in every sidecar."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from access.cluster import Cluster
from access.errors import AccessError
from components.manifests.mesh import CA_SECRET
from live.certificates import (
    chain_problem,
    fingerprint,
    left,
    parse_chain,
    read_mesh_authority,
    signed_by,
    spiffe_ids,
    subject,
    validity_problem,
)
from live.doctor import expiry, foundations, keys
from live.doctor.keys import Key
from live.doctor.model import Check, Evidence, Finding, NotMeasurable, Watch
from live.doctor.parts import mesh_pods
from live.doctor.platform import Platform
from stacks.named_secrets import MESH_ROOT_KEY


def checks(platform: Platform) -> list[Check]:
    """The checks of this column."""
    servers = tuple(map(keys.api_server, platform.regions))
    title = "one root, an intermediate of its own per region"
    authorities = partial(check_authorities, platform)
    issued = partial(check_issued, platform)
    title_of = "sidecars of {} have SPIFFE identities from its intermediate"
    identities = platform.per_region("trust", keys.identities, title_of, check_identities, "mesh", _below)
    return [
        Check(keys.ISSUED_CERTIFICATES, "trust", "what was issued is valid", issued, declared=()),
        Check(
            keys.MESH_AUTHORITIES,
            "trust",
            title,
            authorities,
            servers,
            rests_on=(keys.ISSUED_CERTIFICATES,),
            declared=("mesh",),
        ),
        *(identities if platform.applications_of_mesh() else ()),
    ]


def _below(platform: Platform, region: str) -> tuple[Key, ...]:
    return (keys.MESH_AUTHORITIES, keys.istiod(region), *foundations.applications(platform, region))


def check_issued(platform: Platform, watch: Watch) -> Finding:
    """All authorities, certificates and tokens that `up` has issued hold, and for a while."""
    watch.at("the stack's state")
    return expiry.finding(platform.issued)


@dataclass(frozen=True)
class Authority:
    """What istiod of one region signs with."""

    intermediate: x509.Certificate
    root: x509.Certificate


def read_authority(platform: Platform, region: str) -> Authority:
    """Raises `NotMeasurable` where the secret of it has no certificates, `AccessError`."""
    intermediate, root = read_mesh_authority(platform.clusters[region])
    if intermediate is None or root is None:
        raise NotMeasurable(f"the secret {CA_SECRET} of {region} has no readable certificates")
    return Authority(intermediate, root)


def check_authorities(platform: Platform, watch: Watch) -> Finding:
    """All regions have the same root; each has an intermediate of its own, signed by it and valid."""
    evidence = Evidence("one root, one valid intermediate of its own per region")
    authorities: dict[str, Authority] = {}
    for region in platform.regions:
        watch.at(f"the secret {CA_SECRET} of {region}")
        authorities[region] = read_authority(platform, region)
    for region, authority in authorities.items():
        problem = validity_problem(authority.intermediate) or validity_problem(authority.root)
        if problem:
            evidence.problem(
                f"{region}: {problem}", "Run `pulumi up`: it renews intermediates before they expire."
            )
        if not signed_by(authority.intermediate, authority.root):
            evidence.problem(
                f"{region}: {subject(authority.intermediate)} is not signed by {subject(authority.root)}",
                f"Run `pulumi up`; istiod then reloads the secret {CA_SECRET}.",
            )
        evidence.note(
            f"{region}: intermediate {fingerprint(authority.intermediate)} "
            f"valid for {left(authority.intermediate)}, "
            f"root {fingerprint(authority.root)} valid for {left(authority.root)}"
        )
    roots = {fingerprint(authority.root) for authority in authorities.values()}
    if len(roots) > 1:
        evidence.problem(
            f"there are {len(roots)} roots", f"All regions must be of one stack secret {MESH_ROOT_KEY}."
        )
    keys = {
        authority.intermediate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for authority in authorities.values()
    }
    if len(keys) < len(authorities):
        evidence.problem(
            "two regions share one intermediate key", "Replace one region's CertificateAuthority."
        )
    return evidence.finding(f"{len(roots)} root, {len(keys)} intermediates in {len(authorities)} regions")


def check_identities(platform: Platform, region: str, watch: Watch) -> Finding:
    """Every sidecar has its account's SPIFFE identity, from the region's intermediate and the one root."""
    domain = platform.stack.environment.mesh.trust_domain
    evidence = Evidence(
        f"spiffe://{domain}/ns/<namespace>/sa/<account>, signed by the intermediate of {region}"
    )
    watch.at(f"the secret {CA_SECRET} of {region}")
    authority = read_authority(platform, region)
    cluster = platform.clusters[region]
    count = 0
    for pod in mesh_pods(platform, region):
        name, namespace = pod.metadata.name, pod.metadata.namespace
        watch.at(f"the certificate of {namespace}/{name}")
        try:
            chain, roots = read_workload_chain(cluster, namespace, name)
        except AccessError as error:
            evidence.problem(error.message, "See why the sidecar does not answer: `istioctl proxy-status`.")
            continue
        count += 1
        expected = f"spiffe://{domain}/ns/{namespace}/sa/{pod.spec.service_account_name}"
        _judge(f"{namespace}/{name}", chain, roots, authority, expected, evidence)
    if not count and not evidence.problems:
        evidence.problem(
            f"no ready pod with a sidecar runs in {region}", "See the checks of the applications."
        )
    return evidence.finding(f"{count} sidecars, {len(evidence.problems)} problems")


def _judge(
    name: str,
    chain: list[x509.Certificate],
    roots: list[x509.Certificate],
    authority: Authority,
    expected: str,
    evidence: Evidence,
) -> None:
    before = len(evidence.problems)
    leaf, restart = chain[0], f"Delete pod {name}: its sidecar then asks istiod for a new certificate."
    if spiffe_ids(leaf) != [expected]:
        evidence.problem(f"{name} is {spiffe_ids(leaf)}, expected {expected}", restart)
    if authority.root not in roots:
        evidence.problem(f"{name} does not trust the root {fingerprint(authority.root)}", restart)
    if authority.intermediate not in chain:
        evidence.problem(f"{name} has a certificate of another intermediate", restart)
    problem = chain_problem(chain, authority.root) or validity_problem(leaf)
    if problem:
        evidence.problem(f"{name}: {problem}", restart)
    if len(evidence.problems) == before:
        evidence.note(f"{name}: {expected}, valid for {left(leaf)}")


def read_workload_chain(
    cluster: Cluster, namespace: str, pod: str
) -> tuple[list[x509.Certificate], list[x509.Certificate]]:
    """A sidecar's own chain, leaf first, and the roots that it trusts, from its Envoy's configuration dump.

    Envoy leaves private keys out of the dump. Raises `AccessError` if it cannot be read.
    """
    command = ["pilot-agent", "request", "GET", "config_dump?resource=dynamic_active_secrets"]
    done = cluster.execute(namespace, pod, "istio-proxy", command)
    try:
        secrets = {entry["name"]: entry["secret"] for entry in json.loads(done.stdout)["configs"]}
        own = secrets["default"]["tls_certificate"]["certificate_chain"]["inline_bytes"]
        trusted = secrets["ROOTCA"]["validation_context"]["trusted_ca"]["inline_bytes"]
        return parse_chain(base64.b64decode(own)), parse_chain(base64.b64decode(trusted))
    except (ValueError, KeyError) as error:
        words = (done.stderr or done.stdout).strip()[:200]
        raise AccessError(
            f"{namespace}/{pod}: its Envoy shows no certificate ({error!r}): {words}"
        ) from error
