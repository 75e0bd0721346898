"""Claim 3: one flat network, a slice of its own for every node, and no slice overlaps another."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import combinations, permutations

import pytest

from access.cluster import Cluster
from live.checks.network import plain_address
from live.doctor.model import Watch
from live.doctor.probes import PORT, Probes
from tests.lab.conftest import BroughtUp


@pytest.fixture(scope="module")
def clusters(platform: BroughtUp) -> Iterator[dict[str, Cluster]]:
    with platform.site.clusters() as opened:
        yield opened


def test_pods_reach_each_other_by_address_and_are_seen_by_their_own(
    platform: BroughtUp, clusters: dict[str, Cluster]
) -> None:
    """Claim 3: an un-injected pod in eu reaches one in us by its address, which sees the caller's own; and
    back.
    """
    image = platform.site.declaration().environment.probe_image
    probes = {region: Probes(cluster, image) for region, cluster in clusters.items()}
    try:
        pods = {region: made.ready("outside", Watch(90)) for region, made in probes.items()}
        for source, target in permutations(pods, 2):
            url = f"http://{pods[target].address}:{PORT}/cgi-bin/peer"
            seen = pods[source].get(url)
            assert seen.status == 200, (source, target, seen)
            assert plain_address(seen.body) == pods[source].address
            assert IPv4Address(pods[source].address) in platform.outputs.regions[source].pod_cidr
    finally:
        for made in probes.values():
            made.remove()


def test_every_node_has_a_slice_of_its_own_and_no_slices_overlap(platform: BroughtUp) -> None:
    """Claim 3: every node has its own slice; slices never overlap, over all regions."""
    slices = [node.pod_cidr for region in platform.outputs.regions.values() for node in region.nodes.values()]
    assert len(slices) == 4
    assert all(slices)
    for one, other in combinations(slices, 2):
        assert one is not None and other is not None and not one.overlaps(other)


def test_every_running_pod_has_an_address_of_its_node_s_slice(
    platform: BroughtUp, clusters: dict[str, Cluster]
) -> None:
    """Claim 3, as it is and not as it was planned."""
    counted = 0
    for region, cluster in clusters.items():
        nodes = platform.outputs.regions[region].nodes
        for pod in cluster.core.list_pod_for_all_namespaces(_request_timeout=10).items:
            if pod.spec.host_network or not pod.status.pod_ip:
                continue
            slice_ = nodes[pod.spec.node_name].pod_cidr
            assert slice_ is not None and IPv4Address(pod.status.pod_ip) in slice_, pod.metadata.name
            counted += 1
    assert counted >= 10


def test_pod_routes_are_not_this_computer_s_business(platform: BroughtUp) -> None:
    """Claim 3: the pods' addresses are carried by the site's fabric, not by routes of the operator's
    machine.
    """
    import subprocess

    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    assert "172.30." not in routes
