"""Addresses: which machine, node, cluster and load balancer has which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gate.effects.belonging import HOST_PHASE, Belonging, host_of
from gate.effects.layers.table import known, listed, rows
from report.model import ChangeSet, Layer, Resource
from report.urns import kind
from stacks.load import Stack
from stacks.model import AdoptedClusterSpec


def addresses(changes: ChangeSet, head: Stack, base: Stack | None) -> Layer:
    """One row per owner. Of machines what is applied to them; of adopted clusters what is declared."""
    belonging = Belonging.of(changes)
    # Without an earlier declaration an adopted cluster's ranges count as what they were, if it was there.
    there = {region.name for region in changes.before if kind(region) == "AdoptedCluster"}
    before = _applied(belonging, changes.before) | _adopted(base or head, there)
    after = _applied(belonging, changes.after) | _adopted(head, set(head.environment.regions))
    return Layer("addresses", "Addresses", rows(before, after))


def _applied(belonging: Belonging, resources: Iterable[Resource]) -> dict[str, str]:
    found: dict[str, str] = {}
    for resource in resources:
        region = belonging.region(resource)
        if resource.type == HOST_PHASE:
            host = host_of(resource)
            connection = resource.inputs.get("connection")
            if isinstance(connection, Mapping):
                found[f"{region}: machine {host}"] = known(connection.get("address"))
            variables = resource.inputs.get("variables")
            variables = variables if isinstance(variables, Mapping) else {}
            for variable, owner in (
                ("pod_network_slice", f"pods of node {host}"),
                ("control_plane_pod_cidr", "pods of the cluster"),
                ("control_plane_service_cidr", "services of the cluster"),
            ):
                if variable in variables:
                    found[f"{region}: {owner}"] = known(variables[variable])
        elif kind(resource) == "IPAddressPool":
            ranges = (resource.inputs.get("spec") or {}).get("addresses") or ()
            name = known((resource.inputs.get("metadata") or {}).get("name"))
            found[f"{region}: load balancers ({name})"] = listed(known(entry) for entry in ranges)
    return found


def _adopted(stack: Stack, regions: set[str]) -> dict[str, str]:
    found = {}
    for region, spec in stack.environment.regions.items():
        if region in regions and isinstance(spec.cluster, AdoptedClusterSpec):
            found[f"{region}: pods of the cluster"] = str(spec.cluster.pod_cidr)
            found[f"{region}: services of the cluster"] = str(spec.cluster.service_cidr)
    return found
