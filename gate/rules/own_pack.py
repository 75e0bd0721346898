"""The project's own policy pack, applied in this process.

The policies are the very objects that the engine would call. It takes no process, no protocol and no copies
of inputs; and a value that is not known before `up` makes a finding of its own, where the engine has a
warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi_policy
from pulumi_policy.proxy import UnknownValueError

from gate.rules.props import Props, UnknownInputError
from gate.rules.subject import Subject, failed, malformed, not_measurable, passed
from policies.objects import MALFORMED
from policies.pack import FAMILY, POLICIES, is_for_resources
from report.model import Finding, Resource, Rule, Severity

_SEVERITIES = {
    pulumi_policy.EnforcementLevel.ADVISORY: Severity.WARNING,
    pulumi_policy.EnforcementLevel.MANDATORY: Severity.ERROR,
}
_NO_TIMEOUTS = pulumi_policy.PolicyCustomTimeouts(0, 0, 0)


def rules() -> tuple[Rule, ...]:
    """The rules of the pack's policies."""
    return tuple(_rule(policy) for policy in POLICIES)


def findings(subject: Subject) -> list[Finding]:
    """What the policies say of every resource that there will be."""
    resources = [_Given(resource) for resource in subject.after]
    found: list[Finding] = []
    for policy in POLICIES:
        rule = _rule(policy)
        said: list[Finding] = []
        if is_for_resources(policy):
            for given in resources:
                _apply(policy, given.alone, given.urn, rule, said)
        else:
            whole = pulumi_policy.StackValidationArgs([given.of_stack for given in resources])
            _apply(policy, whole, "", rule, said)
        found += said or [passed(rule)]
    return found


def _rule(policy: Any) -> Rule:
    return Rule(
        f"{FAMILY}/{policy.name}",
        policy.description,
        policy.remediation_steps,
        _SEVERITIES[policy.enforcement_level],
    )


def _apply(policy: Any, args: Any, urn: str, rule: Rule, said: list[Finding]) -> None:
    def report(message: str, about: str | None = None) -> None:
        said.append(failed(rule, message, urn or about or "", fix=policy.remediation_steps))

    try:
        policy.validate(args, report)
    except UnknownValueError as error:
        path = ".".join(error.props)
        about = error.urn if isinstance(error, UnknownInputError) else urn
        said.append(not_measurable(rule, f"{path} is not known before `up`, or a secret", about))
    except MALFORMED as error:
        said.append(malformed(rule, error, urn))


class _Given:
    """One resource as the SDK hands it to policies."""

    def __init__(self, resource: Resource) -> None:
        props: Mapping[str, Any] = Props(resource.inputs, resource.urn)
        self.urn = resource.urn
        options = pulumi_policy.PolicyResourceOptions(
            resource.protect, [], None, [], _NO_TIMEOUTS, [], resource.parent or None
        )
        provider = _provider(resource)
        self.alone = pulumi_policy.ResourceValidationArgs(
            resource.type, props, resource.urn, resource.name, options, provider
        )
        self.of_stack = pulumi_policy.PolicyResource(
            resource.type, props, resource.urn, resource.name, options, provider, None, [], {}
        )


def _provider(resource: Resource) -> Any:
    if not resource.provider:
        return None
    type_, _, name = resource.provider.rpartition("::")
    return pulumi_policy.PolicyProviderResource(type_.rpartition("$")[2], {}, resource.provider, name)
