"""Rules over the mesh."""

from __future__ import annotations

import releases
from stacks.errors import KeyPath
from stacks.model import AdoptedClusterSpec
from stacks.rules.check import Check
from stacks.wishes import NETWORKS


def istio_supports_the_kubernetes_version(check: Check) -> None:
    """Istio supports the version of Kubernetes that it runs on: otherwise istiod may read objects wrong."""
    seen: set[KeyPath] = set()
    for region, spec in check.environment.regions.items():
        versions, path = check.environment.versions_of(region), _kubernetes_path(check, region)
        adopted = isinstance(spec.cluster, AdoptedClusterSpec)
        # Of versions that are not supported at all another rule speaks.
        known = versions.istio in releases.versions("istio") and (
            adopted or versions.kubernetes in releases.versions("kubernetes")
        )
        if path in seen or not known or versions.kubernetes is None or not check.intact(*path):
            continue
        istio = releases.release("istio", versions.istio)
        if not istio.supports("kubernetes", versions.kubernetes):
            seen.add(path)
            check.problem(
                path,
                f"Kubernetes {versions.kubernetes} with Istio {versions.istio}",
                f"Istio {releases.minor(versions.istio)} runs on Kubernetes "
                f"{', '.join(istio.runs_on['kubernetes'])}",
                "change one of the two versions",
            )


def _kubernetes_path(check: Check, region: str) -> KeyPath:
    """Where a region's version of Kubernetes is declared."""
    spec = check.environment.regions[region]
    if isinstance(spec.cluster, AdoptedClusterSpec):
        return ("regions", region, "cluster", "kubernetesVersion")
    own = spec.versions.kubernetes is not None
    return ("regions", region, "versions", "kubernetes") if own else ("versions", "kubernetes")


def regions_share_one_mesh_network(check: Check) -> None:
    """All regions are one Istio network: several need east-west gateways, which are not built yet."""
    regions = check.environment.regions.items()
    networks = [
        (name, spec.mesh_network) for name, spec in regions if check.intact("regions", name, "meshNetwork")
    ]
    for region, network in networks[1:]:
        first, wanted = networks[0]
        if network != wanted:
            check.problem(
                ("regions", region, "meshNetwork"),
                f"{network}, where region '{first}' has {wanted}",
                f"1 mesh network over all regions: their pods reach each other directly; {NETWORKS.rule}",
                f"write {wanted} where regions can route pods to each other",
            )


RULES = (
    istio_supports_the_kubernetes_version,
    regions_share_one_mesh_network,
)
