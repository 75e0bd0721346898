"""All policies of the pack, and how the engine's runs of it take waivers into account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pulumi_policy import Policy, ReportViolation, ResourceValidationArgs, StackValidationArgs

from policies import (
    budgets,
    credentials,
    exposure,
    images,
    mtls,
    privileges,
    replicas,
    resource_requests,
    roles,
    service_types,
)
from policies.waivers import waiver_of
from report.model import Waiver

NAME = "crossmesh"
FAMILY = "policy"
"""What rules of this pack are called in findings and waivers: `policy/images-pinned`."""

POLICIES: tuple[Policy, ...] = (
    budgets.POLICY,
    exposure.POLICY,
    images.POLICY,
    credentials.POLICY,
    privileges.POLICY,
    roles.POLICY,
    resource_requests.POLICY,
    service_types.POLICY,
    mtls.NOTHING_WEAKENS,
    mtls.EVERY_MESH_IS_STRICT,
    replicas.POLICY,
)


def waived(policy: Policy, waivers: Sequence[Waiver], today: date) -> Policy:
    """The policy, silent about what a waiver that holds today covers."""

    def validate(args: ResourceValidationArgs | StackValidationArgs, report: ReportViolation) -> None:
        def unless_waived(message: str, urn: str | None) -> None:
            # What a policy says of a single resource is about the resource that it was given.
            about = urn or str(getattr(args, "urn", ""))
            stack = about.split("::")[0].removeprefix("urn:pulumi:")
            if waiver_of(waivers, f"{FAMILY}/{policy.name}", about, stack, today) is None:
                report(message, urn)

        policy.validate(args, unless_waived)

    return type(policy)(
        name=policy.name,
        description=policy.description,
        validate=validate,
        enforcement_level=policy.enforcement_level,
        remediation_steps=policy.remediation_steps,
    )
