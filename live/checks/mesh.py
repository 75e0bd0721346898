"""Do the clusters see each other: remote clusters synchronised, endpoints of all regions in sidecars?"""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from typing import Any

from access import envoy
from access.errors import AccessError
from live.doctor import foundations, keys
from live.doctor.keys import Key
from live.doctor.model import Check, Evidence, Finding, Watch
from live.doctor.parts import Part, mesh_pods, part_checks
from live.doctor.platform import Platform
from live.doctor.pods import is_ready
from stacks.system_namespaces import ISTIO_SYSTEM

ISTIOD = Part("istiod", ISTIO_SYSTEM, "app=istiod", "mesh")


def checks(platform: Platform) -> list[Check]:
    """The checks of this column."""
    reads, knows = "istiod of {} reads the other clusters", "sidecars of {} know endpoints in every region"
    endpoints_known = platform.per_region("mesh", keys.endpoints, knows, check_endpoints, "mesh", _known)
    remote = platform.per_region(
        "mesh", keys.remote_clusters, reads, check_remote_clusters, "mesh", _remote, (keys.istiod,)
    )
    return [
        *part_checks(platform, "mesh", ISTIOD),
        *(remote if len(platform.regions) > 1 else ()),
        *(endpoints_known if platform.applications_of_mesh() else ()),
    ]


def _remote(platform: Platform, region: str) -> tuple[Key, ...]:
    others = (keys.api_server(other) for other in platform.regions if other != region)
    return (*others, *foundations.ways(platform, region))


def _known(platform: Platform, region: str) -> tuple[Key, ...]:
    remote = (keys.remote_clusters(region),) if len(platform.regions) > 1 else ()
    return (keys.istiod(region), *remote, *foundations.all_applications(platform))


def check_remote_clusters(platform: Platform, region: str, watch: Watch) -> Finding:
    """Every istiod of the region has synchronised with every other region's cluster."""
    others = [other for other in platform.regions if other != region]
    evidence = Evidence(f"synced with {', '.join(others)}")
    cluster = platform.clusters[region]
    watch.at(f"the pods of istiod in {region}")
    listed = cluster.core.list_namespaced_pod(ISTIO_SYSTEM, label_selector="app=istiod").items
    seen: list[str] = []
    for pod in listed:
        if not is_ready(pod):
            continue
        name = pod.metadata.name
        watch.at(f"remote clusters of {name}")
        done = cluster.execute(
            ISTIO_SYSTEM, name, "discovery", ["pilot-discovery", "request", "GET", "/debug/clusterz"]
        )
        try:
            entries = {entry["id"]: entry for entry in json.loads(done.stdout) or ()}
        except (ValueError, KeyError, TypeError) as error:
            words = (done.stderr or done.stdout).strip()[:200]
            raise AccessError(f"{name} does not say which clusters it reads: {words or error}") from error
        for other in others:
            status = entries.get(other, {}).get("syncStatus", "unknown to it")
            seen.append(f"{other} {status}")
            if status == "synced":
                evidence.note(f"{name}: {other} is synced")
            else:
                evidence.problem(
                    f"{name}: {other} is {status}",
                    f"See istio-remote-secret-{other} in {ISTIO_SYSTEM}, whether its token is valid, "
                    f"and whether pods of {region} reach {platform.outputs.regions[other].api_server}.",
                )
    if not seen:
        evidence.problem(f"no istiod is ready in {region}", f"See the check istiod/{region}.")
    return evidence.finding(", ".join(seen) or "nothing")


def check_endpoints(platform: Platform, region: str, watch: Watch) -> Finding:
    """A sidecar of the region knows endpoints of every application of the mesh in every region."""
    environment = platform.stack.environment
    applications = platform.applications_of_mesh()
    evidence = Evidence(f"endpoints of {', '.join(applications)} in {', '.join(platform.regions)}")
    pods = mesh_pods(platform, region)
    if not pods:
        evidence.problem(
            f"no ready pod with a sidecar runs in {region}", "See the checks of the applications."
        )
        return evidence.finding("nothing")
    pod = pods[0]
    watch.at(f"endpoints of {pod.metadata.name}")
    known = envoy.clusters(platform.clusters[region], pod.metadata.namespace, pod.metadata.name)
    addresses_of = endpoints(known)
    seen = 0
    for name in applications:
        spec = environment.applications[name]
        target = f"outbound|{spec.port}||{name}.{spec.namespace}.svc.cluster.local"
        for other in platform.regions:
            pods_of = platform.outputs.regions[other].pod_cidr
            all_addresses = addresses_of.get(target, ())
            addresses = [address for address in all_addresses if IPv4Address(address) in pods_of]
            if addresses:
                seen += 1
                evidence.note(f"{name} in {other}: {', '.join(addresses)}")
            else:
                evidence.problem(
                    f"{pod.metadata.name} in {region} knows no endpoint of {name} in {other}",
                    f"See the checks remote-clusters/{region} and application/{other}/{name}.",
                )
    pairs = len(applications) * len(platform.regions)
    return evidence.finding(f"{seen} of {pairs} pairs of application and region")


def endpoints(clusters: dict[str, Any]) -> dict[str, list[str]]:
    """Addresses of each of Envoy's clusters, from its `clusters?format=json`."""
    addresses: dict[str, list[str]] = {}
    for status in clusters.get("cluster_statuses", ()):
        for host in status.get("host_statuses", ()):
            address = host.get("address", {}).get("socket_address", {}).get("address")
            if address:
                addresses.setdefault(status.get("name", ""), []).append(address)
    return addresses
