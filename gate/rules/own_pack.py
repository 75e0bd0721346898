"""The project's own policy pack, applied in this process.

The policies are the very objects that the engine would call. It takes no process, no protocol and no copies
of inputs; and a value that is not known before `up` makes a finding of its own, where the engine has a
warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pulumi_policy
from pulumi_policy.proxy import UnknownValueError

from gate.rules.subject import Subject, failed, malformed, not_measurable, passed
from policies.objects import MALFORMED
from policies.pack import FAMILY, POLICIES
from report.model import UNKNOWN, Finding, Resource, Rule


def rules() -> tuple[Rule, ...]:
    """The rules of the pack's policies."""
    return tuple(_rule(policy) for policy in POLICIES)


def findings(subject: Subject) -> list[Finding]:
    """What the policies say of every resource that there will be."""
    alone, together = [], []
    for resource in subject.after:
        # Of options and dependencies no policy of the pack asks.
        props = (resource.type, Props(resource.inputs, resource.urn), resource.urn, resource.name, None)
        alone.append(pulumi_policy.ResourceValidationArgs(*props, None))
        together.append(pulumi_policy.PolicyResource(*props, _provider(resource), None, [], {}))
    whole = [pulumi_policy.StackValidationArgs(together)]
    found: list[Finding] = []
    for policy in POLICIES:
        rule, said = _rule(policy), list[Finding]()
        for args in alone if isinstance(policy, pulumi_policy.ResourceValidationPolicy) else whole:
            _apply(policy, args, rule, said)
        found += said or [passed(rule)]
    return found


def _rule(policy: Any) -> Rule:
    return Rule(f"{FAMILY}/{policy.name}", policy.description, policy.remediation_steps)


def _apply(policy: Any, args: Any, rule: Rule, said: list[Finding]) -> None:
    urn = getattr(args, "urn", "")

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


def _provider(resource: Resource) -> Any:
    if not resource.provider:
        return None
    type_, _, name = resource.provider.rpartition("::")
    return pulumi_policy.PolicyProviderResource(type_.rpartition("$")[2], {}, resource.provider, name)


class UnknownInputError(UnknownValueError):  # type: ignore[misc]
    """A policy asked for a value that is known only when the change is applied."""

    def __init__(self, urn: str, path: tuple[str, ...]) -> None:
        super().__init__(UNKNOWN, list(path))
        self.urn = urn
        """The resource whose value it is."""


class _Proxy:
    def __init__(self, value: Any, urn: str, path: tuple[str, ...] = ()) -> None:
        self._value, self._urn, self._path = value, urn, path

    def __getitem__(self, key: Any) -> Any:
        return _read(self._value[key], self._urn, (*self._path, str(key)))

    def __len__(self) -> int:
        return len(self._value)


class Props(_Proxy, Mapping[str, Any]):
    """A resource's inputs as policies get them, made as they are read: what is not known raises
    `UnknownInputError`.

    The SDK's own proxies copy everything first; of 5,000 resources, with definitions among them that are as
    long as books, policies read a hundredth.
    """

    def __contains__(self, key: object) -> bool:
        # Whether a key is there is known, whatever its value is.
        return key in self._value

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)


class _List(_Proxy, Sequence[Any]):
    """A list among them, likewise."""


def _read(value: Any, urn: str, path: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return Props(value, urn, path)
    if isinstance(value, list):
        return _List(value, urn, path)
    if value == UNKNOWN:
        raise UnknownInputError(urn, path)
    return value
