"""Are the declared nodes there and Ready, and do nodes and pods have the addresses that the ledger gives
them?
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from typing import Any

from live.doctor.model import Evidence, Finding, Watch
from live.doctor.platform import Platform
from stacks.model import BareMetalClusterSpec


def check_nodes(platform: Platform, region: str, watch: Watch) -> Finding:
    """Every declared node is Ready and has its declared address; no other node is there."""
    watch.at(f"the node list of {region}")
    nodes = {n.metadata.name: n for n in platform.clusters[region].core.list_node(_request_timeout=8).items}
    spec = platform.stack.environment.regions[region].cluster
    declared = (
        {n: str(v.address) for n, v in spec.nodes.items()} if isinstance(spec, BareMetalClusterSpec) else {}
    )
    wanted = declared or dict.fromkeys(nodes, "")
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
    ready = [name for name, node in nodes.items() if _condition(node, "Ready")[0] == "True"]
    return evidence.finding(f"{len(ready)} of {len(wanted)} Ready")


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
        found, words = _condition(node, pressure)
        if found == "True":
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


def check_pod_addresses(platform: Platform, region: str, watch: Watch) -> Finding:
    """Every pod with an address of its own has one of its node's slice, and no two have the same."""
    slices = {n: o.pod_cidr for n, o in platform.outputs.regions[region].nodes.items() if o.pod_cidr}
    whole = platform.outputs.regions[region].pod_cidr
    evidence = Evidence("every pod's address lies in its node's slice: " + _slices(slices, whole))
    watch.at(f"the pod list of {region}")
    pods = platform.clusters[region].core.list_pod_for_all_namespaces(_request_timeout=8).items
    owners: dict[str, str] = {}
    counted = 0
    for pod in pods:
        name = f"{pod.metadata.namespace}/{pod.metadata.name}"
        address = pod.status.pod_ip
        if pod.spec.host_network or not address or pod.status.phase in ("Succeeded", "Failed"):
            continue
        counted += 1
        slice_ = slices.get(pod.spec.node_name, whole)
        if IPv4Address(address) not in slice_:
            evidence.problem(
                f"pod {name} on {pod.spec.node_name} has {address}, outside {slice_}",
                f"Read the CNI configuration on {pod.spec.node_name}, run `pulumi up`, and delete the pod.",
            )
        if address in owners:
            evidence.problem(
                f"{address} is the address of {owners[address]} and of {name}", "Delete one of the pods."
            )
        owners[address] = name
    if not counted:
        evidence.problem(
            f"no pod in {region} has an address of the pod network", "See the checks of the workloads."
        )
    return evidence.finding(
        f"{counted} pods with addresses of their own, {len(evidence.problems)} out of place"
    )


def _slices(slices: dict[str, IPv4Network], whole: IPv4Network) -> str:
    return ", ".join(f"{node} {slice_}" for node, slice_ in sorted(slices.items())) or str(whole)


def check_slices(platform: Platform, watch: Watch) -> Finding:
    """No two ranges of the platform overlap, and what runs is what the ledger says."""
    watch.at("the stack's outputs")
    evidence = Evidence("cluster, node, service and machine ranges overlap nowhere and are the ledger's")
    ranges: list[tuple[str, IPv4Network]] = []
    count = 0
    for region, output in sorted(platform.outputs.regions.items()):
        ranges.append((f"pods of {region}", output.pod_cidr))
        ranges.append((f"services of {region}", output.service_cidr))
        machines = platform.stack.environment.regions.get(region)
        if machines is not None:
            ranges.append((f"machines of {region}", machines.machine_network))
        slices = [
            (f"node {name}", node.pod_cidr) for name, node in sorted(output.nodes.items()) if node.pod_cidr
        ]
        count += len(slices)
        for name, slice_ in slices:
            if not slice_.subnet_of(output.pod_cidr):
                evidence.problem(
                    f"{name} has {slice_}, outside {output.pod_cidr} of {region}", "Run `pulumi up`."
                )
            else:
                evidence.note(f"{name}: {slice_}")
        _overlaps(slices, evidence)
        _ledger(platform, region, evidence)
    _overlaps(ranges, evidence)
    return evidence.finding(
        f"{len(ranges)} ranges and {count} node slices, {len(evidence.problems)} problems"
    )


def _overlaps(ranges: list[tuple[str, IPv4Network]], evidence: Evidence) -> None:
    for (one, first), (other, second) in combinations(ranges, 2):
        if first.overlaps(second):
            evidence.problem(
                f"{one} ({first}) overlaps {other} ({second})",
                "Give one of them a free range in the stack file.",
            )


def _ledger(platform: Platform, region: str, evidence: Evidence) -> None:
    output, ledger = platform.outputs.regions[region], platform.stack.ledger
    entry = ledger.clusters.get(region)
    if entry is None:
        return
    if (entry.pods, entry.services) != (output.pod_cidr, output.service_cidr):
        evidence.problem(
            f"{region} runs on {output.pod_cidr} and {output.service_cidr}, "
            f"the ledger says {entry.pods} and {entry.services}",
            "Put the ledger's line back: ranges of a running cluster cannot move.",
        )
    for name, slice_ in sorted(ledger.nodes.get(region, {}).items()):
        node = output.nodes.get(name)
        if node is not None and node.pod_cidr != slice_:
            evidence.problem(
                f"node {name} has {node.pod_cidr}, the ledger says {slice_}", "Put the line back."
            )
