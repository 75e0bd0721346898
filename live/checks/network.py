"""Is the network below the mesh flat: pods with addresses of their nodes' slices, reached by these?"""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Address
from itertools import permutations

from live.doctor.model import Check, Evidence, Finding, Watch
from live.doctor.platform import Platform
from live.doctor.probes import PORT, PROBE_SECONDS


def checks(platform: Platform) -> list[Check]:
    """The checks of this column."""
    title = "pods of {} have addresses of their nodes' slices"
    checks = platform.per_region("network", "pod-addresses", title, check_pod_addresses)
    regions = platform.stack.environment.regions
    for source, target in permutations(platform.regions, 2):
        if regions[source].mesh_network == regions[target].mesh_network:
            run = partial(check_flat, platform, source, target)
            needs = (f"api-server/{source}", f"api-server/{target}")
            title = f"a pod of {source} reaches one of {target} by its address"
            checks.append(Check(f"flat/{source}/{target}", "network", title, run, needs, PROBE_SECONDS))
    return checks


def check_pod_addresses(platform: Platform, region: str, watch: Watch) -> Finding:
    """Every pod with an address of its own has one of its node's slice, and no two have the same."""
    slices = {n: o.pod_cidr for n, o in platform.outputs.regions[region].nodes.items() if o.pod_cidr}
    whole = platform.outputs.regions[region].pod_cidr
    told = ", ".join(f"{node} {slice_}" for node, slice_ in sorted(slices.items())) or whole
    evidence = Evidence(f"every pod's address lies in its node's slice: {told}")
    watch.at(f"the pod list of {region}")
    pods = platform.clusters[region].core.list_pod_for_all_namespaces().items
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


def check_flat(platform: Platform, source: str, target: str, watch: Watch) -> Finding:
    """A pod outside the mesh reaches one of another region by address, and is seen by its own."""
    caller, called = (platform.probes[region].ready("outside", watch) for region in (source, target))
    evidence = Evidence(
        f"{caller.address} of {source} reaches a pod of {target} and is seen as {caller.address}"
    )
    url = f"http://{called.address}:{PORT}/cgi-bin/peer"
    watch.at(f"{url} from a pod of {source}")
    answer = caller.get(url)
    seen = plain_address(answer.body)
    if answer.status != 200:
        evidence.problem(
            f"{called.address} is not reached: {answer.problem}",
            "Compare `birdc show route` on both nodes and the site's routers: each needs the other's slice.",
        )
        return evidence.finding(f"{caller.address} → {called.address}: no answer")
    if seen != caller.address:
        evidence.problem(
            f"it sees {seen} instead of {caller.address}: somebody translates addresses on the way",
            "Look for masquerading on the source's node: `nft list ruleset`, and the CNI's ipMasq.",
        )
    slice_ = platform.outputs.regions[source].pod_cidr
    evidence.note(f"{caller.address} (of {slice_}) → {called.address} ({target}), seen as {seen}")
    return evidence.finding(f"{caller.address} → {called.address}, seen as {seen}")


def plain_address(text: str) -> str:
    """An IPv4 address as dotted decimals, from what a server on a dual-stack socket calls it."""
    return text.strip().strip("[]").removeprefix("::ffff:")
