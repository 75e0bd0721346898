"""The declared gateways are the only way in from outside of a cluster."""

from __future__ import annotations

from pulumi_policy import (
    EnforcementLevel,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from components.manifests.mesh import GATEWAY
from policies.objects import at, items, kind_of, metadata
from stacks.system_namespaces import ISTIO_INGRESS

GATEWAYS = frozenset({(ISTIO_INGRESS, GATEWAY)})
"""Namespaces and names of the services that are gateways."""


def _validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if kind_of(args.resource_type) != "Service" or metadata(args.props) in GATEWAYS:
        return
    spec = at(args.props, "spec")
    if (kind := spec.get("type")) in ("LoadBalancer", "NodePort"):
        report(f"its type is {kind}, so it is reached from outside past the gateways", None)
    if addresses := [str(address) for address in items(spec, "externalIPs")]:
        report(f"it takes requests to {', '.join(addresses)} (externalIPs), past the gateways", None)


POLICY = ResourceValidationPolicy(
    name="services-behind-gateways",
    description="Services are reached from outside through the declared gateways only",
    validate=_validate,
    enforcement_level=EnforcementLevel.MANDATORY,
    remediation_steps=(
        "Past a gateway there is no TLS of the owner's, no authorization and no failover between regions. "
        "Make the service ClusterIP and expose it by an ingress of the stack file."
    ),
)
