"""A stateless service in one cluster."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import ComponentResource, Resource, ResourceOptions

from components.cluster import Cluster
from components.kubernetes_object import declare_all
from components.manifests import application
from components.mesh_namespace import MeshNamespace
from stacks.model import ApplicationSpec


class Application(ComponentResource):
    """One application in one region."""

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
        super().__init__("crossmesh:components:Application", f"{cluster.region}-{name}", {}, opts)
        objects = declare_all(
            application.objects(name, spec, region=cluster.region),
            parent=self,
            cluster=cluster,
            after=namespace.ready,
        )
        self.ready = objects.of("Deployment", "Service")
        self.register_outputs({"namespace": spec.namespace})
