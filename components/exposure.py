"""Exposure: HTTPS hosts on the ingress gateways of all clusters."""

from __future__ import annotations

from pulumi import Output

from components import tokens
from components.build import Build
from components.component import Component, named
from components.kubernetes_object import declare
from components.manifests import exposure
from playbooks.provider.sdk import Certificate, GivenCertificate
from stacks.model import IngressSpec


class ExposedHost(Component):
    """A host and its certificate, which all regions present."""

    token = tokens.EXPOSED_HOST

    certificate: Certificate | GivenCertificate
    """Its own, of the gateways' authority, or the one that is given for it."""

    def __init__(self, build: Build, name: str, host: str) -> None:
        """name: of the ingress."""
        given = build.environment.certificate_of(host)
        inputs = {"host": host, **({"certificate": given} if given else {})}
        super().__init__(name, parent=build.platform, declared=("ingresses", name), inputs=inputs)
        self.certificate = build.certificates[given] if given else self._issued(build, name, host)
        self.register_outputs({"host": host})

    def _issued(self, build: Build, name: str, host: str) -> Certificate:
        return Certificate(
            named(name, "certificate"),
            common_name=host,
            dns_names=[host],
            usages=["server auth"],
            issuer=build.gateway_authority,
            validity_days=90,
            renew_before_days=30,
            opts=build.own(self),
        )


class Ingress(Component):
    """A host with its paths in one region."""

    token = tokens.INGRESS

    def __init__(
        self,
        build: Build,
        region: str,
        name: str,
        spec: IngressSpec,
        certificate: Certificate | GivenCertificate,
    ) -> None:
        super().__init__(
            region,
            name,
            parent=build.regions[region],
            region=region,
            declared=("ingresses", name),
            inputs={"host": spec.host},
        )
        cluster, ready = build.clusters[region], build.control_planes[region].gateway_ready
        secret = declare(
            exposure.tls_secret(name, chain=certificate.chain, private_key=certificate.private_key),
            parent=self,
            cluster=cluster,
            after=ready[:1],
        )
        targets = sorted({path.application for path in spec.paths})
        routed = [resource for target in targets for resource in build.applications[region, target].ready]
        declare(
            exposure.ingress(name, spec, build.environment.applications),
            parent=self,
            cluster=cluster,
            after=[secret, *ready, *routed],
        )
        self.register_outputs({"host": spec.host})


def build(build: Build) -> None:
    """Every declared host, on the gateway of every region."""
    ingresses = sorted(build.environment.ingresses.items())
    exposed = {name: ExposedHost(build, name, spec.host) for name, spec in ingresses}
    for region in build.regions:
        for name, spec in ingresses:
            Ingress(build, region, name, spec, exposed[name].certificate)
    build.outputs["hostAuthorities"] = (
        {spec.host: _authority(build, spec.host) for _, spec in ingresses} if build.certificates else {}
    )
    # Never None: the engine leaves such an output out, and one that is not there was never made.
    build.outputs["url"] = next((f"https://{spec.example}{spec.paths[0].path}" for _, spec in ingresses), "")


def _authority(build: Build, host: str) -> Output[str]:
    """PEM of what clients of a host are to trust; empty for the system's store."""
    given = build.environment.certificate_of(host)
    return build.certificates[given].ca if given else build.gateway_authority.certificate
