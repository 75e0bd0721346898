"""Does each API server answer as the managed cluster's, and do the cluster's own parts run?"""

from __future__ import annotations

import json

from access import webhooks
from live.certificates import left, parse_chain, validity_problem
from live.checks import backups, control_planes, endpoint
from live.doctor import expiry, foundations, keys
from live.doctor.keys import Key
from live.doctor.model import Check, Evidence, Finding, Watch
from live.doctor.parts import Part, part_checks
from live.doctor.platform import Platform
from live.expiry import clusters
from live.expiry.listed import renewers
from stacks.system_namespaces import KUBE_SYSTEM

_KEY = "regions.{}.cluster"
COREDNS = Part("coredns", KUBE_SYSTEM, "k8s-app=kube-dns", _KEY)
KUBE_PROXY = Part("kube-proxy", KUBE_SYSTEM, "k8s-app=kube-proxy", _KEY)


def checks(platform: Platform) -> list[Check]:
    """The checks of this column."""
    regions = platform.stack.environment.regions
    title = "the API server of {} answers and is the managed one"
    return [
        *control_planes.checks(platform),
        *backups.checks(platform),
        *endpoint.checks(platform),
        *platform.per_region("clusters", keys.api_server, title, check_api_server, _KEY, _below, needs=()),
        *platform.per_region(
            "clusters",
            keys.cluster_certificates,
            "certificates that the cluster of {} shows are valid",
            check_cluster_certificates,
            _KEY,
            lambda platform, region: (keys.ISSUED_CERTIFICATES,),
        ),
        *platform.per_region(
            "clusters",
            keys.admission,
            "webhooks of {} that fail closed have a service",
            check_admission,
            _KEY,
            lambda platform, region: (),
        ),
        *part_checks(platform, "clusters", COREDNS),
        # An adopted cluster brings its own proxy, whatever it is.
        *part_checks(
            platform,
            "clusters",
            KUBE_PROXY,
            foundations.pods,
            where=lambda region: regions[region].cluster.kind != "adopted",
        ),
    ]


def _below(platform: Platform, region: str) -> tuple[Key, ...]:
    parts = map(keys.control_plane, foundations.control_planes(platform, region))
    return (*parts, *foundations.credentials(platform, region))


def check_api_server(platform: Platform, region: str, watch: Watch) -> Finding:
    """Readiness, version, identity, and the life left in the kubeconfig's certificate."""
    cluster = platform.clusters[region]
    output = platform.outputs.regions[region]
    declared = platform.stack.environment.versions_of(region).kubernetes
    kubernetes = f"Kubernetes {declared}" if declared else "any supported Kubernetes"
    evidence = Evidence(f"{output.api_server} ready, {kubernetes}, the cluster recorded in the state")

    watch.at(f"{cluster.server}/readyz")
    status, body = cluster.answer("GET", "/readyz?verbose")
    if status == 200:
        evidence.note("/readyz answers 200")
    else:
        bad = [line for line in body.splitlines() if line.startswith("[-]")] or [body.strip()[:200]]
        evidence.problem(
            f"/readyz answers {status}: {'; '.join(bad)}",
            f"Read the API server's log on the control-plane node of {region} (`crictl logs`).",
        )
    if cluster.server != output.api_server.rstrip("/"):
        evidence.problem(
            f"the kubeconfig leads to {cluster.server}, the outputs say {output.api_server}",
            "Run `pulumi up` again.",
        )
    watch.at(f"{cluster.server}/version")
    status, body = cluster.answer("GET", "/version")
    running = json.loads(body).get("gitVersion", "") if status == 200 else f"unknown (HTTP {status})"
    # Of an adopted cluster the minor version may be all that is declared, and clouds append their own.
    if declared and not f"{running}.".replace("-", ".").startswith(f"v{declared}."):
        evidence.problem(
            f"runs Kubernetes {running}, declared is {declared}", "Run `pulumi up`, or the upgrade."
        )
    watch.at("the namespace kube-system")
    uid = cluster.uid()
    recorded = platform.identities.get(region)
    if recorded == uid:
        evidence.note(f"kube-system has the UID {uid}, as recorded")
    else:
        evidence.problem(
            f"kube-system has the UID {uid}, the state recorded {recorded or 'none'}",
            "Another cluster answers here than the stack manages: change nothing before you know why.",
        )
    _client_certificate(platform, region, evidence)
    return evidence.finding(f"{cluster.server} answers, {running}, UID {uid[:8]}…")


def check_cluster_certificates(platform: Platform, region: str, watch: Watch) -> Finding:
    """What the API server serves by, what objects hold, what webhooks are known by: valid, for a while."""
    watch.at(f"certificates of the cluster of {region}")
    adopted = platform.stack.environment.regions[region].cluster.kind == "adopted"
    issued = renewers(platform.issued)
    return expiry.finding(clusters.look(platform.clusters[region], issued, adopted=adopted))


def check_admission(platform: Platform, region: str, watch: Watch) -> Finding:
    """Nothing is written that a webhook is asked about which fails closed, and whose service is not there.

    Whether the service answers is the matter of whoever runs it, and of the checks of its pods.
    """
    cluster = platform.clusters[region]
    watch.at(f"webhooks of {region}")
    evidence = Evidence("a service for each webhook that fails closed")
    there: dict[str, bool] = {}
    for kind, name, hook in webhooks.configured(cluster.get):
        service = (hook.get("clientConfig") or {}).get("service")
        if not service or hook.get("failurePolicy") == "Ignore":
            continue
        path = f"/api/v1/namespaces/{service['namespace']}/services/{service['name']}"
        if path not in there:
            there[path] = cluster.get(path) is not None
        asked = f"service {service['name']} in {service['namespace']}"
        if there[path]:
            evidence.note(f"{hook['name']} asks {asked}")
        else:
            evidence.problem(
                f"the webhook {hook['name']} of {kind} {name} asks the {asked}, which is not there: what it "
                "is asked about is not written",
                f"Bring the service back, or `kubectl delete {kind.lower()} {name}`.",
            )
    return evidence.finding(f"{len(there)} services are asked")


def _client_certificate(platform: Platform, region: str, evidence: Evidence) -> None:
    pem = platform.clusters[region].client_certificate
    if pem is None:
        return
    certificate = parse_chain(pem)[0]
    problem = validity_problem(certificate)
    if problem:
        evidence.problem(f"the kubeconfig's certificate {problem}", "Run `pulumi up`: it issues a new one.")
    else:
        evidence.note(f"the kubeconfig's certificate is valid for {left(certificate)}")
