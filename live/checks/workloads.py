"""Are the platform's own parts and the applications ready, and if not, what do their pods say?"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from live.doctor import pods
from live.doctor.model import Evidence, Finding, Watch
from live.doctor.platform import (
    INGRESS_NAMESPACE,
    INGRESS_SELECTOR,
    ISTIO_SYSTEM,
    METALLB_NAMESPACE,
    Platform,
)


@dataclass(frozen=True)
class Part:
    """A part of the platform: the Deployments and DaemonSets of a namespace that carry a label."""

    name: str
    namespace: str
    selector: str
    at_least: int = 1


COREDNS = Part("coredns", "kube-system", "k8s-app=kube-dns")
KUBE_PROXY = Part("kube-proxy", "kube-system", "k8s-app=kube-proxy")
ISTIOD = Part("istiod", ISTIO_SYSTEM, "app=istiod")
GATEWAY = Part("gateway", INGRESS_NAMESPACE, INGRESS_SELECTOR)
METALLB = Part("metallb", METALLB_NAMESPACE, "app=metallb", at_least=2)


def check_part(platform: Platform, region: str, part: Part, watch: Watch) -> Finding:
    """Every workload of a part has all the ready pods that it asks for."""
    cluster = platform.clusters[region]
    evidence = Evidence(f"all pods of {part.name} ready")
    watch.at(f"workloads of {part.name} in {region}")
    options = {"label_selector": part.selector, "_request_timeout": 8}
    deployments = cluster.apps.list_namespaced_deployment(part.namespace, **options).items
    daemon_sets = cluster.apps.list_namespaced_daemon_set(part.namespace, **options).items
    found = len(deployments) + len(daemon_sets)
    if found < part.at_least:
        evidence.problem(
            f"{found} of {part.at_least} workloads with {part.selector} are in namespace {part.namespace}",
            "Run `pulumi up` again.",
        )
    counts = [_deployment(d) for d in deployments] + [_daemon_set(d) for d in daemon_sets]
    for name, ready, wanted, selector in counts:
        if ready >= wanted and wanted > 0:
            evidence.note(f"{name}: {ready} of {wanted} ready")
        else:
            _unready(platform, region, part.namespace, (name, ready, wanted, selector), evidence)
    return evidence.finding(
        ", ".join(f"{name} {ready}/{wanted}" for name, ready, wanted, _ in counts) or "nothing"
    )


def check_application(platform: Platform, region: str, name: str, watch: Watch) -> Finding:
    """The application's Deployment has the declared number of ready pods, with sidecars where they are
    declared.
    """
    cluster = platform.clusters[region]
    spec = platform.stack.environment.applications[name]
    injected = platform.stack.environment.namespaces[spec.namespace].injection
    sidecar = " with a sidecar" if injected else ""
    evidence = Evidence(f"{spec.replicas} ready pods{sidecar}")
    watch.at(f"deployment {spec.namespace}/{name} in {region}")
    deployment = cluster.apps.read_namespaced_deployment(name, spec.namespace, _request_timeout=8)
    _, ready, wanted, selector = _deployment(deployment)
    if wanted != spec.replicas:
        evidence.problem(
            f"it is scaled to {wanted}, declared is {spec.replicas}",
            f"Scale it back, or run `pulumi up --refresh`: "
            f"`kubectl -n {spec.namespace} scale deployment {name} --replicas={spec.replicas}`.",
        )
    if ready < spec.replicas:
        _unready(platform, region, spec.namespace, (name, ready, wanted, selector), evidence)
    watch.at(f"pods of {spec.namespace}/{name} in {region}")
    running = cluster.core.list_namespaced_pod(
        spec.namespace, label_selector=selector, _request_timeout=8
    ).items
    with_sidecar = [pod for pod in running if has_sidecar(pod)]
    if injected and len(with_sidecar) < len(running):
        evidence.problem(
            f"{len(running) - len(with_sidecar)} of {len(running)} pods have no sidecar",
            f"Restart them: `kubectl -n {spec.namespace} rollout restart deployment {name}`.",
        )
    for pod in running:
        evidence.note(f"{pod.metadata.name} on {pod.spec.node_name}: {pod.status.pod_ip}")
    return evidence.finding(f"{ready}/{spec.replicas} ready{sidecar if with_sidecar else ''}")


def has_sidecar(pod: Any) -> bool:
    """Whether the pod has Istio's proxy, as a container or as a native sidecar."""
    containers = [*(pod.spec.containers or ()), *(pod.spec.init_containers or ())]
    return any(container.name == "istio-proxy" for container in containers)


def _deployment(item: Any) -> tuple[str, int, int, str]:
    wanted = 1 if item.spec.replicas is None else item.spec.replicas
    return item.metadata.name, item.status.ready_replicas or 0, wanted, _selector(item)


def _daemon_set(item: Any) -> tuple[str, int, int, str]:
    status = item.status
    return item.metadata.name, status.number_ready or 0, status.desired_number_scheduled or 0, _selector(item)


def _selector(item: Any) -> str:
    return ",".join(
        f"{key}={value}" for key, value in sorted((item.spec.selector.match_labels or {}).items())
    )


def _unready(
    platform: Platform, region: str, namespace: str, counts: tuple[str, int, int, str], evidence: Evidence
) -> None:
    name, ready, wanted, selector = counts
    words, fixes = pods.explain(platform.clusters[region], namespace, selector, owner=name)
    evidence.problem(f"{name} has {ready} of {wanted} pods ready: {'; '.join(words) or 'no reason is given'}")
    for fix in fixes or [f"Read `kubectl -n {namespace} describe pod -l {selector}`."]:
        if fix not in evidence.fixes:
            evidence.fixes.append(fix)


def check_gateway_address(platform: Platform, region: str, watch: Watch) -> Finding:
    """The ingress gateway's service has the load-balancer address that the outputs promise."""
    watch.at(f"the gateway's service in {region}")
    address = platform.outputs.regions[region].gateway_address
    expected = str(address)
    declared = platform.stack.environment.regions[region].load_balancer
    span = f" of {declared.first}-{declared.last}" if declared else ""
    evidence = Evidence(f"{expected}{span}")
    services = (
        platform.clusters[region]
        .core.list_namespaced_service(INGRESS_NAMESPACE, label_selector=INGRESS_SELECTOR, _request_timeout=8)
        .items
    )
    found = [
        entry.ip
        for s in services
        for entry in ((s.status.load_balancer and s.status.load_balancer.ingress) or ())
    ]
    if address is None or expected not in found:
        evidence.problem(
            f"the service has {', '.join(map(str, found)) or 'no address'}",
            "See the check of metallb; then `kubectl -n istio-ingress describe service`.",
        )
    elif declared and not (
        isinstance(address.value, IPv4Address) and declared.first <= address.value <= declared.last
    ):
        evidence.problem(f"{expected} is outside the declared range", "Run `pulumi up`.")
    return evidence.finding(f"{', '.join(map(str, found)) or 'none'}")
