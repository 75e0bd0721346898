"""Nothing is open to everybody: what is exposed asks who calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pulumi_policy import EnforcementLevel, ReportViolation, StackValidationArgs, StackValidationPolicy

from components.values.exposure import GATEWAY_API, OUTSIDE, Name
from policies.exposed import KINDS, WORKLOADS, Exposure, exposures
from policies.objects import Declared, Object, Unknowns, at, by_cluster, items, selects
from stacks.system_namespaces import ISTIO_SYSTEM


@dataclass(frozen=True)
class _Target:
    """Pods whose requests policies may look at: of a gateway, or of a service behind it."""

    service: Name
    labels: Object


def _validate(args: StackValidationArgs, report: ReportViolation) -> None:
    unknowns = Unknowns()
    for found in by_cluster(args.resources, KINDS, unknowns).values():
        targets = _targets(found, unknowns)
        for exposure in exposures(found, unknowns):
            # A gateway is no application: what it leads to is looked at.
            if exposure.by.kind == "Service":
                continue
            with unknowns.put_off():
                _look_at(exposure, found, targets, report)
    unknowns.raise_any()


def _look_at(
    exposure: Exposure, found: Sequence[Declared], targets: dict[Name, _Target], report: ReportViolation
) -> None:
    gateways = [
        target
        for entry in found
        if entry.kind == "Service"
        and at(entry.props, "spec").get("type") in OUTSIDE
        and (target := targets.get((entry.namespace, entry.name)))
    ]
    if (
        exposure.by.group != GATEWAY_API
        and gateways
        and all(authenticates(found, gateway) for gateway in gateways)
    ):
        return
    unknown = _Target(("", ""), {})
    open_ = [
        name
        for namespace, name in exposure.services
        if not authenticates(found, targets.get((namespace, name), unknown))
    ]
    if open_:
        report(
            f"{exposure.by} leads to {', '.join(open_)}, and neither there nor at the gateway is anybody "
            "asked who they are",
            exposure.by.urn,
        )


def _targets(found: Sequence[Declared], unknowns: Unknowns) -> dict[Name, _Target]:
    """The pods of each service of a cluster."""
    pods = []
    for entry in found:
        if entry.kind in WORKLOADS:
            with unknowns.put_off():
                pods.append((entry.namespace, at(entry.props, "spec", "template", "metadata", "labels")))
    targets = {}
    for entry in found:
        if entry.kind == "Service":
            with unknowns.put_off():
                selector = {"matchLabels": at(entry.props, "spec", "selector")}
                labels = next(
                    (
                        labels
                        for namespace, labels in pods
                        if namespace == entry.namespace and selects(selector, labels)
                    ),
                    None,
                )
                if labels is not None and selector["matchLabels"]:
                    service = (entry.namespace, entry.name)
                    targets[service] = _Target(service, labels)
    return targets


def authenticates(found: Sequence[Declared], target: _Target) -> bool:
    """Whether requests without an identity of their caller are refused there.

    Either an external authorizer is asked about all of them; or tokens are read (RequestAuthentication) and
    requests without one are refused (AuthorizationPolicy).
    """
    policies = [entry for entry in found if entry.kind == "AuthorizationPolicy" and _applies(entry, target)]
    if any(_action(entry) == "CUSTOM" and _covers_everything(entry) for entry in policies):
        return True
    reads_tokens = any(
        entry.kind == "RequestAuthentication"
        and items(at(entry.props, "spec"), "jwtRules")
        and _applies(entry, target)
        for entry in found
    )
    return reads_tokens and _refuses_the_nameless(policies)


def _refuses_the_nameless(policies: Sequence[Declared]) -> bool:
    denied = any(_action(entry) == "DENY" and _denies_the_nameless(entry) for entry in policies)
    # One policy that allows the nameless is enough for them to pass all that only allow.
    allowing = [entry for entry in policies if _action(entry) == "ALLOW"]
    return denied or (bool(allowing) and all(_allows_the_named_only(entry) for entry in allowing))


def _action(entry: Declared) -> str:
    return str(at(entry.props, "spec").get("action") or "ALLOW")


def _covers_everything(entry: Declared) -> bool:
    return any(
        not any(items(rule, key) for key in ("from", "to", "when"))
        for rule in items(at(entry.props, "spec"), "rules")
    )


def _denies_the_nameless(entry: Declared) -> bool:
    return any(
        not items(rule, "to")
        and not items(rule, "when")
        and any(
            list(items(at(source, "source"), "notRequestPrincipals")) == ["*"] and len(source["source"]) == 1
            for source in items(rule, "from")
        )
        for rule in items(at(entry.props, "spec"), "rules")
    )


def _allows_the_named_only(entry: Declared) -> bool:
    return all(
        items(rule, "from")
        and all(items(at(source, "source"), "requestPrincipals") for source in items(rule, "from"))
        for rule in items(at(entry.props, "spec"), "rules")
    )


def _applies(entry: Declared, target: _Target) -> bool:
    """Whether one of Istio's security policies is for a target's pods."""
    spec = at(entry.props, "spec")
    references = [*items(spec, "targetRefs"), *([spec["targetRef"]] if spec.get("targetRef") else [])]
    namespace, name = target.service
    if references:
        return entry.namespace == namespace and any(
            reference.get("kind") == "Service" and reference.get("name") == name for reference in references
        )
    if entry.namespace not in (ISTIO_SYSTEM, namespace):
        return False
    return selects(at(spec, "selector"), target.labels)


POLICY = StackValidationPolicy(
    name="exposure-authenticated",
    description="What is exposed to the world asks who calls",
    validate=_validate,
    enforcement_level=EnforcementLevel.MANDATORY,
    remediation_steps=(
        "For the gateway or for each service behind it, add a RequestAuthentication with jwtRules, and an "
        "AuthorizationPolicy that denies notRequestPrincipals: ['*'] or allows requestPrincipals only; or an "
        "AuthorizationPolicy with action CUSTOM that asks an external authorizer about every request. For "
        "what is meant for everybody, or asks for itself, add a waiver that says so."
    ),
)
