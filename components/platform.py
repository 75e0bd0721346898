"""The whole platform of one environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import ComponentResource, Input, Output, ResourceOptions

from components.application import Application
from components.global_load_balancer import GlobalLoadBalancer
from components.hosts import Hosts
from components.ingress import Ingress
from components.istio_mesh import IstioMesh
from components.mesh_namespace import MeshNamespace
from components.region import Region
from playbooks.inventory import host_plans
from playbooks.provider.sdk import Certificate, CertificateAuthority, CrossmeshProvider
from stacks.load import Stack
from stacks.model import BareMetalClusterSpec, Environment

_AUTHORITY_DAYS, _AUTHORITY_RENEWAL = 3650, 1095
_CERTIFICATE_DAYS, _CERTIFICATE_RENEWAL = 90, 30


class Platform(ComponentResource):
    """Regions, the mesh over them, the applications in it, and the ways to these."""

    outputs: dict[str, Input[Any]]
    """The stack's outputs by name: `url`, `caCertificate`, `nameservers`, `regions`, `kubeconfigs`."""

    def __init__(
        self,
        name: str,
        stack: Stack,
        mesh_root_key: Input[str],
        *,
        kubeconfigs: Mapping[str, Input[str]] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """mesh_root_key: PEM of the mesh root's private key. kubeconfigs: of adopted clusters, by region."""
        super().__init__("crossmesh:components:Platform", name, {"domain": stack.environment.domain}, opts)
        self._environment = stack.environment
        self._own = ResourceOptions(parent=self)
        plans = host_plans(stack.environment, stack.ledger)
        self._crossmesh = CrossmeshProvider(
            "crossmesh",
            preview=pulumi.runtime.is_dry_run(),
            hosts={host: [str(phase) for phase in plan.phases] for host, plan in plans.items()},
            opts=self._own,
        )
        hosts = Hosts(plans, stack.environment.ssh, self._crossmesh)
        given = kubeconfigs or {}
        self.regions = {
            region: Region(region, stack=stack, hosts=hosts, kubeconfig=given.get(region), opts=self._own)
            for region in sorted(stack.environment.regions)
        }
        self.mesh = IstioMesh(
            "mesh",
            environment=stack.environment,
            regions=self.regions,
            root_key=mesh_root_key,
            crossmesh=self._crossmesh,
            opts=self._own,
        )
        authority = self._gateway_authority()
        self._workloads(authority)
        balancer = self._global_load_balancer(hosts)
        self.outputs = self._outputs(authority, balancer)
        self.register_outputs(self.outputs)

    def _gateway_authority(self) -> CertificateAuthority:
        return CertificateAuthority(
            "gateway-ca",
            common_name=f"{self._environment.domain} gateway CA",
            organization=self._environment.domain,
            validity_days=_AUTHORITY_DAYS,
            renew_before_days=_AUTHORITY_RENEWAL,
            opts=ResourceOptions(parent=self, provider=self._crossmesh),
        )

    def _workloads(self, authority: CertificateAuthority) -> None:
        """Namespaces, applications and ingresses, alike in every region."""
        environment = self._environment
        certificates = {
            name: Certificate(
                f"{name}-gateway",
                common_name=spec.host,
                dns_names=[spec.host],
                issuer=authority,
                validity_days=_CERTIFICATE_DAYS,
                renew_before_days=_CERTIFICATE_RENEWAL,
                opts=ResourceOptions(parent=self, provider=self._crossmesh),
            )
            for name, spec in sorted(environment.ingresses.items())
        }
        for region, found in self.regions.items():
            cluster, control_plane = found.cluster, self.mesh.control_planes[region]
            spaces = {
                name: MeshNamespace(
                    name, cluster=cluster, control_plane=control_plane, spec=spec, opts=self._own
                )
                for name, spec in sorted(environment.namespaces.items())
            }
            applications = {
                name: Application(
                    name, cluster=cluster, namespace=spaces[spec.namespace], spec=spec, opts=self._own
                )
                for name, spec in sorted(environment.applications.items())
            }
            for name, spec in sorted(environment.ingresses.items()):
                targets = sorted({entry.application for entry in spec.paths})
                Ingress(
                    name,
                    cluster=cluster,
                    control_plane=control_plane,
                    spec=spec,
                    applications=environment.applications,
                    certificate=certificates[name],
                    after=[resource for target in targets for resource in applications[target].ready],
                    opts=self._own,
                )

    def _global_load_balancer(self, hosts: Hosts) -> GlobalLoadBalancer | None:
        if self._environment.global_load_balancer is None:
            return None
        gateways: dict[str, Input[str]] = {}
        for region, found in self.regions.items():
            # A declared address is known before the gateway has it, so name servers need not wait for
            # clusters.
            pool = found.load_balancer
            gateways[region] = (
                pool.first_address if pool else self.mesh.control_planes[region].gateway_address
            )
        return GlobalLoadBalancer(
            "global-load-balancer",
            environment=self._environment,
            regions=self.regions,
            gateways=gateways,
            hosts=hosts,
            opts=self._own,
        )

    def _outputs(
        self, authority: CertificateAuthority, balancer: GlobalLoadBalancer | None
    ) -> dict[str, Input[Any]]:
        hosts = [spec.host for _, spec in sorted(self._environment.ingresses.items())]
        return {
            "url": f"https://{hosts[0]}" if hosts else None,
            "caCertificate": authority.certificate,
            "nameservers": balancer.nameservers if balancer else [],
            "regions": {region: self._region_output(region, self._environment) for region in self.regions},
            "kubeconfigs": Output.secret(
                {region: found.cluster.kubeconfig for region, found in self.regions.items()}
            ),
        }

    def _region_output(self, region: str, environment: Environment) -> dict[str, Input[Any]]:
        found, spec = self.regions[region], environment.regions[region].cluster
        nodes = spec.nodes if isinstance(spec, BareMetalClusterSpec) else {}
        return {
            "apiServer": found.cluster.api_server,
            "gatewayAddress": self.mesh.control_planes[region].gateway_address,
            "podCidr": found.network.pod_cidr,
            "serviceCidr": found.network.service_cidr,
            "nodes": {
                node: {"address": str(declared.address), "podCidr": found.network.nodes[node]}
                for node, declared in sorted(nodes.items())
            },
        }
