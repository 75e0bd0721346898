"""Roles name what they are for: a wildcard grants what nobody has thought of, today's and tomorrow's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.objects import Object, at, items, kind_of, metadata
from policies.policy import of_object
from stacks.system_namespaces import METALLB_SYSTEM

_FIELDS = ("apiGroups", "resources", "verbs", "nonResourceURLs")
_READ = frozenset({"get", "list", "watch"})
_ISTIO = frozenset(
    f"{name}.istio.io"
    for name in ("authentication", "config", "extensions", "networking", "rbac", "security", "telemetry")
)
_GATEWAY_API = frozenset({"gateway.networking.k8s.io", "gateway.networking.x-k8s.io"})


@dataclass(frozen=True)
class Grant:
    """What one rule of a role may grant with a wildcard, and why."""

    groups: frozenset[str]
    resources: frozenset[str]
    verbs: frozenset[str]
    why: str

    def covers(self, rule: Object) -> bool:
        """Whether a role's rule grants no more than this."""
        return (
            set(items(rule, "apiGroups")) <= self.groups
            and set(items(rule, "resources")) <= self.resources
            and set(items(rule, "verbs")) <= self.verbs
            and not items(rule, "nonResourceURLs")
        )


def _status(*kinds: str) -> Grant:
    return Grant(
        frozenset({"metallb.io"}),
        frozenset({*kinds, *(f"{kind}/status" for kind in kinds)}),
        frozenset({"*"}),
        "MetalLB writes down what it announces and what it was told, in kinds that are for nothing else",
    )


_READ_ISTIO = Grant(_ISTIO, frozenset({"*"}), _READ, "istiod reads all of Istio's own configuration")
ALLOWED: Mapping[tuple[str, str, str], tuple[Grant, ...]] = {
    ("ClusterRole", "", "istiod-clusterrole-istio-system"): (
        _READ_ISTIO,
        Grant(_GATEWAY_API, frozenset({"*"}), _READ, "istiod reads all of the Gateway API's objects"),
        Grant(
            frozenset({"extensions", "networking.k8s.io"}),
            frozenset({"ingresses/status"}),
            frozenset({"*"}),
            "istiod writes the addresses of ingresses, and nothing else of them",
        ),
    ),
    ("ClusterRole", "", "istio-reader-clusterrole-istio-system"): (_READ_ISTIO,),
    ("ClusterRole", "", "metallb-system:speaker"): (_status("servicel2statuses", "configurationstates"),),
    ("Role", METALLB_SYSTEM, "pod-lister"): (_status("servicebgpstatuses"),),
}
"""Roles of the platform's parts, as released, that have wildcards: by kind, namespace and name."""

_REVISION = re.compile(r"^(istio-reader-clusterrole|istiod-clusterrole)-.+(-istio-system)$")
"""Names that tell the control plane's revision, before their last part."""


def _find(type: str, props: Object) -> Iterator[str]:
    kind = kind_of(type)
    if kind in ("ClusterRoleBinding", "RoleBinding"):
        if at(props, "roleRef").get("name") == "cluster-admin":
            yield "it binds cluster-admin, which may do everything"
    elif kind in ("ClusterRole", "Role"):
        yield from wildcards(kind, props)


def wildcards(kind: str, role: Object) -> Iterator[str]:
    """What a role grants by wildcard, and nobody has allowed it to."""
    namespace, name = metadata(role)
    allowed = ALLOWED.get((kind, namespace, released_name(name)), ())
    for index, rule in enumerate(items(role, "rules")):
        wild = [name for name in _FIELDS if "*" in items(rule, name)]
        if wild and not any(grant.covers(rule) for grant in allowed):
            yield f"rules[{index}] has '*' in {' and '.join(wild)}"


def released_name(name: str) -> str:
    """A role's name without the control plane's revision."""
    return _REVISION.sub(r"\1\2", name)


POLICY = of_object(
    "no-wildcard-roles",
    "No role grants by wildcard",
    "List the API groups, resources and verbs that are needed, and bind a role made for the purpose "
    "instead of cluster-admin. Roles of the platform's parts are named in policies/roles.py, each with "
    "what it may grant and why.",
    _find,
)
