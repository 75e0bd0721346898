"""Exposure: HTTPS hosts on the ingress gateways of all clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pulumi import Output, Resource

from components import charts, tokens
from components.build import Build
from components.component import Component, named
from components.kubernetes_object import KubernetesObject, declare, retained
from components.manifests import exposure
from playbooks.provider.sdk import Certificate, GivenCertificate
from stacks.model import Exposed, IngressSpec, RouteSpec


class ExposedHost(Component):
    """A host and its certificate, which all regions present."""

    token = tokens.EXPOSED_HOST

    certificate: Certificate | GivenCertificate
    """Its own, of the gateways' authority, or the one that is given for it."""

    def __init__(self, build: Build, exposed: Exposed) -> None:
        given = build.environment.certificate_of(exposed.host)
        inputs = {"host": exposed.host, **({"certificate": given} if given else {})}
        name = _name(exposed)
        super().__init__(name, parent=build.platform, declared=exposed.owner, inputs=inputs)
        self.certificate = build.certificates[given] if given else self._issued(build, name, exposed.host)
        self.register_outputs({"host": exposed.host})

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

    def secret(self, build: Build, exposed: Exposed, parent: Component, region: str) -> KubernetesObject:
        """What a region's gateway presents of it, below what is declared there."""
        return declare(
            exposure.tls_secret(
                exposure.secret_name(exposed),
                chain=self.certificate.chain,
                private_key=self.certificate.private_key,
            ),
            parent=parent,
            cluster=build.clusters[region],
            after=build.control_planes[region].gateway_ready[:1],
        )


def _name(exposed: Exposed) -> str:
    """What a host's component is called: as its ingress, or as the route and the host."""
    kind, name = exposed.owner
    return name if kind == "ingresses" else named(name, exposed.host)


class Ingress(Component):
    """A host with its paths in one region."""

    token = tokens.INGRESS

    def __init__(
        self, build: Build, region: str, name: str, spec: IngressSpec, exposed: Exposed, host: ExposedHost
    ) -> None:
        super().__init__(
            region,
            name,
            parent=build.regions[region],
            region=region,
            declared=exposed.owner,
            inputs={"host": spec.host},
        )
        secret = host.secret(build, exposed, self, region)
        targets = {path.application for path in spec.paths}
        declare(
            exposure.ingress(name, spec, build.environment.applications),
            parent=self,
            cluster=build.clusters[region],
            after=[secret, *build.control_planes[region].gateway_ready, *_ready(build, region, targets)],
        )
        self.register_outputs({"host": spec.host})


class GatewayDefinitions(Component):
    """The definitions of the Gateway API in one region's cluster. Once there, they stay."""

    token = tokens.GATEWAY_DEFINITIONS

    ready: Sequence[Resource]
    """What objects of the Gateway API wait for."""

    def __init__(self, build: Build, region: str, version: str) -> None:
        super().__init__(
            region,
            "gateway-api",
            parent=build.regions[region],
            region=region,
            declared=("gatewayApi",),
            inputs={"version": version},
        )
        self.ready = retained(charts.gateway_api(version), parent=self, cluster=build.clusters[region])
        self.register_outputs({"version": version})


class Route(Component):
    """Hosts with their rules in one region."""

    token = tokens.ROUTE

    def __init__(
        self,
        build: Build,
        region: str,
        name: str,
        spec: RouteSpec,
        hosts: Mapping[Exposed, ExposedHost],
        after: Sequence[Resource],
    ) -> None:
        """hosts: its own. after: the definitions of its objects, where they are brought."""
        super().__init__(
            region,
            name,
            parent=build.regions[region],
            region=region,
            declared=("routes", name),
            inputs={"hosts": list(spec.hosts)},
        )
        cluster, ready = build.clusters[region], build.control_planes[region].gateway_ready
        secrets = [host.secret(build, exposed, self, region) for exposed, host in hosts.items()]
        gateway = declare(
            exposure.gateway(name, spec, list(hosts)),
            parent=self,
            cluster=cluster,
            after=[*after, *secrets, *ready],
        )
        namespace = build.namespaces[region, spec.namespace]
        declare(
            exposure.http_route(name, spec, build.environment.applications),
            parent=self,
            cluster=cluster,
            after=[gateway, *namespace.ready, *_ready(build, region, set(spec.applications))],
        )
        self.register_outputs({"hosts": list(spec.hosts)})


def _ready(build: Build, region: str, applications: set[str]) -> list[Resource]:
    """What leads to applications."""
    return [resource for name in sorted(applications) for resource in build.applications[region, name].ready]


def build(build: Build) -> None:
    """Every declared host, on the gateway of every region."""
    environment = build.environment
    exposed = {each: ExposedHost(build, each) for each in environment.exposed}
    of = {
        owner: {each: host for each, host in exposed.items() if each.owner == owner}
        for owner in {each.owner for each in exposed}
    }
    for region in build.regions:
        for name, spec in sorted(environment.ingresses.items()):
            ((each, host),) = of["ingresses", name].items()
            Ingress(build, region, name, spec, each, host)
        version = environment.definitions_of(region)
        after = GatewayDefinitions(build, region, version).ready if version else ()
        for name, route in sorted(environment.routes.items()):
            Route(build, region, name, route, of["routes", name], after)
    build.outputs["hostAuthorities"] = (
        {each.host: _authority(build, each.host) for each in exposed} if build.certificates else {}
    )
    # Never None: the engine leaves such an output out, and one that is not there was never made.
    build.outputs["url"] = next((f"https://{each.example}{each.asked[0]}" for each in exposed), "")


def _authority(build: Build, host: str) -> Output[str]:
    """PEM of what clients of a host are to trust; empty for the system's store."""
    given = build.environment.certificate_of(host)
    return build.certificates[given].ca if given else build.gateway_authority.certificate
