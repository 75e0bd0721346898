"""Rules over the mesh."""

from __future__ import annotations

from stacks.rules.check import Check
from stacks.versions import ISTIO_RUNS_ON, SUPPORTED, minor, runs_on


def istio_supports_the_kubernetes_version(check: Check) -> None:
    """Istio supports the version of Kubernetes that it runs on: otherwise istiod may read objects wrong."""
    versions = check.environment.versions
    known = versions.istio in SUPPORTED["istio"] and versions.kubernetes in SUPPORTED["kubernetes"]
    if check.intact("versions") and known and not runs_on(versions.istio, versions.kubernetes):
        allowed = ISTIO_RUNS_ON.get(minor(versions.istio), ())
        check.problem(
            ("versions", "kubernetes"),
            f"Kubernetes {versions.kubernetes} with Istio {versions.istio}",
            f"Istio {minor(versions.istio)} runs on Kubernetes {', '.join(allowed)}",
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
