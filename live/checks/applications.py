"""Do the applications run as declared, and if not, what do their pods say?"""

from __future__ import annotations

from functools import partial

from live.doctor import foundations, keys
from live.doctor.keys import Key
from live.doctor.model import Check, Evidence, Finding, Watch
from live.doctor.parts import Workload, explain_unready, has_sidecar
from live.doctor.platform import Platform


def checks(platform: Platform) -> list[Check]:
    """The checks of this column."""
    return [
        Check(
            keys.application(region, name),
            "applications",
            f"{name} is ready in {region}",
            partial(check_application, platform, region, name),
            (keys.api_server(region),),
            rests_on=_below(platform, region, name),
            region=region,
            declared=("applications", name),
        )
        for name in sorted(platform.stack.environment.applications)
        for region in platform.regions
    ]


def _below(platform: Platform, region: str, name: str) -> tuple[Key, ...]:
    environment = platform.stack.environment
    injected = environment.namespaces[environment.applications[name].namespace].injection
    # Without a sidecar, too, an application asks for names.
    plain = (*foundations.services(platform, region), keys.coredns(region))
    return foundations.sidecars(platform, region) if injected else plain


def check_application(platform: Platform, region: str, name: str, watch: Watch) -> Finding:
    """As many pods as declared are ready, with sidecars where they are declared."""
    cluster = platform.clusters[region]
    spec = platform.stack.environment.applications[name]
    injected = platform.stack.environment.namespaces[spec.namespace].injection
    sidecar = " with a sidecar" if injected else ""
    evidence = Evidence(f"{spec.replicas} ready pods{sidecar}")
    watch.at(f"deployment {spec.namespace}/{name} in {region}")
    deployment = cluster.apps.read_namespaced_deployment(name, spec.namespace)
    workload = Workload.of_deployment(deployment)
    if workload.wanted != spec.replicas:
        evidence.problem(
            f"it is scaled to {workload.wanted}, declared is {spec.replicas}",
            f"Scale it back, or run `pulumi up --refresh`: "
            f"`kubectl -n {spec.namespace} scale deployment {name} --replicas={spec.replicas}`.",
        )
    if workload.ready < spec.replicas:
        explain_unready(cluster, spec.namespace, workload, evidence)
    watch.at(f"pods of {spec.namespace}/{name} in {region}")
    running = cluster.core.list_namespaced_pod(spec.namespace, label_selector=workload.selector).items
    with_sidecar = [pod for pod in running if has_sidecar(pod)]
    if injected and len(with_sidecar) < len(running):
        evidence.problem(
            f"{len(running) - len(with_sidecar)} of {len(running)} pods have no sidecar",
            f"Restart them: `kubectl -n {spec.namespace} rollout restart deployment {name}`.",
        )
    for pod in running:
        evidence.note(f"{pod.metadata.name} on {pod.spec.node_name}: {pod.status.pod_ip}")
    return evidence.finding(f"{workload.ready}/{spec.replicas} ready{sidecar if with_sidecar else ''}")
