"""Are the declared machines nodes of their cluster, Ready, with their declared addresses and containerd?"""

from __future__ import annotations

from functools import partial
from typing import Any

from live.checks import hosts
from live.doctor import expiry, foundations, keys
from live.doctor.keys import Key
from live.doctor.model import Check, Evidence, Finding, Watch
from live.doctor.platform import Platform
from live.doctor.pods import says
from live.expiry import machines


def checks(platform: Platform) -> list[Check]:
    """The checks of this column."""
    environment, key = platform.stack.environment, "regions.{}.cluster"
    return [
        *hosts.checks(platform),
        *(check for region in platform.regions for check in _kubelets(platform, region)),
        *platform.per_region(
            "machines",
            keys.schedulable,
            "a node of {} takes new pods",
            check_schedulable,
            key,
            foundations.kubelets,
            where=partial(foundations.has_workers, platform),
        ),
        *platform.per_region("machines", keys.nodes, "nodes of {} are Ready", check_nodes, key, _below_nodes),
        *platform.per_region(
            "machines",
            keys.containerd,
            "nodes of {} run the declared containerd",
            check_containerd,
            key,
            foundations.kubelets,
            where=lambda region: environment.versions_of(region).containerd is not None,
        ),
        *platform.per_region(
            "machines",
            keys.host_certificates,
            "certificates on hosts of {} are valid",
            check_host_certificates,
            key,
            _below_certificates,
            needs=(),
            where=lambda region: bool(environment.regions[region].nodes),
        ),
    ]


def _kubelets(platform: Platform, region: str) -> list[Check]:
    return [
        Check(
            keys.kubelet(name),
            "machines",
            f"{name} is a Ready node of its cluster",
            partial(check_kubelet, platform, region, name),
            (keys.api_server(region),),
            rests_on=(keys.services(name), *foundations.credentials(platform, region)),
            region=region,
            declared=("regions", region, "cluster", "nodes", name),
        )
        for name in sorted(platform.stack.environment.regions[region].nodes)
    ]


def _below_certificates(platform: Platform, region: str) -> tuple[Key, ...]:
    nodes = platform.stack.environment.regions[region].nodes
    return (keys.ISSUED_CERTIFICATES, *map(keys.host, sorted(nodes)))


def _below_nodes(platform: Platform, region: str) -> tuple[Key, ...]:
    nodes = sorted(platform.stack.environment.regions[region].nodes)
    room = (keys.schedulable(region),) if foundations.has_workers(platform, region) else ()
    return (*map(keys.kubelet, nodes), *room)


def check_kubelet(platform: Platform, region: str, name: str, watch: Watch) -> Finding:
    """The node has joined, is Ready, and lacks no memory, disk or processes."""
    watch.at(f"the node {name} of {region}")
    evidence = Evidence(f"{name} Ready")
    nodes = platform.clusters[region].core.list_node().items
    node = next((node for node in nodes if node.metadata.name == name), None)
    if node is None:
        _absent(name, evidence)
        return evidence.finding("no such node")
    _ready(node, evidence)
    return evidence.finding("Ready" if says(node, "Ready") else "not Ready")


def check_schedulable(platform: Platform, region: str, watch: Watch) -> Finding:
    """At least one declared node for workload is there and not cordoned."""
    watch.at(f"the node list of {region}")
    declared = platform.stack.environment.regions[region].nodes
    wanted = {name for name, node in declared.items() if node.takes_workload}
    evidence = Evidence(f"one of {', '.join(sorted(wanted))} at least")
    nodes = {n.metadata.name: n for n in platform.clusters[region].core.list_node().items}
    there = {name: nodes[name] for name in sorted(wanted & set(nodes))}
    takes = [name for name, node in there.items() if says(node, "Ready") and not node.spec.unschedulable]
    for name, node in there.items():
        if not takes and node.spec.unschedulable:
            _cordoned(name, evidence)
    if not takes and not evidence.problems:
        evidence.problem(
            f"no node of {region} that takes workload is Ready", "See the checks of its nodes' kubelets."
        )
    return evidence.finding(", ".join(takes) or "none")


def check_nodes(platform: Platform, region: str, watch: Watch) -> Finding:
    """Every declared node is Ready and has its declared address; no other node is there."""
    watch.at(f"the node list of {region}")
    nodes = {n.metadata.name: n for n in platform.clusters[region].core.list_node().items}
    declared = platform.stack.environment.regions[region].nodes
    wanted = {name: str(node.address) for name, node in declared.items()} or dict.fromkeys(nodes, "")
    evidence = Evidence(f"Ready: {', '.join(sorted(wanted)) or 'at least one node'}")
    if not nodes:
        evidence.problem("the cluster has no node", "Run `pulumi up` again.")
    for name in sorted(wanted):
        if name not in nodes:
            _absent(name, evidence)
            continue
        _node(nodes[name], wanted[name], evidence)
    for name in sorted(set(nodes) - set(wanted)):
        evidence.problem(
            f"node {name} is not declared", f"Declare it, or remove it: `kubectl delete node {name}`."
        )
    ready = [name for name, node in nodes.items() if says(node, "Ready")]
    return evidence.finding(f"{len(ready)} of {len(wanted)} Ready")


def check_containerd(platform: Platform, region: str, watch: Watch) -> Finding:
    """Kubelet of each node says that the declared release runs its containers."""
    declared = platform.stack.environment.versions_of(region).containerd
    watch.at(f"the node list of {region}")
    evidence = Evidence(f"containerd {declared} on each node")
    nodes = platform.clusters[region].core.list_node().items
    for node in nodes:
        says = node.status.node_info.container_runtime_version
        running = says.removeprefix("containerd://").removeprefix("v")
        if running != declared:
            evidence.problem(
                f"node {node.metadata.name} runs {says}, declared is containerd {declared}",
                f"Run `pulumi up`; then see `systemctl status containerd` on {node.metadata.name}.",
            )
    return evidence.finding(f"{len(nodes)} nodes, containerd {declared}")


def check_host_certificates(platform: Platform, region: str, watch: Watch) -> Finding:
    """kubeadm's and kubelet's certificates on every node hold, and for a while. Asked over ssh."""
    watch.at(f"ssh to the hosts of {region}")
    return expiry.finding(machines.look(platform.stack, [region]))


def _absent(name: str, evidence: Evidence) -> None:
    evidence.problem(
        f"node {name} has not joined",
        f"Run `pulumi up`; if it stays away, read `journalctl -u kubelet` on {name}.",
    )


def _cordoned(name: str, evidence: Evidence) -> None:
    evidence.problem(
        f"node {name} is cordoned",
        f"`kubectl uncordon {name}` when its maintenance is over.",
        runbook=f"return-node node={name}",
    )


def _ready(node: Any, evidence: Evidence) -> None:
    name = node.metadata.name
    status, words = _condition(node, "Ready")
    if status != "True":
        heard = "" if status == "False" else " (its kubelet has not been heard of)"
        evidence.problem(
            f"node {name} is not Ready{heard}: {words}", f"Read `journalctl -u kubelet` on {name}."
        )
    else:
        evidence.note(f"{name} is Ready: {words}")
    for pressure in ("MemoryPressure", "DiskPressure", "PIDPressure"):
        present, words = _condition(node, pressure)
        if present == "True":
            evidence.problem(f"node {name} has {pressure}: {words}", f"Free the resource on {name}.")


def _node(node: Any, address: str, evidence: Evidence) -> None:
    name = node.metadata.name
    _ready(node, evidence)
    internal = [a.address for a in node.status.addresses or () if a.type == "InternalIP"]
    if address and address not in internal:
        evidence.problem(
            f"node {name} says its address is {internal}, declared is {address}", "Run `pulumi up`."
        )
    if node.spec.unschedulable:
        _cordoned(name, evidence)


def _condition(node: Any, kind: str) -> tuple[str, str]:
    for condition in node.status.conditions or ():
        if condition.type == kind:
            return condition.status, f"{condition.reason}: {condition.message}"
    return "Unknown", "it reports no such condition"
