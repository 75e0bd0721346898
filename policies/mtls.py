"""Mutual TLS stays on: nothing in the mesh accepts or sends plain text."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import (
    EnforcementLevel,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from components.manifests.mesh import ISTIOD
from policies.objects import Declared, Object, Unknowns, at, by_cluster, group_of, items, kind_of
from stacks.system_namespaces import ISTIO_SYSTEM

_STRICT = "STRICT"
_INHERITED = frozenset({"", "UNSET"})
_KINDS = frozenset({"Deployment", "PeerAuthentication"})


def _nothing_weakens(args: ResourceValidationArgs, report: ReportViolation) -> None:
    group, kind = group_of(args.resource_type), kind_of(args.resource_type)
    if group == "security.istio.io" and kind == "PeerAuthentication":
        for where, mode in modes(args.props):
            if mode != _STRICT and mode not in _INHERITED:
                report(f"{where} is {mode}: requests in plain text are accepted", None)
    elif group == "networking.istio.io" and kind == "DestinationRule":
        host = str(at(args.props, "spec").get("host") or "")
        if in_mesh(host):
            for where in _plain(at(args.props, "spec")):
                report(f"{where} is DISABLE: requests to {host} are sent in plain text", None)


def modes(props: Object) -> Iterator[tuple[str, str]]:
    """Each mode that a PeerAuthentication sets, and where."""
    spec = at(props, "spec")
    yield "spec.mtls.mode", str(at(spec, "mtls").get("mode") or "")
    ports = at(spec, "portLevelMtls")
    for port in ports:
        yield f"spec.portLevelMtls.{port}.mode", str(ports[port].get("mode") or "")


def in_mesh(host: str) -> bool:
    """Whether a DestinationRule's host is a service of the mesh, and not something outside of it."""
    return "." not in host or host.endswith(".local")


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


def _every_mesh_is_strict(args: StackValidationArgs, report: ReportViolation) -> None:
    unknowns = Unknowns()
    for found in by_cluster(args.resources, _KINDS, unknowns).values():
        with unknowns.put_off():
            control_plane = next((entry for entry in found if _is_control_plane(entry)), None)
            if control_plane is not None and not any(_is_strict_everywhere(entry) for entry in found):
                report(
                    f"this cluster has a control plane and no PeerAuthentication without selector in "
                    f"{ISTIO_SYSTEM} whose mode is {_STRICT}",
                    control_plane.urn,
                )
    unknowns.raise_any()


def _is_control_plane(entry: Declared) -> bool:
    # Its name has the revision's in it.
    app = at(entry.props, "metadata", "labels").get("app")
    return entry.kind == "Deployment" and (entry.namespace, app) == (ISTIO_SYSTEM, ISTIOD)


def _is_strict_everywhere(entry: Declared) -> bool:
    if entry.kind != "PeerAuthentication" or entry.namespace != ISTIO_SYSTEM:
        return False
    spec = at(entry.props, "spec")
    return not at(spec, "selector", "matchLabels") and at(spec, "mtls").get("mode") == _STRICT


NOTHING_WEAKENS = ResourceValidationPolicy(
    name="strict-mtls",
    description="Nothing turns mutual TLS off",
    validate=_nothing_weakens,
    enforcement_level=EnforcementLevel.MANDATORY,
    remediation_steps=(
        "Whoever is in the network could read and call what accepts plain text. Set the namespace's mtls: "
        "STRICT, leave modes of single ports out, and use ISTIO_MUTUAL towards services of the mesh."
    ),
)

EVERY_MESH_IS_STRICT = StackValidationPolicy(
    name="strict-mtls-mesh-wide",
    description="Mutual TLS is the rule of every cluster's whole mesh",
    validate=_every_mesh_is_strict,
    enforcement_level=EnforcementLevel.MANDATORY,
    remediation_steps=(
        "Istio accepts plain text unless told otherwise. Keep the PeerAuthentication `default` in "
        "istio-system, with mode STRICT and no selector, in every cluster."
    ),
)
