"""One HTTPS host on one cluster's ingress gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pulumi import ComponentResource, Resource, ResourceOptions

from components.cluster import Cluster
from components.istio_control_plane import IstioControlPlane
from components.kubernetes_object import declare
from components.manifests import ingress
from playbooks.provider.sdk import Certificate
from stacks.model import ApplicationSpec, IngressSpec


class Ingress(ComponentResource):
    """A host with its paths in one region. All regions present the same certificate."""

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        control_plane: IstioControlPlane,
        spec: IngressSpec,
        applications: Mapping[str, ApplicationSpec],
        certificate: Certificate,
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        """name: of the ingress; the resource's name has the region before it. after: its applications."""
        super().__init__(
            "crossmesh:components:Ingress", f"{cluster.region}-{name}", {"host": spec.host}, opts
        )
        secret = ingress.tls_secret(name, chain=certificate.chain, private_key=certificate.private_key)
        secret_resource = declare(secret, parent=self, cluster=cluster, after=control_plane.gateway_ready[:1])
        declare(
            ingress.ingress(name, spec, applications),
            parent=self,
            cluster=cluster,
            after=[secret_resource, *control_plane.gateway_ready, *after],
        )
        self.register_outputs({"host": spec.host})
