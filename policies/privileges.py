"""No pod has privileges on its node that it could do without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.objects import Object, at, containers, items, kind_of, metadata, pod_template
from policies.policy import of_object
from stacks.system_namespaces import METALLB_SYSTEM

_HARMLESS_CAPABILITIES = frozenset({"NET_BIND_SERVICE"})
"""Those that the pod security standard `restricted` admits as well."""

ALLOWED: Mapping[tuple[str, str, str], Mapping[str, str]] = {
    (METALLB_SYSTEM, "DaemonSet", "speaker"): {
        "hostNetwork": "it announces addresses on the network that the node itself is in",
        "capability NET_RAW": "it answers ARP requests, which are no IP packets",
    },
}
"""Parts of the platform, by namespace, kind and name, with each privilege that they need and why."""


def _find(type: str, props: Object) -> Iterator[str]:
    for privilege, what in privileges(at(pod_template(type, props), "spec")):
        namespace, name = metadata(props)
        if privilege not in ALLOWED.get((namespace, kind_of(type), name), {}):
            yield what


def privileges(pod: Object) -> Iterator[tuple[str, str]]:
    """Each privilege that a pod asks for, by a short name, and in words."""
    for key, what in (("hostNetwork", "network"), ("hostPID", "processes"), ("hostIPC", "shared memory")):
        if pod.get(key):
            yield key, f"the pod shares its node's {what} ({key}: true)"
    for volume in items(pod, "volumes"):
        if volume.get("hostPath"):
            path = at(volume, "hostPath").get("path")
            what = f"volume {volume.get('name')} is a directory of the node (hostPath {path})"
            yield f"hostPath {path}", what
    if at(pod, "securityContext", "windowsOptions").get("hostProcess"):
        yield "hostProcess", "the pod runs as a process of its node (hostProcess: true)"
    for what, container in containers(pod):
        yield from _of_container(what, container)


def _of_container(what: str, container: Object) -> Iterator[tuple[str, str]]:
    context = at(container, "securityContext")
    if context.get("privileged"):
        yield "privileged", f"{what} may do all that its node may (privileged: true)"
    elif context.get("allowPrivilegeEscalation") is not False:
        words = f"{what} may gain privileges (allowPrivilegeEscalation is not false)"
        yield "allowPrivilegeEscalation", words
    if at(context, "windowsOptions").get("hostProcess"):
        yield "hostProcess", f"{what} runs as a process of its node (hostProcess: true)"
    for capability in items(at(context, "capabilities"), "add"):
        if capability not in _HARMLESS_CAPABILITIES:
            yield f"capability {capability}", f"{what} adds the capability {capability}"
    for port in items(container, "ports"):
        if number := port.get("hostPort"):
            yield f"hostPort {number}", f"{what} takes a port of its node (hostPort {number})"


POLICY = of_object(
    "no-privileged-pods",
    "No pod has privileges on its node",
    "A container that can take over its node takes over every pod there. Set allowPrivilegeEscalation: "
    "false, add no capability but NET_BIND_SERVICE, and leave out privileged, hostNetwork, hostPID, "
    "hostIPC, hostPort and hostPath. Parts of the platform that need one are named in "
    "policies/privileges.py, each with the privilege and why.",
    _find,
)
