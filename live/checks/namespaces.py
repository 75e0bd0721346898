"""Do namespaces that are declared STRICT refuse plain text, and take mTLS?"""

from __future__ import annotations

from typing import Any

from live.doctor import foundations, keys
from live.doctor.keys import Key
from live.doctor.model import Check, Evidence, Finding, Watch
from live.doctor.parts import has_sidecar
from live.doctor.platform import Platform
from live.doctor.pods import is_ready, selecting
from live.doctor.probes import PROBE_SECONDS, Answer


def checks(platform: Platform) -> list[Check]:
    """The checks of this column."""
    title = "plain text from outside the mesh is refused in {}"
    if not _strict(platform):
        return []
    return platform.per_region(
        "namespaces",
        keys.strict_mtls,
        title,
        check_strict,
        "namespaces",
        _below,
        (keys.istiod,),
        PROBE_SECONDS,
    )


def _below(platform: Platform, region: str) -> tuple[Key, ...]:
    return (
        *foundations.sidecars(platform, region),
        *foundations.applications(platform, region),
        keys.identities(region),
    )


def check_strict(platform: Platform, region: str, watch: Watch) -> Finding:
    """A plain-text request from a pod outside the mesh is refused by every application, the same from
    inside answered.

    Both go to the application's pod and to its service. "Refused" means that the connection was made and
    then closed: what cannot be reached at all proves nothing.
    """
    environment = platform.stack.environment
    evidence = Evidence("outside the mesh: refused; inside: 200; for each application")
    outside, inside = (platform.probes[region].ready(role, watch) for role in ("outside", "inside"))
    asked = 0
    for name in _strict(platform):
        spec = environment.applications[name]
        path = _path(platform, name)
        for target in _targets(platform, region, name):
            asked += 1
            url = f"http://{target}:{spec.port}{path}"
            watch.at(f"{url} from outside the mesh")
            refused = _refused(outside.get(url))
            if not refused:
                evidence.note(f"{name} at {target}: refused from outside the mesh")
            else:
                evidence.problem(
                    f"{name} at {target}, from outside the mesh: {refused}",
                    f"See `kubectl -n {spec.namespace} get peerauthentication`, and the pod's sidecar.",
                )
        url = f"http://{name}.{spec.namespace}.svc.cluster.local:{spec.port}{path}"
        watch.at(f"{url} from inside the mesh")
        _answered(name, inside.get(url), evidence)
    if not asked:
        evidence.problem(
            "no application of the mesh has a running pod", "See the checks of the applications."
        )
    return evidence.finding(f"{asked} plain-text requests, {len(evidence.problems)} problems")


def _strict(platform: Platform) -> list[str]:
    """Names of the applications of the mesh that refuse plain text."""
    environment = platform.stack.environment
    return [
        name
        for name in platform.applications_of_mesh()
        if environment.namespaces[environment.applications[name].namespace].mtls == "STRICT"
    ]


def _path(platform: Platform, name: str) -> str:
    """A path that the application serves: an ingress' one, or its readiness path."""
    for spec in platform.ingresses.values():
        for entry in spec.paths:
            if entry.application == name:
                return entry.path
    return platform.stack.environment.applications[name].readiness_path


def _targets(platform: Platform, region: str, name: str) -> list[str]:
    """Addresses of the application's first ready pod and of its service in the region."""
    spec = platform.stack.environment.applications[name]
    core = platform.clusters[region].core
    service = core.read_namespaced_service(name, spec.namespace)
    selector = selecting(service.spec.selector)
    listed: list[Any] = core.list_namespaced_pod(spec.namespace, label_selector=selector).items
    ready = sorted(pod.status.pod_ip for pod in listed if is_ready(pod) and has_sidecar(pod))
    # With no pod here the service's address leads nowhere outside the mesh, and a refusal would prove
    # nothing.
    return [ready[0], service.spec.cluster_ip] if ready else []


def _refused(answer: Answer) -> str:
    """Nothing if the connection was made and then closed; else what happened instead."""
    if answer.closed:
        return ""
    if answer.status:
        return f"it was answered with HTTP {answer.status}, in plain text"
    return f"not reached, which proves nothing: {answer.problem}"


def _answered(name: str, answer: Answer, evidence: Evidence) -> None:
    if answer.status != 200:
        evidence.problem(
            f"{name}, from inside the mesh: {answer.problem}",
            "See `istioctl proxy-status` and the sidecars' logs.",
        )
        return
    caller = (answer.document.get("peer") or {}).get("uri", "a caller that the answer does not name")
    evidence.note(
        f"{name}: 200 inside the mesh, to {caller}, from {answer.document.get('region', 'a region')}"
    )
