"""What refuses plain text today refuses it after the change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gate.rules.schema.objects import hidden
from gate.rules.subject import Check, Subject, failed, not_measurable, part
from report.model import Finding, Resource, Rule
from report.urns import kind
from stacks.system_namespaces import ISTIO_SYSTEM

RULE = Rule(
    "change/mtls-kept",
    "Mutual TLS is not taken back",
    "What is STRICT stays STRICT: going back lets whoever is in the network read and call what relied on it. "
    "Keep the mode; where plain text is needed for a time, a waiver says where, why and until when.",
)
_STRICT = "STRICT"
_DEFAULT = "PERMISSIVE"
"""What Istio does where no policy says anything."""
_PEER_AUTHENTICATION = "PeerAuthentication"


@dataclass(frozen=True)
class _Mode:
    """What a policy says of a whole namespace, or of the whole mesh of a cluster."""

    mode: str
    urn: str


class _Modes:
    """The modes that hold in each cluster's namespaces."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.namespaces: set[tuple[str, str]] = set()
        self.narrower: list[Resource] = []
        """Policies for some pods or ports of a namespace."""
        self._general: dict[tuple[str, str], _Mode] = {}
        for resource in resources:
            name = kind(resource)
            metadata = part(resource, "metadata")
            if name == "Namespace":
                self.namespaces.add((resource.provider, str(metadata.get("name"))))
            elif name == _PEER_AUTHENTICATION and resource.type.startswith("kubernetes:security.istio.io/"):
                place = (resource.provider, str(metadata.get("namespace")))
                spec = part(resource, "spec")
                mode = _mode(spec.get("mtls"))
                if _selects(spec):
                    self.narrower.append(resource)
                    continue
                if spec.get("portLevelMtls"):
                    self.narrower.append(resource)
                if mode:
                    self._general[place] = _Mode(mode, resource.urn)

    def holding(self, cluster: str, namespace: str) -> _Mode:
        """The mode that holds in a namespace, and the policy that says so."""
        for place in ((cluster, namespace), (cluster, ISTIO_SYSTEM)):
            if place in self._general:
                return self._general[place]
        return _Mode(_DEFAULT, "")


def _find(subject: Subject) -> Iterator[Finding]:
    before, after = _Modes(subject.changes.before), _Modes(subject.changes.after)
    for cluster, namespace in sorted(before.namespaces & after.namespaces):
        old, new = before.holding(cluster, namespace), after.holding(cluster, namespace)
        if old.mode == _STRICT and new.mode != _STRICT:
            yield _finding(namespace, new.mode, new.urn or old.urn)
    known = {resource.urn: resource.inputs.get("spec") for resource in before.narrower}
    for resource in after.narrower:
        namespace = str(part(resource, "metadata").get("namespace"))
        place = (resource.provider, namespace)
        spec = part(resource, "spec")
        if place not in before.namespaces or known.get(resource.urn) == spec:
            continue
        weaker = [mode for mode in _narrow_modes(spec) if mode not in ("", _STRICT)]
        if weaker and before.holding(*place).mode == _STRICT:
            yield _finding(f"{namespace}, for some of its pods or ports", weaker[0], resource.urn)
    for resource in subject.after:
        if kind(resource) == _PEER_AUTHENTICATION and any(hidden(resource.inputs)):
            yield not_measurable(RULE, "its mode, or what it is for, is not known before `up`", resource.urn)


def _finding(where: str, mode: str, urn: str) -> Finding:
    words = f"mutual TLS was STRICT in namespace {where}, and will be {mode}"
    return failed(RULE, words, urn, fix="keep mtls: STRICT")


def _selects(spec: Mapping[str, Any]) -> bool:
    return bool((spec.get("selector") or {}).get("matchLabels"))


def _narrow_modes(spec: Mapping[str, Any]) -> Iterator[str]:
    if _selects(spec):
        yield _mode(spec.get("mtls"))
    for port in (spec.get("portLevelMtls") or {}).values():
        yield _mode(port)


def _mode(mtls: Mapping[str, Any] | None) -> str:
    """The mode that is set; empty where it is inherited."""
    mode = str((mtls or {}).get("mode") or "")
    return "" if mode == "UNSET" else mode


CHECK = Check("mesh", RULE, _find)
