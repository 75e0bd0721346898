"""Exposure: HTTPS hosts on the ingress gateways of all clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pulumi import Resource, ResourceOptions

from components import tokens
from components.build import Build
from components.cluster import Cluster
from components.component import Component, named
from components.kubernetes_object import declare
from components.manifests import exposure
from components.mesh.control_plane import IstioControlPlane
from playbooks.provider.sdk import Certificate, CertificateAuthority, CrossmeshProvider
from stacks.model import ApplicationSpec, IngressSpec

_CERTIFICATE_DAYS, _CERTIFICATE_RENEWAL = 90, 30


class ExposedHost(Component):
    """A host and its certificate, which all regions present."""

    token = tokens.EXPOSED_HOST

    certificate: Certificate

    def __init__(
        self,
        name: str,
        *,
        host: str,
        authority: CertificateAuthority,
        crossmesh: CrossmeshProvider,
        opts: ResourceOptions | None = None,
    ) -> None:
        """name: of the ingress."""
        super().__init__(name, declared=("ingresses", name), inputs={"host": host}, opts=opts)
        self.certificate = Certificate(
            named(name, "certificate"),
            common_name=host,
            dns_names=[host],
            usages=["server auth"],
            issuer=authority,
            validity_days=_CERTIFICATE_DAYS,
            renew_before_days=_CERTIFICATE_RENEWAL,
            opts=ResourceOptions(parent=self, provider=crossmesh),
        )
        self.register_outputs({"host": host})


class Ingress(Component):
    """A host with its paths in one region."""

    token = tokens.INGRESS

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
        region = cluster.region
        super().__init__(
            region,
            name,
            region=region,
            declared=("ingresses", name),
            inputs={"host": spec.host},
            opts=opts,
        )
        secret = exposure.tls_secret(name, chain=certificate.chain, private_key=certificate.private_key)
        secret_resource = declare(secret, parent=self, cluster=cluster, after=control_plane.gateway_ready[:1])
        declare(
            exposure.ingress(name, spec, applications),
            parent=self,
            cluster=cluster,
            after=[secret_resource, *control_plane.gateway_ready, *after],
        )
        self.register_outputs({"host": spec.host})


def build(build: Build) -> None:
    """Every declared host, on the gateway of every region."""
    ingresses = sorted(build.environment.ingresses.items())
    for name, spec in ingresses:
        build.exposed_hosts[name] = ExposedHost(
            name,
            host=spec.host,
            authority=build.gateway_authority,
            crossmesh=build.crossmesh,
            opts=build.below_platform,
        )
    for region, cluster in build.clusters.items():
        for name, spec in ingresses:
            targets = sorted({path.application for path in spec.paths})
            Ingress(
                name,
                cluster=cluster,
                control_plane=build.control_planes[region],
                spec=spec,
                applications=build.environment.applications,
                certificate=build.exposed_hosts[name].certificate,
                after=[
                    resource for target in targets for resource in build.applications[region, target].ready
                ],
                opts=build.below_region(region),
            )
    build.outputs["url"] = f"https://{ingresses[0][1].host}" if ingresses else None
