"""What is exposed goes on when one pod, or its node, does not."""

from __future__ import annotations

from pulumi_policy import EnforcementLevel, ReportViolation, StackValidationArgs, StackValidationPolicy

from policies.exposed import KINDS, exposures, workloads
from policies.objects import Unknowns, by_cluster

_LEAST = 2


def _validate(args: StackValidationArgs, report: ReportViolation) -> None:
    unknowns = Unknowns()
    for found in by_cluster(args.resources, KINDS, unknowns).values():
        for workload in workloads(found, exposures(found, unknowns), unknowns):
            count = workload.replicas
            if count is not None and count < _LEAST:
                report(
                    f"{workload.declared} has {count or 'no'} replica{'' if count == 1 else 's'} in this "
                    f"cluster, and is exposed by {workload.exposed_by}",
                    workload.declared.urn,
                )
    unknowns.raise_any()


POLICY = StackValidationPolicy(
    name="two-replicas",
    description="What is exposed has two replicas or more in each cluster",
    validate=_validate,
    enforcement_level=EnforcementLevel.MANDATORY,
    remediation_steps=(
        "With one pod, every restart of it or of its node is an outage of the region. Set the application's "
        "replicas to 2 or more. The platform's gateways have two as soon as a cluster has two workers."
    ),
)
