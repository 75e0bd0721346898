"""Clusters: one in each region, made of machines or adopted."""

from __future__ import annotations

from pulumi import Output

from components.build import Build
from components.clusters.adopted import AdoptedCluster
from components.clusters.bare_metal import BareMetalCluster
from stacks.model import BareMetalClusterSpec


def build(build: Build) -> None:
    """Every region's cluster."""
    for region in build.regions:
        spec = build.environment.regions[region].cluster
        build.clusters[region] = (
            BareMetalCluster(build, region, spec)
            if isinstance(spec, BareMetalClusterSpec)
            else AdoptedCluster(build, region, spec)
        )
        build.region_outputs[region]["apiServer"] = build.clusters[region].api_server
    build.outputs["kubeconfigs"] = Output.secret(
        {region: cluster.kubeconfig for region, cluster in build.clusters.items()}
    )
