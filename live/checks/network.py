"""Is the network below the mesh flat: pods with addresses of their nodes' slices, reached by these?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from itertools import permutations
from typing import Any

from live.checks import tunnels
from live.doctor import foundations, keys
from live.doctor.keys import Key
from live.doctor.model import Check, Evidence, Finding, Watch
from live.doctor.platform import Platform
from live.doctor.probes import PORT, PROBE_SECONDS
from live.doctor.shell import ask, unheard
from stacks.model import FabricPeer, Node
from stacks.model.network import Fabric

GUIDE = "docs/guides/routing.md"
SESSIONS = 'show protocols all "fabric*"'
"""What BIRD is asked of a node's sessions with routers."""


def checks(platform: Platform) -> list[Check]:
    """The checks of this column."""
    title = "pods of {} have addresses of their nodes' slices"
    checks = platform.per_region(
        "network", keys.pod_addresses, title, check_pod_addresses, "regions.{}.cluster", _below_addresses
    )
    regions = platform.stack.environment.regions
    for source, target in permutations(platform.regions, 2):
        if regions[source].mesh_network == regions[target].mesh_network:
            run = partial(check_flat, platform, source, target)
            title = f"a pod of {source} reaches one of {target} by its address"
            both = [
                below
                for region in (source, target)
                for below in (*foundations.pods(platform, region), *foundations.ways(platform, region))
            ]
            checks.append(
                Check(
                    keys.flat(source, target),
                    "network",
                    title,
                    run,
                    (keys.api_server(source), keys.api_server(target)),
                    PROBE_SECONDS,
                    rests_on=tuple(both),
                    region=source,
                    declared=("regions", source),
                )
            )
    for region in platform.regions:
        for name, node in sorted(regions[region].nodes.items()):
            checks += _of_node(platform, region, name, node)
    return checks + tunnels.checks(platform)


def _of_node(platform: Platform, region: str, name: str, node: Node) -> Iterator[Check]:
    own, fabric = (
        ("regions", region, "cluster", "nodes", name),
        platform.stack.environment.regions[region].fabric,
    )
    if fabric is not None:
        run, title = partial(check_sessions, platform, name, node, fabric), f"{name} and its routers talk"
        below: tuple[Key, ...] = (keys.services(name),)
        yield Check(keys.sessions(name), "network", title, run, rests_on=below, region=region, declared=own)
    ways, title = (
        partial(check_routes, platform, name, node),
        f"{name} knows the way to every other node's pods",
    )
    below = foundations.routes(platform, name)
    yield Check(keys.routes(name), "network", title, ways, rests_on=below, region=region, declared=own)


def _below_addresses(platform: Platform, region: str) -> tuple[Key, ...]:
    return (keys.SLICES, *foundations.pods(platform, region))


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


def check_sessions(platform: Platform, name: str, node: Node, fabric: Fabric, watch: Watch) -> Finding:
    """A node's sessions with the site's routers are up, and these keep its routes while its BIRD restarts.

    What else the routers need cannot be seen from a node.
    """
    evidence = Evidence(f"{len(fabric.peers)} sessions with routers")
    watch.at(f"BIRD on {name}")
    done = ask(platform, name, node, f"birdc '{SESSIONS}'")
    sessions = {session.router: session for session in read_sessions(done.stdout)}
    up = [peer for peer in fabric.peers if _judge_session(name, peer, sessions.get(peer.address), evidence)]
    return evidence.finding(f"{len(up)} of {len(fabric.peers)} sessions")


def check_routes(platform: Platform, name: str, node: Node, watch: Watch) -> Finding:
    """A node has a way to the slice of every other node."""
    slices = {
        other: slice_
        for there in platform.outputs.regions.values()
        for other, output in there.nodes.items()
        if other != name and (slice_ := output.pod_cidr)
    }
    evidence = Evidence(f"a way to {len(slices)} other nodes' slices")
    watch.at(f"the routes on {name}")
    done = ask(platform, name, node, "ip -json -4 route show")
    try:
        routes = json.loads(done.stdout)
    except ValueError as error:
        raise unheard(platform, name, "list its routes", done) from error
    _judge_routes(name, routes, slices, evidence)
    return evidence.finding(f"{len(slices)} slices of other nodes, {len(evidence.problems)} without a way")


@dataclass(frozen=True)
class Session:
    """A session of BIRD with a router."""

    router: IPv4Address
    established: bool
    state: str
    """Its state and its last error, in BIRD's words."""
    keeps_routes: bool
    """Whether the router keeps routes while BIRD restarts; known of an established session."""


def read_sessions(text: str) -> Iterable[Session]:
    """The sessions in what `birdc show protocols all` says."""
    for block in re.split(r"^(?=\S)", text, flags=re.M):
        if address := re.search(r"Neighbor address: (\S+)", block):
            state = re.search(r"BGP state: +(.+)", block)
            error = re.search(r"Last error: +(.+)", block)
            words = [match[1].strip() for match in (state, error) if match]
            theirs = block.partition("Neighbor capabilities")[2].partition("Session:")[0]
            yield Session(
                router=IPv4Address(address[1]),
                established=words[:1] == ["Established"],
                state=", ".join(words),
                keeps_routes=re.search(r"^ +Graceful restart", theirs, flags=re.M) is not None,
            )


def _judge_session(name: str, peer: FabricPeer, session: Session | None, evidence: Evidence) -> bool:
    if session is None:
        evidence.problem(
            f"{name} has no session with the router {peer.address}: BIRD does not run, or not as declared",
            f"Read `journalctl -u bird` on {name}, and run `pulumi up`.",
        )
    elif not session.established:
        evidence.problem(
            f"{name} and the router {peer.address} (AS {peer.asn}) have no session: {session.state}",
            f"Compare addresses and AS numbers on the router, and its error wait time: {GUIDE}.",
        )
    elif not session.keeps_routes:
        evidence.problem(
            f"the router {peer.address} drops the routes of {name} when BIRD restarts there",
            f"Turn graceful restart on at the router, at least as helper: {GUIDE}.",
        )
    else:
        evidence.note(f"session with {peer.address}: {session.state}")
    return session is not None and session.established


def _judge_routes(
    name: str, routes: Iterable[Mapping[str, Any]], slices: Mapping[str, IPv4Network], evidence: Evidence
) -> None:
    ways = {
        IPv4Network("0.0.0.0/0" if route["dst"] == "default" else route["dst"]): route for route in routes
    }
    for other, slice_ in sorted(slices.items()):
        covering = [network for network in ways if slice_.subnet_of(network)]
        way = ways[max(covering, key=lambda network: network.prefixlen)] if covering else None
        if way is None or way.get("type") in ("unreachable", "blackhole", "prohibit"):
            evidence.problem(
                f"{name} has no way to {slice_} of {other}"
                + (f": the route is {way['type']}" if way else ""),
                f"See that the routers pass nodes' slices on to each other, or that tunnels are up: {GUIDE}.",
            )
        else:
            hops = [hop.get("gateway") for hop in (way, *way.get("nexthops", ())) if hop.get("gateway")]
            evidence.note(f"{slice_} of {other}: via {', '.join(map(str, hops)) or way.get('dev')}")


def plain_address(text: str) -> str:
    """An IPv4 address as dotted decimals, from what a server on a dual-stack socket calls it."""
    return text.strip().strip("[]").removeprefix("::ffff:")
