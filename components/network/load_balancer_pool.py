"""Addresses for services of type LoadBalancer in a cluster of machines, by MetalLB."""

from __future__ import annotations

from pulumi import Output, Resource

import releases
from components import charts, tokens
from components.build import Build
from components.component import Component, late, named
from components.kubernetes_object import base64_text, declare, declare_all
from components.manifests import network
from playbooks.provider.sdk import Certificate, CertificateAuthority
from stacks.model import AddressRange


class LoadBalancerPool(Component):
    """MetalLB and one pool of addresses: announced by ARP on the machines' network, by BGP beside it, and by
    nobody where there are no routers: then whoever owns them leads them to a machine.
    """

    token = tokens.LOAD_BALANCER_POOL

    pool: list[Resource]
    """What a service of type LoadBalancer must wait for to get an address."""

    def __init__(self, build: Build, name: str, addresses: AddressRange) -> None:
        """name: of the region. addresses: free addresses; outside the machines' network, of nobody's."""
        super().__init__(
            name,
            parent=build.regions[name],
            region=name,
            declared=("regions", name, "loadBalancer"),
            inputs={"first": str(addresses.first)},
        )
        cluster, version = build.clusters[name], build.environment.versions_of(name).metallb
        own = build.own(self)
        authority = CertificateAuthority(
            named(name, "metallb-ca"),
            common_name=f"metallb-webhook-{name}",
            validity_days=3650,
            renew_before_days=1095,
            opts=own,
        )
        certificate = Certificate(
            named(name, "metallb-webhook"),
            common_name=network.WEBHOOK_SERVICE,
            dns_names=[network.WEBHOOK_SERVICE],
            usages=["server auth"],
            issuer=authority,
            validity_days=1095,
            renew_before_days=365,
            opts=own,
        )
        manifests = network.release(
            charts.metallb(version),
            images=releases.release("metallb", version).images,
            ca_bundle=late(base64_text, text=authority.certificate),
            ca_certificate=authority.certificate,
            certificate=certificate.certificate,
            private_key=certificate.private_key,
        )
        # The API server is told last who checks pools. The controller is ready before each node's kube-proxy
        # knows the way to it, and a question that is refused on the way would end the run.
        checks = [manifest for manifest in manifests if manifest["kind"] == "ValidatingWebhookConfiguration"]
        others = [manifest for manifest in manifests if manifest not in checks]
        installed = declare_all(others, parent=self, cluster=cluster)
        serving = [installed["Deployment", "controller"]]
        pool = declare(network.address_pool(addresses), parent=self, cluster=cluster, after=serving)
        spec = build.environment.regions[name]
        announced = []
        if not spec.routed_services:
            announced = [network.advertisement("L2Advertisement")]
        elif spec.fabric:
            announced = [network.bgp_peer(spec.fabric.asn), network.advertisement("BGPAdvertisement")]
        announcing = declare_all(announced, parent=self, cluster=cluster, after=[*serving, pool])
        declare_all(
            checks, parent=self, cluster=cluster, after=[pool, *announcing.values(), *installed.of("Service")]
        )
        self.pool = [pool, *announcing.values(), *installed.of("DaemonSet")]
        self.register_outputs({})


def gateway_address(status: Output[dict[str, dict[str, list[dict[str, str]]]]]) -> Output[str]:
    """The address that a service of type LoadBalancer was given, from its status."""
    return late(_first_address, status=status)


def _first_address(status: dict[str, dict[str, list[dict[str, str]]]]) -> str:
    entry = status["loadBalancer"]["ingress"][0]
    return entry.get("ip") or entry["hostname"]
