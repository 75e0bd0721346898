"""Nothing is open to everybody: what is exposed asks who calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from components.values.exposure import GATEWAY_API, PUBLIC, Name, from_outside
from policies.exposed import KINDS, WORKLOADS, exposures
from policies.objects import Declared, Object, Unknowns, at, items, selects
from policies.policy import of_cluster
from stacks.system_namespaces import ISTIO_SYSTEM

_Pods = Mapping[Name, Object]
"""Labels of the pods whose requests policies may look at: those of gateways, and of services behind them."""


def _find(objects: Sequence[Declared], unknowns: Unknowns) -> Iterator[tuple[Declared, str]]:
    pods = _pods(objects, unknowns)
    for by, services in exposures(objects, unknowns):
        # A gateway is no application: what it leads to is looked at.
        if by.kind != "Service" and not _said_public(by):
            with unknowns.put_off():
                if names := _open(by, services, objects, pods):
                    words = f"{by} leads to {', '.join(names)}, and neither there nor at the gateway"
                    yield by, f"{words} is anybody asked who they are"


def _said_public(by: Declared) -> bool:
    """Whether the declaration says of this very object why everybody may call it."""
    return bool(at(by.props, "metadata", "annotations").get(PUBLIC))


def _open(by: Declared, services: Sequence[Name], objects: Sequence[Declared], pods: _Pods) -> list[str]:
    """The services that anybody may call, of those that something leads to from outside."""
    gateways = [
        (entry.namespace, entry.name)
        for entry in objects
        if entry.kind == "Service"
        and from_outside(at(entry.props, "spec"))
        and (entry.namespace, entry.name) in pods
    ]
    asking = (_authenticates(objects, gateway, pods) for gateway in gateways)
    if by.group != GATEWAY_API and gateways and all(asking):
        return []
    return [service[1] for service in services if not _authenticates(objects, service, pods)]


def _pods(found: Sequence[Declared], unknowns: Unknowns) -> _Pods:
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
                own = (labels for namespace, labels in pods if namespace == entry.namespace)
                labels = next((labels for labels in own if selects(selector, labels)), None)
                if labels is not None and selector["matchLabels"]:
                    targets[entry.namespace, entry.name] = labels
    return targets


def _authenticates(found: Sequence[Declared], service: Name, pods: _Pods) -> bool:
    """Whether requests to a service without an identity of their caller are refused there.

    Either an external authorizer is asked about all of them; or tokens are read (RequestAuthentication) and
    requests without one are refused (AuthorizationPolicy).
    """
    policies = _applying("AuthorizationPolicy", found, service, pods)
    if any(_action(entry) == "CUSTOM" and _covers_everything(entry) for entry in policies):
        return True
    readers = _applying("RequestAuthentication", found, service, pods)
    reads_tokens = any(items(at(entry.props, "spec"), "jwtRules") for entry in readers)
    return reads_tokens and _refuses_the_nameless(policies)


def _applying(kind: str, found: Sequence[Declared], service: Name, pods: _Pods) -> list[Declared]:
    return [entry for entry in found if entry.kind == kind and _applies(entry, service, pods)]


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


def _applies(entry: Declared, service: Name, pods: _Pods) -> bool:
    """Whether one of Istio's security policies is for a service's pods."""
    spec = at(entry.props, "spec")
    references = [*items(spec, "targetRefs"), *([spec["targetRef"]] if spec.get("targetRef") else [])]
    # Where nobody knows the pods, only what is for the whole mesh is for them.
    namespace, name = service if service in pods else ("", "")
    if references:
        return entry.namespace == namespace and any(
            reference.get("kind") == "Service" and reference.get("name") == name for reference in references
        )
    if entry.namespace not in (ISTIO_SYSTEM, namespace):
        return False
    return selects(at(spec, "selector"), pods.get(service, {}))


POLICY = of_cluster(
    "exposure-authenticated",
    "What is exposed to the world asks who calls",
    "Where the application asks for itself, or everybody may call it, say why by `public` of the ingress in "
    "the stack file: more cannot be declared yet. Of objects that come another way: for the gateway or for "
    "each service behind it, a RequestAuthentication with jwtRules, and an AuthorizationPolicy that denies "
    "notRequestPrincipals: ['*'] or allows requestPrincipals only; or an AuthorizationPolicy with action "
    "CUSTOM that asks an external authorizer about every request; or a waiver that says why not.",
    KINDS,
    _find,
)
