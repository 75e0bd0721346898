"""Clusters: one in each region, made of machines or adopted."""

from __future__ import annotations

from pulumi import Output

from components.build import Build
from components.cluster import Cluster
from components.clusters.adopted import AdoptedCluster
from components.clusters.bare_metal import BareMetalCluster
from stacks.model import BareMetalClusterSpec


def build(build: Build) -> None:
    """Every region's cluster."""
    for region in build.regions:
        cluster = build.clusters[region] = _cluster(build, region)
        build.region_outputs[region]["apiServer"] = cluster.api_server
    build.outputs["kubeconfigs"] = Output.secret(
        {region: cluster.kubeconfig for region, cluster in build.clusters.items()}
    )


def _cluster(build: Build, region: str) -> Cluster:
    spec = build.environment.regions[region].cluster
    version = build.environment.versions_of(region).kubernetes
    own = build.below_region(region)
    if isinstance(spec, BareMetalClusterSpec):
        return BareMetalCluster(region, version=version, spec=spec, hosts=build.hosts, opts=own)
    kubeconfig = build.adopted_kubeconfigs.get(region)
    if kubeconfig is None:
        raise ValueError(f"region '{region}': no kubeconfig is given for its adopted cluster")
    return AdoptedCluster(region, version=version, kubeconfig=kubeconfig, crossmesh=build.crossmesh, opts=own)
