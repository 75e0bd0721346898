"""Rules over the ledger: every cluster and node has its slice, slices fit their pools and never overlap."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations

from stacks.errors import LEDGER, KeyPath
from stacks.ledger import PoolExhausted, declared_nodes, missing, propose
from stacks.rules.addresses.ranges import free_range, machines
from stacks.rules.check import Check

DEFAULT_MAX_PODS = 110


@dataclass(frozen=True)
class Entry:
    """One slice of the ledger.

    Its owner in words, its path below `crossmesh:ledger`, and whether it is declared.
    """

    owner: str
    path: KeyPath
    network: IPv4Network
    region: str
    kind: str
    live: bool


def entries(check: Check) -> Iterator[Entry]:
    """All slices of the ledger."""
    declared = declared_nodes(check.environment)
    for region, slices in check.ledger.clusters.items():
        live = region in declared
        of = f"the cluster of region '{region}'" if live else f"the retired cluster of region '{region}'"
        yield Entry(f"the pods of {of}", ("clusters", region, "pods"), slices.pods, region, "pods", live)
        yield Entry(
            f"the services of {of}",
            ("clusters", region, "services"),
            slices.services,
            region,
            "services",
            live,
        )
    for region, nodes in check.ledger.nodes.items():
        for name, network in nodes.items():
            live = name in declared.get(region, ())
            owner = f"{'node' if live else 'the retired node'} '{name}' of region '{region}'"
            yield Entry(owner, ("nodes", region, name), network, region, "node", live)


def prefixes_are_in_order(check: Check) -> None:
    """A node's slice fits its cluster's, and a cluster's the pool.

    Otherwise no slice could be handed out at all.
    """
    if not check.intact("addresses"):
        return
    sizes = check.environment.addresses
    pairs = (
        ("podPrefixCluster", sizes.pod_prefix_cluster, f"podPool {sizes.pod_pool}", sizes.pod_pool.prefixlen),
        (
            "podPrefixNode",
            sizes.pod_prefix_node,
            f"podPrefixCluster /{sizes.pod_prefix_cluster}",
            sizes.pod_prefix_cluster,
        ),
        (
            "servicePrefixCluster",
            sizes.service_prefix_cluster,
            f"servicePool {sizes.service_pool}",
            sizes.service_pool.prefixlen,
        ),
    )
    for key, value, owner, least in pairs:
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
    """Pools hold a slice for each cluster, and a cluster's slice one for each of its nodes.

    Found now, not at a join.
    """
    if not _in_order(check):
        return
    sizes, declared = check.environment.addresses, declared_nodes(check.environment)
    full = False
    kinds = (
        ("podPool", sizes.pod_pool, sizes.pod_prefix_cluster, "podPrefixCluster"),
        ("servicePool", sizes.service_pool, sizes.service_prefix_cluster, "servicePrefixCluster"),
    )
    for key, pool, prefix, option in kinds:
        room, need = 2 ** (prefix - pool.prefixlen), len(declared)
        if need > room:
            full = True
            check.problem(
                ("addresses", key),
                f"{pool}, which holds {count(room, 'cluster')} of /{prefix}",
                f"the pool has a slice for each of the {need} bare-metal clusters",
                f"a pool of /{prefix - bits(need)} would do, or {option}: {pool.prefixlen + bits(need)}",
            )
    for region, nodes in declared.items():
        room, need = 2 ** (sizes.pod_prefix_node - sizes.pod_prefix_cluster), len(nodes)
        if need > room:
            full = True
            check.problem(
                ("regions", region, "cluster", "nodes"),
                f"{count(need, 'node')}, where a cluster's /{sizes.pod_prefix_cluster} holds {room} of "
                f"/{sizes.pod_prefix_node}",
                f"the cluster of region '{region}' has a slice for each of its nodes",
                f"podPrefixCluster: {max(0, sizes.pod_prefix_node - bits(need))} would do for clusters that "
                f"are not built yet, or podPrefixNode: {sizes.pod_prefix_cluster + bits(need)}",
            )
    if not full:
        _what_is_left_suffices(check)


def _what_is_left_suffices(check: Check) -> None:
    """As `pools_have_room`, with what retired entries and adopted clusters take from the pool."""
    if not check.ledger_intact():
        return
    try:
        propose(check.environment, check.ledger)
    except PoolExhausted as error:
        path: KeyPath
        if error.node is None:
            key = "podPool" if error.pool == check.environment.addresses.pod_pool else "servicePool"
            path, owner = ("addresses", key), f"the cluster of region '{error.region}'"
        else:
            path, owner = ("regions", error.region, "cluster", "nodes", error.node), f"node '{error.node}'"
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
    for region, cluster in check.bare_metal():
        for name, node in cluster.nodes.items():
            profile = check.environment.host_profiles.get(node.profile or "")
            pods = (profile.kubelet if profile else {}).get("maxPods", DEFAULT_MAX_PODS)
            if isinstance(pods, int) and pods > usable:
                check.problem(
                    ("regions", region, "cluster", "nodes", name),
                    f"maxPods {pods}, where a node's /{prefix} has {usable} addresses for pods",
                    f"a node's slice, by podPrefixNode (line {where}), holds all pods of a node",
                    f"podPrefixNode: {32 - bits(pods + 3)}, or a profile with maxPods: {usable} of `kubelet`",
                )


def everything_declared_has_a_slice(check: Check) -> None:
    """Every cluster and node has its slice on record before it is built: it has no addresses otherwise."""
    if not check.require_ledger or not check.ledger_intact() or not _in_order(check):
        return
    try:
        proposals = {(new.region, new.node): new for new in propose(check.environment, check.ledger)}
    except PoolExhausted:
        return  # said by `pools_have_room`
    for gap in missing(check.environment, check.ledger):
        new = proposals[gap.region, gap.node]
        path: KeyPath = ("regions", gap.region, "cluster")
        check.problem(
            (*path, "nodes", gap.node) if gap.node else path,
            f"no entry in crossmesh:ledger for the {gap}",
            "every cluster and node has its slice of the pools in the ledger",
            f"run `crossmesh ledger --stack {check.stack} --write`, which adds {new}",
        )


def slices_lie_where_they_belong(check: Check) -> None:
    """A cluster's slice lies in its pool and a node's in its cluster's.

    Routers accept the pool's prefixes only.
    """
    sizes = check.environment.addresses
    for entry in entries(check):
        if entry.kind == "node":
            cluster = check.ledger.clusters.get(entry.region)
            if cluster is None and not check.ledger_intact("clusters"):
                continue
            if cluster is None:
                _entry_problem(
                    check,
                    entry,
                    f"{entry.network}, and no entry clusters.{entry.region}",
                    "a node's slice lies in its cluster's",
                    f"add clusters.{entry.region}, which held it, or remove the line",
                )
                continue
            owner, pool = (
                f"its cluster's slice {cluster.pods} (line {_line(check, entry.region)})",
                cluster.pods,
            )
        elif not check.intact("addresses"):
            continue
        else:
            pool = sizes.pod_pool if entry.kind == "pods" else sizes.service_pool
            key = "podPool" if entry.kind == "pods" else "servicePool"
            owner = f"{key} {pool} (line {check.line('addresses', key)})"
        if not entry.network.subnet_of(pool):
            _entry_problem(
                check,
                entry,
                str(entry.network),
                f"the slice of {entry.owner} lies in {owner}",
                "restore the entry as it was; of something that is not built yet, remove the line and run "
                f"`crossmesh ledger --stack {check.stack} --write`",
            )


def _line(check: Check, region: str) -> int:
    return check.ledger_line("clusters", region, "pods")


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
    for entry in entries(check):
        option, length = wanted[entry.kind]
        if entry.live and entry.network.prefixlen != length:
            _entry_problem(
                check,
                entry,
                str(entry.network),
                f"the slice of {entry.owner} is a /{length} ({option})",
                f"set {option}: {entry.network.prefixlen} again; of something that is not built yet, remove "
                f"the line and run `crossmesh ledger --stack {check.stack} --write`",
            )


def slices_are_apart(check: Check) -> None:
    """No two clusters and no two nodes share an address, retired ones included.

    Their routes may still be about.
    """
    found = list(entries(check))
    for group in (lambda e: e.kind in ("pods", "services"), lambda e: e.kind == "node"):
        for first, second in combinations(filter(group, found), 2):
            if first.network.overlaps(second.network):
                _entry_problem(
                    check,
                    second,
                    f"{second.network}, which overlaps {first.network}: {first.owner} "
                    f"(line {check.ledger_line(*first.path)})",
                    f"the slices of {second.owner} and of {first.owner} do not overlap",
                    "restore the entry that was changed; of what is not built yet, remove the line and run "
                    f"`crossmesh ledger --stack {check.stack} --write`",
                )


def slices_and_machine_networks_are_apart(check: Check) -> None:
    """A slice outside its pool may still meet a machine network: hosts there would no longer be reached."""
    for entry in entries(check):
        for claim in machines(check):
            if entry.kind != "node" and entry.network.overlaps(claim.network):
                _entry_problem(
                    check,
                    entry,
                    f"{entry.network}, which overlaps {claim.network}: {claim.owner} "
                    f"(line {check.line(*claim.path)})",
                    f"{entry.owner} and {claim.owner} do not overlap",
                    f"choose another machine network: {free_range(check, claim.network.prefixlen)}",
                )


def _entry_problem(check: Check, entry: Entry, got: str, rule: str, fix: str) -> None:
    check.problem_at((*LEDGER, *entry.path), got, rule, fix)


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
