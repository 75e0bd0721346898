"""Rules over the mesh."""

from __future__ import annotations

from releases import minor, release, versions
from stacks.rules.check import Check


def istio_supports_the_kubernetes_version(check: Check) -> None:
    """Istio supports the version of Kubernetes that it runs on: otherwise istiod may read objects wrong."""
    declared = check.environment.versions
    supported = declared.istio in versions("istio") and declared.kubernetes in versions("kubernetes")
    if not check.intact("versions") or not supported:
        return
    istio = release("istio", declared.istio)
    if not istio.supports("kubernetes", declared.kubernetes):
        check.problem(
            ("versions", "kubernetes"),
            f"Kubernetes {declared.kubernetes} with Istio {declared.istio}",
            f"Istio {minor(declared.istio)} runs on Kubernetes {', '.join(istio.runs_on['kubernetes'])}",
            "change one of the two versions",
        )


def regions_share_one_mesh_network(check: Check) -> None:
    """All regions are one Istio network.

    Several need east-west gateways between them, which are not built yet.
    """
    first: tuple[str, str] | None = None
    for region, spec in check.environment.regions.items():
        if not check.intact("regions", region, "meshNetwork"):
            continue
        if first is None:
            first = (region, spec.mesh_network)
        elif spec.mesh_network != first[1]:
            check.problem(
                ("regions", region, "meshNetwork"),
                f"{spec.mesh_network}, where region '{first[0]}' has {first[1]}",
                "1 mesh network over all regions is supported today: their pods reach each other directly",
                f"write {first[1]} where regions can route pods to each other",
            )


RULES = (
    istio_supports_the_kubernetes_version,
    regions_share_one_mesh_network,
)
