"""Every container says what it needs, so that the scheduler does not overload a node."""

from __future__ import annotations

from pulumi_policy import (
    EnforcementLevel,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from policies.objects import at, containers, pod_template

_NEEDED = ("cpu", "memory")


def _validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    template = pod_template(args.resource_type, args.props)
    if template is None:
        return
    # Ephemeral containers can have none.
    for what, container in containers(at(template, "spec"), ephemeral=False):
        resources = at(container, "resources")
        # A limit without a request is taken for both.
        asked = {*at(resources, "requests"), *at(resources, "limits")}
        missing = [name for name in _NEEDED if name not in asked]
        if missing:
            report(f"{what} requests no {' and no '.join(missing)}", None)


POLICY = ResourceValidationPolicy(
    name="resource-requests",
    description="Every container requests processor time and memory",
    validate=_validate,
    enforcement_level=EnforcementLevel.MANDATORY,
    remediation_steps=(
        "Set resources.requests.cpu and resources.requests.memory. Without, pods are put where there is no "
        "room, and are the first to be ended when memory runs short."
    ),
)
