"""A namespace of the mesh in one cluster: injection, mTLS mode, pod security, failover between regions."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import Resource, ResourceOptions

from components import tokens
from components.build import Build
from components.cluster import Cluster
from components.component import Component
from components.kubernetes_object import declare
from components.manifests import mesh, namespaces
from components.mesh.control_plane import IstioControlPlane
from stacks.model import NamespaceSpec


class MeshNamespace(Component):
    """One namespace in one region."""

    token = tokens.MESH_NAMESPACE

    ready: Sequence[Resource]
    """What its pods must wait for."""

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        control_plane: IstioControlPlane,
        spec: NamespaceSpec,
        opts: ResourceOptions | None = None,
    ) -> None:
        """name: of the namespace; the resource's name has the region before it."""
        region = cluster.region
        super().__init__(region, name, region=region, declared=("namespaces", name), opts=opts)
        namespace = declare(namespaces.application(name, spec), parent=self, cluster=cluster)
        after = [namespace, *control_plane.policies_ready]
        policies = [mesh.peer_authentication(name, spec.mtls), mesh.locality_failover(name)]
        declared = [declare(policy, parent=self, cluster=cluster, after=after) for policy in policies]
        self.ready = [namespace, *declared, *(control_plane.injection_ready if spec.injection else ())]
        self.register_outputs({"namespace": name})


def build(build: Build) -> None:
    """Every declared namespace in every region."""
    for region, cluster in build.clusters.items():
        for name, spec in sorted(build.environment.namespaces.items()):
            build.namespaces[region, name] = MeshNamespace(
                name,
                cluster=cluster,
                control_plane=build.control_planes[region],
                spec=spec,
                opts=build.below_region(region),
            )
