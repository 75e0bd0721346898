"""Does a request get through: name, gateway, TLS, route, sidecar, pod?"""

from __future__ import annotations

from cryptography import x509

from access import network
from live.doctor.certificates import left, subject, validity_problem
from live.doctor.model import Evidence, Finding, NotMeasurable, Watch
from live.doctor.platform import HTTPS_PORT, Platform
from stacks.model import IngressPath, IngressSpec


def check_path(platform: Platform, spec: IngressSpec, entry: IngressPath, watch: Watch) -> Finding:
    """Through every address that the name servers answer, the path gets 200 from the application that it is
    of.
    """
    url = f"https://{spec.host}{entry.path}"
    evidence = Evidence(f"200 from {entry.application}, through every answered address")
    context = network.trusting(platform.outputs.ca_certificate)
    owners = {address: region for region, address in platform.gateways.items()}
    addresses = _answers(platform, spec.host, watch)
    if not addresses:
        raise NotMeasurable("no name server answers with an address", "See the checks of the name servers.")
    served = []
    for address in addresses:
        watch.at(f"{url} through {address}")
        answer = network.get_https(address, spec.host, entry.path, context, port=HTTPS_PORT)
        service = answer.document.get("service")
        where = f"{address} ({owners.get(address, 'no region of ours')})"
        if answer.problem:
            evidence.problem(f"through {where}: {answer.problem}", "See the checks of that region's gateway.")
        elif answer.status != 200:
            said = f"through {where}: HTTP {answer.status}: {answer.body.strip()[:200]}"
            evidence.problem(said, _fix(answer.status, entry))
        elif service != entry.application:
            evidence.problem(
                f"through {where}: answered by {service!r} instead of {entry.application}",
                f"Compare the paths of the Ingress in namespace {spec.namespace} with the stack file.",
            )
        else:
            found = answer.document
            evidence.note(f"through {where}: 200 from pod {found.get('pod')} in region {found.get('region')}")
            served.append(str(found.get("region")))
    return evidence.finding(
        f"200 through {len(served)} of {len(addresses)} addresses"
        + (f", answered in {', '.join(sorted(set(served)))}" if served else "")
    )


def _answers(platform: Platform, host: str, watch: Watch) -> list[str]:
    """Every address that any name server answers."""
    found: set[str] = set()
    for server in platform.outputs.nameservers:
        watch.at(f"{server} for {host}")
        found.update(network.ask(server, host, seconds=2).addresses)
    return sorted(found)


def _fix(status: int, entry: IngressPath) -> str:
    if status == 404:
        return (
            "The gateway has no such route: see whether istiod took the Ingress (`kubectl get ingress -A`)."
        )
    if status in (502, 503, 504):
        return f"The route leads to no answering pod: see the check application/<region>/{entry.application}."
    return "Read the gateway's and the application's logs."


def check_served_certificate(platform: Platform, region: str, spec: IngressSpec, watch: Watch) -> Finding:
    """The gateway's certificate: signed by the published CA, for that host, valid for a while."""
    address = platform.gateways.get(region)
    evidence = Evidence(f"a certificate for {spec.host}, signed by the output caCertificate, valid")
    watch.at(f"a TLS handshake with {address}")
    context = network.trusting(platform.outputs.ca_certificate)
    fix = "Run `pulumi up`: it issues certificates before they expire; then see the gateway's log."
    try:
        chain = network.served_chain(str(address), spec.host, context, port=HTTPS_PORT)
    except OSError as error:
        evidence.problem(f"the handshake for {spec.host} fails: {error}", fix)
        return evidence.finding("no verified certificate")
    leaf = x509.load_der_x509_certificate(chain[0])
    problem = validity_problem(leaf)
    if problem:
        evidence.problem(f"the certificate {subject(leaf)} {problem}", fix)
    evidence.note(f"serial {leaf.serial_number:x}, valid until {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
    return evidence.finding(f"valid for {left(leaf)}")


def check_published_ca(platform: Platform, watch: Watch) -> Finding:
    """The CA that clients trust is itself valid."""
    watch.at("the stack's outputs")
    evidence = Evidence("a CA certificate that is valid for a while")
    authority = x509.load_pem_x509_certificate(platform.outputs.ca_certificate.encode())
    problem = validity_problem(authority)
    if problem:
        evidence.problem(
            f"the CA {subject(authority)} {problem}", "Renew the CA with `pulumi up` and publish it."
        )
    return evidence.finding(f"{subject(authority)}, valid for {left(authority)}")
