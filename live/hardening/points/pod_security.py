"""Section 5.2: what pods of applications may do on their nodes, and what they do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from live.hardening.cluster_judges import Judge, Object, needing, no_pod, own_namespaces
from live.hardening.facts import ClusterFacts
from live.hardening.model import Decider, Point, Scope, State, Verdict, apart, either, few
from policies.objects import containers
from policies.privileges import privileges

_ENFORCE = "pod-security.kubernetes.io/enforce"
_LEVELS = ("baseline", "restricted")


@needing("namespaces", "pods")
def _enforced(facts: ClusterFacts) -> Verdict:
    namespaces = {
        found["metadata"]["name"]: (found["metadata"].get("labels") or {}).get(_ENFORCE, "nothing")
        for found in own_namespaces(facts)
    }
    if not namespaces:
        return apart("there are no namespaces but the platform's own")
    open_ones = [
        f"{name} enforces {level}" for name, level in sorted(namespaces.items()) if level not in _LEVELS
    ]
    return either(not open_ones, few(open_ones) if open_ones else f"all of {len(namespaces)} do")


def _asks_for(beginning: str, spec: Object) -> Iterator[str]:
    """Where a pod asks for a privilege, as the gate's policy on them has it."""
    for privilege, words in privileges(spec):
        if privilege.split(" ")[0] == beginning:
            yield words


def _as_root(spec: Object) -> Iterator[str]:
    of_pod = spec.get("securityContext") or {}
    for words, container in containers(spec):
        context = {**of_pod, **(container.get("securityContext") or {})}
        user = context.get("runAsUser")
        if user == 0 or (user is None and context.get("runAsNonRoot") is not True):
            yield f"{words} may run as root"


def _capabilities(raw_only: bool, spec: Object) -> Iterator[str]:
    """The runtime's own list has NET_RAW in it: who does not drop it has it."""
    for words, container in containers(spec):
        capabilities = (container.get("securityContext") or {}).get("capabilities") or {}
        added, dropped = set(capabilities.get("add") or ()), set(capabilities.get("drop") or ())
        added -= set() if raw_only else {"NET_BIND_SERVICE"}
        counted = added & {"NET_RAW", "ALL"} if raw_only else added
        if counted:
            yield f"{words} adds {', '.join(sorted(counted))}"
        elif not dropped & ({"ALL", "NET_RAW"} if raw_only else {"ALL"}):
            yield f"{words} does not drop {'NET_RAW' if raw_only else 'ALL'}"


def _point(
    number: str,
    title: str,
    wanted: str,
    judge: Judge,
    *,
    default: State = State.HOLDS,
    today: str = "applications of the declaration never do, and the gate refuses pods that do",
    decided_by: Decider = Decider.COMPONENT,
    fix: str = "",
) -> Point[ClusterFacts]:
    return Point(
        number=number,
        title=title,
        scope=Scope.CLUSTER,
        wanted=wanted,
        decided_by=decided_by,
        judge=judge,
        fix=fix or f"set in the pods that are named: {wanted}",
        default=default,
        today=today,
    )


def _never(number: str, title: str, privilege: str, wanted: str) -> Point[ClusterFacts]:
    return _point(number, title, wanted, no_pod(partial(_asks_for, privilege)))


_SIDECARS = (
    "Istio's init container redirects traffic as root with NET_ADMIN and NET_RAW, in each pod with a "
    "sidecar; what does it on the node instead (istio-cni) is not built yet"
)
_NO_SIDECAR = "declare `injection: false` where no mesh is needed; in pods of your own, "

POINTS: tuple[Point[ClusterFacts], ...] = (
    _point(
        "5.2.1",
        "Each namespace of applications holds its pods to a standard",
        f"{_ENFORCE}: baseline or restricted",
        _enforced,
        default=State.FAILS,
        decided_by=Decider.DECLARATION,
        today="with sidecars, `privileged` is enforced, and breaches of `restricted` are warned about and "
        "audited; without them `restricted` is enforced",
        fix="declare `injection: false` and `podSecurity` of namespaces that need no mesh",
    ),
    _never("5.2.2", "No container may do all that its node may", "privileged", "privileged: false"),
    _never("5.2.3", "No pod sees its node's processes", "hostPID", "hostPID: false"),
    _never("5.2.4", "No pod shares its node's memory", "hostIPC", "hostIPC: false"),
    _never("5.2.5", "No pod is on its node's network", "hostNetwork", "hostNetwork: false"),
    _never("5.2.6", "No process gains rights", "allowPrivilegeEscalation", "allowPrivilegeEscalation: false"),
    _point(
        "5.2.7",
        "No container runs as root",
        "runAsNonRoot: true, or another runAsUser than 0",
        no_pod(_as_root),
        default=State.FAILS,
        today=_SIDECARS,
        fix=_NO_SIDECAR + "set runAsNonRoot: true",
    ),
    _point(
        "5.2.8",
        "No container forges packets (NET_RAW)",
        "capabilities: {drop: [ALL]}",
        no_pod(partial(_capabilities, True)),
        default=State.FAILS,
        today=_SIDECARS,
        fix=_NO_SIDECAR + "drop ALL",
    ),
    _point(
        "5.2.9",
        "Containers have no capabilities",
        "capabilities: {drop: [ALL]}, and none added but NET_BIND_SERVICE",
        no_pod(partial(_capabilities, False)),
        default=State.FAILS,
        today=_SIDECARS,
        fix=_NO_SIDECAR + "drop ALL",
    ),
    _never("5.2.10", "No container is a process of a Windows node", "hostProcess", "hostProcess: false"),
    _never("5.2.11", "No pod mounts a directory of its node", "hostPath", "no hostPath"),
    _never("5.2.12", "No pod takes a port of its node", "hostPort", "no hostPort"),
)
