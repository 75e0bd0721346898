"""What refuses plain text today refuses it after the change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
_POLICY = "kubernetes:security.istio.io/"
_PEER_AUTHENTICATION = "PeerAuthentication"


class _Modes:
    """The modes that hold in each cluster's namespaces."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.namespaces: set[tuple[str, str]] = set()
        self.narrower: list[Resource] = []
        """Policies for some pods or ports of a namespace."""
        self._general: dict[tuple[str, str], tuple[str, str]] = {}
        for resource in resources:
            metadata, spec = part(resource, "metadata"), part(resource, "spec")
            if kind(resource) == "Namespace":
                self.namespaces.add((resource.provider, str(metadata.get("name"))))
            elif resource.type.startswith(_POLICY) and kind(resource) == _PEER_AUTHENTICATION:
                if _selects(spec) or spec.get("portLevelMtls"):
                    self.narrower.append(resource)
                if not _selects(spec) and (mode := _mode(spec.get("mtls"))):
                    place = (resource.provider, str(metadata.get("namespace")))
                    self._general[place] = (mode, resource.urn)

    def holding(self, cluster: str, namespace: str) -> tuple[str, str]:
        """The mode that holds in a namespace, and the URN of the policy that says so."""
        of_mesh = self._general.get((cluster, ISTIO_SYSTEM), (_DEFAULT, ""))
        return self._general.get((cluster, namespace), of_mesh)


def _find(subject: Subject) -> Iterator[Finding]:
    before, after = _Modes(subject.changes.before), _Modes(subject.changes.after)
    for place in sorted(before.namespaces & after.namespaces):
        (old, old_urn), (new, new_urn) = before.holding(*place), after.holding(*place)
        if old == _STRICT and new != _STRICT:
            yield _finding(place[1], new, new_urn or old_urn)
    known = {resource.urn: resource.inputs.get("spec") for resource in before.narrower}
    for resource in after.narrower:
        place = (resource.provider, str(part(resource, "metadata").get("namespace")))
        spec = part(resource, "spec")
        if place not in before.namespaces or known.get(resource.urn) == spec:
            continue
        weaker = [mode for mode in _narrow_modes(spec) if mode not in ("", _STRICT)]
        if weaker and before.holding(*place)[0] == _STRICT:
            yield _finding(f"{place[1]}, for some of its pods or ports", weaker[0], resource.urn)
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
