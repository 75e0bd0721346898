"""Rules over the ledger: every cluster and node has its slice, slices fit their pools and never overlap."""

from __future__ import annotations

import math
from collections import Counter
from ipaddress import IPv4Network
from itertools import combinations

from stacks.errors import KeyPath
from stacks.ledger import PoolExhausted, declared_nodes, propose
from stacks.rules.addresses.ranges import Claim, cluster_slices, free_range, machines, node_slices, overlap
from stacks.rules.check import Check

DEFAULT_MAX_PODS = 110


def prefixes_are_in_order(check: Check) -> None:
    """A node's slice fits its cluster's, and a cluster's the pool: none could be handed out otherwise."""
    if not check.intact("addresses"):
        return
    sizes = check.environment.addresses
    cluster, pods, services = sizes.pod_prefix_cluster, sizes.pod_pool, sizes.service_pool
    for key, value, owner, least in (
        ("podPrefixCluster", cluster, f"podPool {pods}", pods.prefixlen),
        ("podPrefixNode", sizes.pod_prefix_node, f"podPrefixCluster /{cluster}", cluster),
        ("servicePrefixCluster", sizes.service_prefix_cluster, f"servicePool {services}", services.prefixlen),
    ):
        if value < least:
            check.problem(
                ("addresses", key),
                f"/{value}",
                f"a slice is not larger than what it is cut from: {owner}",
                f"choose {least} or more",
            )


def _in_order(check: Check) -> bool:
    sizes = check.environment.addresses
    return check.intact("addresses") and (
        sizes.pod_pool.prefixlen <= sizes.pod_prefix_cluster <= sizes.pod_prefix_node
        and sizes.service_pool.prefixlen <= sizes.service_prefix_cluster
    )


def pools_have_room(check: Check) -> None:
    """Pools have a slice for each cluster, and those for each of their nodes: found now, not at a join."""
    if not _in_order(check):
        return
    sizes, declared = check.environment.addresses, declared_nodes(check.environment)
    before = len(check.document.problems)
    for key, pool, prefix, option in (
        ("podPool", sizes.pod_pool, sizes.pod_prefix_cluster, "podPrefixCluster"),
        ("servicePool", sizes.service_pool, sizes.service_prefix_cluster, "servicePrefixCluster"),
    ):
        room, need = 2 ** (prefix - pool.prefixlen), len(declared)
        if need > room:
            check.problem(
                ("addresses", key),
                f"{pool}, which holds {count(room, 'cluster')} of /{prefix}",
                f"the pool has a slice for each of the {need} bare-metal clusters",
                f"a pool of /{prefix - bits(need)} would do, or {option}: {pool.prefixlen + bits(need)}",
            )
    for region, nodes in declared.items():
        room, need = 2 ** (sizes.pod_prefix_node - sizes.pod_prefix_cluster), len(nodes)
        if need > room:
            check.problem(
                ("regions", region, "cluster", "nodes"),
                f"{count(need, 'node')}, where a cluster's /{sizes.pod_prefix_cluster} holds {room} of "
                f"/{sizes.pod_prefix_node}",
                f"the cluster of region '{region}' has a slice for each of its nodes",
                f"podPrefixCluster: {max(0, sizes.pod_prefix_node - bits(need))} would do for clusters that "
                f"are not built yet, or podPrefixNode: {sizes.pod_prefix_cluster + bits(need)}",
            )
    if len(check.document.problems) == before:
        _what_is_left_suffices(check)


def _what_is_left_suffices(check: Check) -> None:
    """As `pools_have_room`, with what retired entries and adopted clusters take from the pool."""
    if not check.ledger_intact():
        return
    try:
        propose(check.environment, check.ledger)
    except PoolExhausted as error:
        key = "podPool" if error.pool == check.environment.addresses.pod_pool else "servicePool"
        path: KeyPath = ("addresses", key)
        owner = f"the cluster of region '{error.region}'"
        if error.node is not None:
            path = ("regions", error.region, "cluster", "nodes", error.node)
            owner = f"node '{error.node}'"
        check.problem(
            path,
            str(error),
            f"there is a slice for {owner}",
            "free the slices of retired clusters or nodes that will not come back by deleting their lines in "
            f"crossmesh:ledger, or choose a larger pool: /{error.larger_pool()} would do",
        )


def slices_hold_the_pods_of_a_node(check: Check) -> None:
    """A node's slice has an address for each pod that the kubelet admits: further pods would never start."""
    if not check.intact("addresses"):
        return
    prefix = check.environment.addresses.pod_prefix_node
    where = check.line("addresses", "podPrefixNode")
    usable = 2 ** (32 - prefix) - 3  # without the network's, the broadcast and the bridge's own address
    for _, _, path, node in check.nodes():
        profile = check.environment.host_profiles.get(node.profile or "")
        pods = (profile.kubelet if profile else {}).get("maxPods", DEFAULT_MAX_PODS)
        if isinstance(pods, int) and pods > usable:
            check.problem(
                path,
                f"maxPods {pods}, where a node's /{prefix} has {usable} addresses for pods",
                f"a node's slice, by podPrefixNode (line {where}), holds all pods of a node",
                f"podPrefixNode: {32 - bits(pods + 3)}, or a profile with maxPods: {usable} of `kubelet`",
            )


def everything_declared_has_a_slice(check: Check) -> None:
    """Every cluster and node has its slice on record before it is built: it has no addresses otherwise."""
    if not check.require_ledger or not check.ledger_intact() or not _in_order(check):
        return
    try:
        proposals = propose(check.environment, check.ledger)
    except PoolExhausted:
        return  # said by `pools_have_room`
    nodes = Counter(new.region for new in proposals if new.node)
    whole = {new.region for new in proposals if not new.node}
    for new in proposals:
        if new.node and new.region in whole:
            continue  # said with its cluster
        also = nodes[new.region] if not new.node else 0
        check.problem(
            ("regions", new.region, "cluster", *(("nodes", new.node) if new.node else ())),
            f"no entry in crossmesh:ledger for the {new.owner}"
            + (f" and its {count(also, 'node')}" if also else ""),
            "every cluster and node has its slice of the pools in the ledger",
            f"run `crossmesh ledger --stack {check.stack} --write`, which adds {new}"
            + (", and a slice for each node" if also else ""),
        )


def slices_lie_where_they_belong(check: Check) -> None:
    """A cluster's slice lies in its pool, a node's in its cluster's: routers accept the pool's alone."""
    sizes = check.environment.addresses
    clusters = {slice_.region: slice_ for slice_ in cluster_slices(check) if slice_.kind == "pods"}
    for entry in cluster_slices(check) if check.intact("addresses") else ():
        is_pods = entry.kind == "pods"
        key, pool = ("podPool", sizes.pod_pool) if is_pods else ("servicePool", sizes.service_pool)
        _lies_in(check, entry, pool, f"{key} {pool} (line {check.line('addresses', key)})")
    for entry in node_slices(check):
        if entry.region in clusters:
            pods = clusters[entry.region]
            line = check.document.line(pods.path)
            _lies_in(check, entry, pods.network, f"its cluster's slice {pods.network} (line {line})")
        elif check.ledger_intact("clusters"):
            check.document.problem(
                entry.path,
                f"{entry.network}, and no entry clusters.{entry.region}",
                "a node's slice lies in its cluster's",
                f"add clusters.{entry.region}, which held it, or remove the line",
            )


def _lies_in(check: Check, entry: Claim, pool: IPv4Network, owner: str) -> None:
    if not entry.network.subnet_of(pool):
        check.document.problem(
            entry.path,
            str(entry.network),
            f"the slice of {entry.owner} lies in {owner}",
            "restore the entry as it was; of something that is not built yet, remove the line and run "
            f"`crossmesh ledger --stack {check.stack} --write`",
        )


def slices_have_the_declared_size(check: Check) -> None:
    """Slices of declared clusters and nodes have the declared prefix length: changing it moves no slice."""
    if not check.intact("addresses"):
        return
    sizes = check.environment.addresses
    wanted = {
        "pods": ("podPrefixCluster", sizes.pod_prefix_cluster),
        "services": ("servicePrefixCluster", sizes.service_prefix_cluster),
        "node": ("podPrefixNode", sizes.pod_prefix_node),
    }
    for entry in (*cluster_slices(check), *node_slices(check)):
        option, length = wanted[entry.kind]
        if entry.live and entry.network.prefixlen != length:
            check.document.problem(
                entry.path,
                str(entry.network),
                f"the slice of {entry.owner} is a /{length} ({option})",
                f"set {option}: {entry.network.prefixlen} again; of something that is not built yet, remove "
                f"the line and run `crossmesh ledger --stack {check.stack} --write`",
            )


def slices_are_apart(check: Check) -> None:
    """No two clusters and no two nodes share an address, nor do retired ones: routes may still be about."""
    for slices in (cluster_slices(check), node_slices(check)):
        for first, second in combinations(slices, 2):
            if first.network.overlaps(second.network):
                overlap(
                    check,
                    first,
                    second,
                    "restore the entry that was changed; of what is not built yet, remove the line and run "
                    f"`crossmesh ledger --stack {check.stack} --write`",
                )


def slices_and_machine_networks_are_apart(check: Check) -> None:
    """A slice outside its pool may still meet a machine network: hosts there would no longer be reached."""
    networks = list(machines(check))
    for entry in cluster_slices(check):
        for claim in networks:
            if entry.network.overlaps(claim.network):
                fix = f"choose another machine network: {free_range(check, claim.network.prefixlen)}"
                overlap(check, claim, entry, fix)


def bits(number: int) -> int:
    """How many bits it takes to number that many slices."""
    return max(0, math.ceil(math.log2(number))) if number else 0


def count(number: int, noun: str) -> str:
    """A number with its noun, in the right form."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


RULES = (
    prefixes_are_in_order,
    pools_have_room,
    slices_hold_the_pods_of_a_node,
    everything_declared_has_a_slice,
    slices_lie_where_they_belong,
    slices_have_the_declared_size,
    slices_are_apart,
    slices_and_machine_networks_are_apart,
)
