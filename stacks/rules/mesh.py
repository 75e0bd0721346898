"""Rules over the mesh."""

from __future__ import annotations

from stacks.rules.check import Check
from stacks.wishes import NETWORKS


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


RULES = (regions_share_one_mesh_network,)
