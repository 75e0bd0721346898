"""Mutual TLS stays on: nothing in the mesh accepts or sends plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from components.manifests.mesh import ISTIOD
from policies.objects import Declared, Object, Unknowns, at, group_of, items, kind_of
from policies.policy import of_cluster, of_object
from stacks.system_namespaces import ISTIO_SYSTEM

_STRICT = "STRICT"
_INHERITED = frozenset({"", "UNSET"})
_KINDS = frozenset({"Deployment", "PeerAuthentication"})


def _nothing_weakens(type: str, props: Object) -> Iterator[str]:
    group, kind = group_of(type), kind_of(type)
    if group == "security.istio.io" and kind == "PeerAuthentication":
        for where, mode in _modes(at(props, "spec")):
            if mode != _STRICT and mode not in _INHERITED:
                yield f"{where} is {mode}: requests in plain text are accepted"
    elif group == "networking.istio.io" and kind == "DestinationRule":
        host = str(at(props, "spec").get("host") or "")
        # Another host is something outside of the mesh.
        if "." not in host or host.endswith(".local"):
            for where in _plain(at(props, "spec")):
                yield f"{where} is DISABLE: requests to {host} are sent in plain text"


def _modes(spec: Object) -> Iterator[tuple[str, str]]:
    """Each mode that a PeerAuthentication sets, and where."""
    yield "spec.mtls.mode", str(at(spec, "mtls").get("mode") or "")
    ports = at(spec, "portLevelMtls")
    for port in ports:
        yield f"spec.portLevelMtls.{port}.mode", str(ports[port].get("mode") or "")


def _plain(spec: Object) -> Iterator[str]:
    policies = [("spec.trafficPolicy", at(spec, "trafficPolicy"))]
    policies += [
        (f"subset {subset.get('name')}: trafficPolicy", at(subset, "trafficPolicy"))
        for subset in items(spec, "subsets")
    ]
    for where, policy in policies:
        if at(policy, "tls").get("mode") == "DISABLE":
            yield f"{where}.tls.mode"
        for port in items(policy, "portLevelSettings"):
            if at(port, "tls").get("mode") == "DISABLE":
                yield f"{where}, port {at(port, 'port').get('number')}: tls.mode"


def _every_mesh_is_strict(objects: Sequence[Declared], unknowns: Unknowns) -> Iterator[tuple[Declared, str]]:
    with unknowns.put_off():
        control_plane = next((entry for entry in objects if _is_control_plane(entry)), None)
        if control_plane is not None and not any(_is_strict_everywhere(entry) for entry in objects):
            yield (
                control_plane,
                f"this cluster has a control plane and no PeerAuthentication without selector in "
                f"{ISTIO_SYSTEM} whose mode is {_STRICT}",
            )


def _is_control_plane(entry: Declared) -> bool:
    # Its name has the revision's in it.
    app = at(entry.props, "metadata", "labels").get("app")
    return entry.kind == "Deployment" and (entry.namespace, app) == (ISTIO_SYSTEM, ISTIOD)


def _is_strict_everywhere(entry: Declared) -> bool:
    if entry.kind != "PeerAuthentication" or entry.namespace != ISTIO_SYSTEM:
        return False
    spec = at(entry.props, "spec")
    return not at(spec, "selector", "matchLabels") and at(spec, "mtls").get("mode") == _STRICT


NOTHING_WEAKENS = of_object(
    "strict-mtls",
    "Nothing turns mutual TLS off",
    "Whoever is in the network could read and call what accepts plain text. Set the namespace's mtls: "
    "STRICT, leave modes of single ports out, and use ISTIO_MUTUAL towards services of the mesh.",
    _nothing_weakens,
)

EVERY_MESH_IS_STRICT = of_cluster(
    "strict-mtls-mesh-wide",
    "Mutual TLS is the rule of every cluster's whole mesh",
    "Istio accepts plain text unless told otherwise. Keep the PeerAuthentication `default` in "
    "istio-system, with mode STRICT and no selector, in every cluster.",
    _KINDS,
    _every_mesh_is_strict,
)
