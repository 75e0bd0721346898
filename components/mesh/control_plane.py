"""Istio in one cluster: its definitions, its CA, istiod, the ingress gateway and the mesh-wide policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import Input, Resource

import releases
from components import charts, tokens
from components.build import Build
from components.component import Component, named
from components.kubernetes_object import KubernetesObject, Objects, admitted, declare, declare_all
from components.manifests import Manifest, exposure, mesh, namespaces
from components.network.load_balancer_pool import gateway_address
from playbooks.provider.sdk import CertificateAuthority
from stacks.system_namespaces import ISTIO_INGRESS, ISTIO_SYSTEM

_WEBHOOKS = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})


class IstioControlPlane(Component):
    """One cluster's primary control plane, with an intermediate CA of the mesh's root."""

    token = tokens.ISTIO_CONTROL_PLANE

    gateway_addresses: Sequence[Input[str]]
    """Where clients reach the ingress gateway."""
    remote_secrets_ready: Sequence[Resource]
    """What a remote secret must wait for in this cluster: its namespace."""
    reader_ready: Sequence[Resource]
    """What a token for istiod of other clusters must wait for: the reader's account."""
    policies_ready: Sequence[Resource]
    """What Istio's own objects must wait for: their definitions, and istiod that validates them."""
    injection_ready: Sequence[Resource]
    """What pods with a sidecar must wait for: istiod and its webhook."""
    gateway_ready: Sequence[Resource]
    """What an Ingress must wait for: its class and the gateway with its address."""

    def __init__(self, build: Build, name: str) -> None:
        """name: of the region."""
        spec, network = build.environment.mesh, build.environment.regions[name].mesh_network
        inputs = {"network": network}
        super().__init__(name, parent=build.regions[name], region=name, declared=("mesh",), inputs=inputs)
        self._build, self._name = build, name
        self._cluster, self._versions = build.clusters[name], build.environment.versions_of(name)
        self._namespace = self._declare(namespaces.istio_system(network))
        cacerts = self._intermediate()

        base, admission = _apart(
            self._render(charts.BASE, "istio-base", ISTIO_SYSTEM, mesh.base_values(spec))
        )
        pilot = releases.release("istio", self._versions.istio).images["pilot"]
        replicas = self._cluster.replicas
        values = mesh.istiod_values(spec, region=name, network=network, image=pilot, replicas=replicas)
        istiod, injection = _apart(self._render(charts.ISTIOD, mesh.ISTIOD, ISTIO_SYSTEM, values))
        definitions = self._declare_all(base, after=[self._namespace])
        before = [self._namespace, cacerts, *definitions.of("CustomResourceDefinition")]
        serving = self._declare_all(istiod, after=before).of("Deployment", "Service")
        webhooks = [
            self._declare(manifest, after=serving) for manifest in mesh.fail_closed([*admission, *injection])
        ]
        self.remote_secrets_ready = [self._namespace]
        account = definitions["ServiceAccount", mesh.READER]
        reads = self._declare_all(mesh.configuration_reader(spec.revision), after=[account])
        self.reader_ready = [account, *reads.of("RoleBinding")]
        crds = definitions.of("CustomResourceDefinition")
        answered = admitted(
            mesh.offered(),
            "peerauthentications",
            server=f"istiod {self._versions.istio}",
            parent=self,
            cluster=self._cluster,
            after=[*crds, *webhooks],
        )
        self.policies_ready = [*crds, answered]
        self.injection_ready = [*serving, answered]
        self._declare(mesh.peer_authentication(ISTIO_SYSTEM, "STRICT"), after=self.policies_ready)
        gateway = self._gateway()
        region = build.environment.regions[name]
        self.gateway_addresses = (
            list(map(str, region.gateway_addresses))
            if region.gateway_nodes
            else [gateway_address(gateway.status)]
        )
        self.register_outputs({"gateway_addresses": self.gateway_addresses})

    def _intermediate(self) -> KubernetesObject:
        intermediate = CertificateAuthority(
            named(self._name, "mesh-ca"),
            common_name=f"Istio CA of {self._name}",
            organization="Istio",
            dns_names=[f"{mesh.ISTIOD}.{ISTIO_SYSTEM}.svc"],
            path_length=0,
            issuer=self._build.mesh_root,
            validity_days=1095,
            renew_before_days=365,
            opts=self._build.own(self),
        )
        secret = mesh.certificate_authority(
            certificate=intermediate.certificate,
            private_key=intermediate.private_key,
            root_certificate=intermediate.root_certificate,
            chain=intermediate.chain,
        )
        return self._declare(secret, after=[self._namespace])

    def _gateway(self) -> KubernetesObject:
        """The ingress gateway's service; its pods are made by the injector from a template of istiod's."""
        environment, load_balancer = self._build.environment, self._build.load_balancers.get(self._name)
        region = environment.regions[self._name]
        hosts = [exposed.host for exposed in environment.exposed if exposed.redirect_http]
        values = mesh.gateway_values(
            replicas=self._cluster.replicas,
            ports=environment.gateway_ports,
            addresses=list(map(str, region.gateway_addresses)),
            of_nodes=bool(region.gateway_nodes),
        )
        chart = self._render(charts.GATEWAY, mesh.GATEWAY, ISTIO_INGRESS, values)
        objects = [mesh.said_to_be_alone(manifest) for manifest in chart]
        services = [manifest for manifest in objects if manifest["kind"] == "Service"]
        pods = [manifest for manifest in objects if manifest not in services]
        namespace = self._declare(namespaces.istio_ingress())
        closed = [
            self._declare(manifest, after=[namespace, *self.policies_ready])
            for manifest in (exposure.redirected(hosts) if hosts else ())
        ]
        pool = load_balancer.pool if load_balancer else []
        # Its address is not of its pods: a cloud takes minutes for one, and the edges' hosts need it.
        service = self._declare_all(services, after=[namespace, *pool])["Service", mesh.GATEWAY]
        self._declare_all(pods, after=[namespace, *closed, *self.injection_ready])
        assert isinstance(service, KubernetesObject)
        ingress_class = self._declare(mesh.ingress_class())
        self.gateway_ready = [namespace, ingress_class, service]
        return service

    def _render(self, chart: str, release: str, namespace: str, values: Mapping[str, Any]) -> list[Manifest]:
        versions = self._versions
        return charts.istio(
            chart, release, namespace, values, version=versions.istio, kubernetes=versions.kubernetes
        )

    def _declare(self, manifest: Manifest, after: Sequence[Resource] = ()) -> KubernetesObject:
        return declare(manifest, parent=self, cluster=self._cluster, after=after)

    def _declare_all(self, manifests: Sequence[Manifest], after: Sequence[Resource]) -> Objects:
        return declare_all(manifests, parent=self, cluster=self._cluster, after=after)


def _apart(manifests: Sequence[Manifest]) -> tuple[list[Manifest], list[Manifest]]:
    """The objects without webhooks' configurations, and these."""
    webhooks = [manifest for manifest in manifests if manifest["kind"] in _WEBHOOKS]
    return [manifest for manifest in manifests if manifest["kind"] not in _WEBHOOKS], webhooks
