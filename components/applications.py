"""A stateless service in one cluster."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import Resource, ResourceOptions

from components import tokens
from components.build import Build
from components.cluster import Cluster
from components.component import Component
from components.kubernetes_object import declare_all
from components.manifests import applications
from components.namespaces import MeshNamespace
from stacks.model import ApplicationSpec


class Application(Component):
    """One application in one region."""

    token = tokens.APPLICATION

    ready: Sequence[Resource]
    """What a route to it must wait for."""

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        namespace: MeshNamespace,
        spec: ApplicationSpec,
        opts: ResourceOptions | None = None,
    ) -> None:
        """name: of the application; the resource's name has the region before it."""
        region = cluster.region
        super().__init__(region, name, region=region, declared=("applications", name), opts=opts)
        objects = declare_all(
            applications.objects(name, spec, region=region),
            parent=self,
            cluster=cluster,
            after=namespace.ready,
        )
        self.ready = objects.of("Deployment", "Service")
        self.register_outputs({"namespace": spec.namespace})


def build(build: Build) -> None:
    """Every declared application in every region, all alike."""
    for region, cluster in build.clusters.items():
        for name, spec in sorted(build.environment.applications.items()):
            build.applications[region, name] = Application(
                name,
                cluster=cluster,
                namespace=build.namespaces[region, spec.namespace],
                spec=spec,
                opts=build.below_region(region),
            )
