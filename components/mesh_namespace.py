"""A namespace of the mesh in one cluster: injection, mTLS mode, pod security, failover between regions."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import ComponentResource, Resource, ResourceOptions

from components.cluster import Cluster
from components.istio_control_plane import IstioControlPlane
from components.kubernetes_object import declare
from components.manifests import mesh, namespaces
from stacks.model import NamespaceSpec


class MeshNamespace(ComponentResource):
    """One namespace in one region."""

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
        super().__init__("crossmesh:components:MeshNamespace", f"{cluster.region}-{name}", {}, opts)
        namespace = declare(namespaces.application(name, spec), parent=self, cluster=cluster)
        after = [namespace, *control_plane.policies_ready]
        policies = [mesh.peer_authentication(name, spec.mtls), mesh.locality_failover(name)]
        declared = [declare(policy, parent=self, cluster=cluster, after=after) for policy in policies]
        self.ready = [namespace, *declared, *(control_plane.injection_ready if spec.injection else ())]
        self.register_outputs({"namespace": name})
