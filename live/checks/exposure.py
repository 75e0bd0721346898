"""Does a request get through: load-balancer address, gateway, TLS, route, sidecar, pod?"""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from cryptography import x509

from access import network
from components.manifests.mesh import GATEWAY_LABELS
from components.manifests.network import NAMESPACE
from live.certificates import left, subject, validity_problem
from live.checks import routes
from live.checks.answers import answers, through
from live.doctor import foundations, keys
from live.doctor.keys import Key
from live.doctor.model import Check, Evidence, Finding, NotMeasurable, Watch
from live.doctor.parts import Part, part_checks
from live.doctor.platform import Platform
from live.doctor.pods import selecting
from live.gateways import gateway_of, unready
from stacks.certificates import renewal
from stacks.given import SYSTEM
from stacks.model import HTTP_PORT, HTTPS_PORT, Exposed, IngressPath, IngressSpec, RegionSpec
from stacks.system_namespaces import ISTIO_INGRESS

if TYPE_CHECKING:
    from kubernetes.client import V1Service

_SELECTOR = selecting(GATEWAY_LABELS)
GATEWAY = Part("gateway", ISTIO_INGRESS, _SELECTOR, "mesh")
METALLB = Part("metallb", NAMESPACE, "app=metallb", "regions.{}.loadBalancer", at_least=2)


def checks(platform: Platform) -> list[Check]:
    """The checks of this column."""
    regions = platform.stack.environment.regions
    address = "the gateway of {} has the addresses that clients are told"
    ready = "the gateway of {} serves its clients"
    readiness = platform.per_region(
        "exposure",
        keys.gateway_readiness,
        ready,
        check_gateway_readiness,
        "mesh",
        foundations.serving,
        needs=(),
    )
    published = partial(check_published_ca, platform)
    return [
        # An adopted cluster brings its own load balancer, whatever it is.
        *part_checks(
            platform,
            "exposure",
            METALLB,
            where=lambda region: regions[region].load_balancer is not None,
        ),
        *part_checks(platform, "exposure", GATEWAY, foundations.sidecars),
        *platform.per_region(
            "exposure", keys.gateway_address, address, check_gateway_address, "mesh", _balanced
        ),
        # Without a name that it could be asked for, there is nothing that it serves.
        *(readiness if platform.exposed else ()),
        Check(
            keys.PUBLISHED_CA,
            "exposure",
            "the CA is valid",
            published,
            rests_on=(keys.ISSUED_CERTIFICATES,),
            declared=("domain",),
        ),
        *routes.taken(platform),
        *(check for exposed in platform.exposed for check in _host(platform, exposed)),
    ]


def _balanced(platform: Platform, region: str) -> tuple[Key, ...]:
    balanced = platform.stack.environment.regions[region].load_balancer is not None
    return (keys.metallb(region),) if balanced else ()


def _host(platform: Platform, exposed: Exposed) -> list[Check]:
    checks, key = [], exposed.owner
    for region in platform.regions:
        run = partial(check_served_certificate, platform, region, exposed)
        title = f"the gateway of {region} has a valid certificate for {exposed.host}"
        served = keys.certificate(region, exposed.host)
        below = (keys.PUBLISHED_CA, keys.ISSUED_CERTIFICATES, *foundations.gateway(platform, region))
        checks.append(Check(served, "exposure", title, run, rests_on=below, region=region, declared=key))
    kind, name = key
    checks += _paths(platform, name) if kind == "ingresses" else routes.answered(platform, name, exposed)
    if exposed.redirect_http:
        redirect = partial(check_redirect, platform, exposed)
        title = f"http://{exposed.host} is answered by a redirect to https"
        below = foundations.answers(platform, dns=exposed.dns)
        answered = keys.http(exposed.host)
        checks.append(Check(answered, "exposure", title, redirect, rests_on=below, declared=key))
    return checks


def _paths(platform: Platform, name: str) -> list[Check]:
    checks, spec = [], platform.ingresses[name]
    for entry in spec.paths:
        title = f"https://{spec.host}{entry.path} is answered by {entry.application}"
        path = partial(check_path, platform, spec, entry)
        below = (
            *foundations.answers(platform, dns=spec.dns),
            *(keys.certificate(region, spec.host) for region in platform.regions),
            *foundations.all_applications(platform, entry.application),
        )
        answered = keys.https(spec.host, entry.path)
        declared = ("ingresses", name)
        checks.append(Check(answered, "exposure", title, path, rests_on=below, declared=declared))
    return checks


def check_gateway_address(platform: Platform, region: str, watch: Watch) -> Finding:
    """The ingress gateway's service has the addresses that the outputs promise, a pool's or nodes'."""
    watch.at(f"the gateway's service in {region}")
    told = {str(address) for address in platform.outputs.regions[region].gateway_addresses}
    spec = platform.stack.environment.regions[region]
    expected = ", ".join(sorted(told))
    evidence = Evidence(f"{expected or 'an address'}{_of(spec)}")
    services = (
        platform.clusters[region].core.list_namespaced_service(ISTIO_INGRESS, label_selector=_SELECTOR).items
    )
    addresses = [address for service in services for address in _addresses(service)]
    if not told or not told.issubset(name.lower().removesuffix(".") for name in addresses):
        first = "" if spec.gateway_nodes else "See the check of metallb; then "
        evidence.problem(
            f"the service has {', '.join(addresses) or 'no address'}",
            f"{first}`kubectl -n {ISTIO_INGRESS} describe service`.",
        )
    elif spec.gateway_nodes and told != set(map(str, spec.gateway_addresses)):
        evidence.problem(f"{expected} is not what the declared nodes have", "Run `pulumi up`.")
    elif (span := spec.load_balancer) and not all(
        isinstance(address.value, IPv4Address) and span.first <= address.value <= span.last
        for address in platform.outputs.regions[region].gateway_addresses
    ):
        evidence.problem(f"{expected} is outside the declared range", "Run `pulumi up`.")
    return evidence.finding(", ".join(addresses) or "none")


def _of(spec: RegionSpec) -> str:
    """Whose the addresses of a region's gateway are to be, as far as it is declared."""
    if spec.gateway_nodes:
        return f" of {', '.join(spec.gateway_nodes)}"
    return f" of {spec.load_balancer.first}-{spec.load_balancer.last}" if spec.load_balancer else ""


def _addresses(service: V1Service) -> list[str]:
    """Where a service is reached from outside."""
    balanced = (service.status.load_balancer and service.status.load_balancer.ingress) or ()
    return [str(entry.ip or entry.hostname) for entry in balanced] + list(service.spec.external_ips or ())


def check_gateway_readiness(platform: Platform, region: str, watch: Watch) -> Finding:
    """The gateway serves clients at its public address, as the edge hosts' probers ask it."""
    evidence = Evidence("an answer for a declared name and path, over TLS that is verified")
    watch.at(f"the readiness of the gateway of {region}")
    gateway = gateway_of(platform.outputs, region)
    if gateway is None:
        evidence.problem(f"the outputs name no gateway address for {region}", "Run `pulumi up`.")
        return evidence.finding("nothing")
    unready_addresses = unready(platform, gateway)
    for address, words in unready_addresses.items():
        evidence.problem(
            f"{address}: {words}",
            f"See the checks gateway/{region} and gateway-address/{region}, and whether this machine has a "
            f"route to {address}.",
        )
    evidence.note(str(gateway))
    words = "; ".join(f"{address}: {words}" for address, words in unready_addresses.items())
    return evidence.finding(words or f"an answer from {gateway}")


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


def check_served_certificate(platform: Platform, region: str, exposed: Exposed, watch: Watch) -> Finding:
    """The gateway's certificate: signed by whom its clients trust, for that host, valid for a while."""
    evidence = Evidence(f"a certificate for {exposed.host}, signed by {_trusted(platform, exposed)}, valid")
    watch.at(f"a TLS handshake with the gateway of {region}")
    context = network.trusting(platform.outputs.authorities_of(exposed.example))
    given = platform.stack.environment.certificate_of(exposed.host)
    issued = "Run `pulumi up`: it issues certificates before they expire; then see the gateway's log."
    fix = f"{renewal(given)} Then see the gateway's log." if given else issued
    gateway = gateway_of(platform.outputs, region)
    if gateway is None or gateway.problem:
        why = gateway.problem if gateway else f"the outputs name no gateway address for {region}"
        raise NotMeasurable(why, f"See the check gateway-readiness/{region}.")
    validities = []
    for address in gateway.resolved:
        try:
            chain = network.served_chain(address, exposed.example, context, port=HTTPS_PORT)
        except OSError as error:
            evidence.problem(f"the handshake for {exposed.host} with {address} fails: {error}", fix)
            continue
        leaf = x509.load_der_x509_certificate(chain[0])
        if problem := validity_problem(leaf):
            evidence.problem(f"the certificate {subject(leaf)} of {address} {problem}", fix)
        until = f"{leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        evidence.note(f"{address}: serial {leaf.serial_number:x}, valid until {until}")
        validities.append(f"valid for {left(leaf)}")
    return evidence.finding(", ".join(dict.fromkeys(validities)) or "no verified certificate")


def _trusted(platform: Platform, exposed: Exposed) -> str:
    """Whom clients of a host trust, in words."""
    environment = platform.stack.environment
    given = environment.certificate_of(exposed.host)
    if given is None:
        return "the output caCertificate"
    return f"the `ca` of certificate '{given}'" if environment.certificates[given].given.ca else SYSTEM


def check_path(platform: Platform, spec: IngressSpec, entry: IngressPath, watch: Watch) -> Finding:
    """Through every address that name servers answer, the path gets 200 from its application."""
    evidence = Evidence(f"200 from {entry.application}, through every answered address")
    asked, served = 0, []
    for where, answer in through(platform, spec.example, entry.path, watch, dns=spec.dns, port=HTTPS_PORT):
        asked += 1
        service = answer.document.get("service")
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
            pod, region = answer.document.get("pod"), answer.document.get("region")
            evidence.note(f"through {where}: 200 from pod {pod} in region {region}")
            served.append(str(region))
    return evidence.finding(
        f"200 through {len(served)} of {asked} addresses"
        + (f", answered in {', '.join(sorted(set(served)))}" if served else "")
    )


def check_redirect(platform: Platform, exposed: Exposed, watch: Watch) -> Finding:
    """Through every address, plain HTTP is answered by a redirect to the same host over HTTPS."""
    url = f"http://{exposed.example}/"
    evidence = Evidence(f"301 from {url}, to https")
    redirects = 0
    for address in answers(platform, exposed.example, watch, dns=exposed.dns):
        watch.at(f"{url} through {address}")
        answer = network.get_http(address, HTTP_PORT, "/", host=exposed.example)
        if answer.status == 301 and answer.location.startswith(f"https://{exposed.example}"):
            evidence.note(f"through {address}: to {answer.location}")
            redirects += 1
        else:
            said = answer.problem or f"HTTP {answer.status} {answer.location}".rstrip()
            asked = "gateways.networking.istio.io,authorizationpolicies"
            fix = f"Compare `kubectl -n {ISTIO_INGRESS} get {asked}`."
            evidence.problem(f"through {address}: {said}", fix)
    return evidence.finding(f"a redirect through {redirects} addresses")


def _fix(status: int, entry: IngressPath) -> str:
    if status == 404:
        return (
            "The gateway has no such route: see whether istiod took the Ingress (`kubectl get ingress -A`)."
        )
    if status in (502, 503, 504):
        return f"The route leads to no answering pod: see the check application/<region>/{entry.application}."
    return "Read the gateway's and the application's logs."
