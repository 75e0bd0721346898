"""Are the declared machines nodes of their cluster, Ready, with their declared addresses and containerd?"""

from __future__ import annotations

from typing import Any

from live.doctor import expiry
from live.doctor.model import Check, Evidence, Finding, Watch
from live.doctor.platform import Platform
from live.doctor.pods import says
from live.expiry import machines


def checks(platform: Platform) -> list[Check]:
    """The checks of this column."""
    environment, key = platform.stack.environment, "regions.{}.cluster"
    return [
        *platform.per_region("machines", "nodes", "nodes of {} are Ready", check_nodes, key),
        *platform.per_region(
            "machines",
            "containerd",
            "nodes of {} run the declared containerd",
            check_containerd,
            key,
            where=lambda region: environment.versions_of(region).containerd is not None,
        ),
        *platform.per_region(
            "machines",
            "host-certificates",
            "certificates on hosts of {} are valid",
            check_host_certificates,
            key,
            (),
            where=lambda region: bool(environment.regions[region].nodes),
        ),
    ]


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
            evidence.problem(
                f"node {name} has not joined",
                f"Run `pulumi up`; if it stays away, read `journalctl -u kubelet` on {name}.",
            )
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


def _node(node: Any, address: str, evidence: Evidence) -> None:
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
    internal = [a.address for a in node.status.addresses or () if a.type == "InternalIP"]
    if address and address not in internal:
        evidence.problem(
            f"node {name} says its address is {internal}, declared is {address}", "Run `pulumi up`."
        )
    if node.spec.unschedulable:
        evidence.problem(
            f"node {name} is cordoned", f"`kubectl uncordon {name}` when its maintenance is over."
        )


def _condition(node: Any, kind: str) -> tuple[str, str]:
    for condition in node.status.conditions or ():
        if condition.type == kind:
            return condition.status, f"{condition.reason}: {condition.message}"
    return "Unknown", "it reports no such condition"
