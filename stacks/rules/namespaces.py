"""Rules over namespaces."""

from __future__ import annotations

from stacks.rules.check import Check
from stacks.system_namespaces import SYSTEM_NAMESPACES


def namespaces_are_not_the_systems(check: Check) -> None:
    """A namespace of the mesh is none of the platform's: sidecars there cut off what everything needs."""
    for name in check.environment.namespaces:
        if name in SYSTEM_NAMESPACES:
            check.problem(
                ("namespaces", name),
                f"the namespace '{name}'",
                f"these belong to the platform: {', '.join(SYSTEM_NAMESPACES)}",
                "choose another name",
            )


def injected_namespaces_admit_sidecars(check: Check) -> None:
    """A namespace with sidecars is privileged: they redirect traffic with NET_ADMIN, refused below."""
    for name, spec in check.environment.namespaces.items():
        refused = spec.injection and spec.pod_security not in (None, "privileged")
        if refused and check.intact("namespaces", name):
            check.problem(
                ("namespaces", name),
                f"podSecurity {spec.pod_security} with injection",
                "sidecars need NET_ADMIN to redirect traffic, which pod security admits at privileged only",
                "write podSecurity: privileged, or leave it out, or write injection: false",
            )


def namespaces_exist(check: Check) -> None:
    """Applications, ingresses and routes lie in declared namespaces: only those are made and have their
    policies.
    """
    owners = (
        ("applications", check.environment.applications),
        ("ingresses", check.environment.ingresses),
        ("routes", check.environment.routes),
    )
    for kind, specs in owners:
        for name, spec in specs.items():
            path, fix = (kind, name, "namespace"), "declare it under `namespaces`"
            check.refers(path, spec.namespace, "namespace", "namespaces", fix)


RULES = (
    namespaces_are_not_the_systems,
    injected_namespaces_admit_sidecars,
    namespaces_exist,
)
