"""A Kubernetes cluster made of machines: prepared, initialised and joined by the playbooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pulumi import Output, Resource, ResourceOptions

from access import kubeconfig as kubeconfigs
from components import tokens
from components.build import Build
from components.cluster import Cluster
from components.component import late, named
from components.kubernetes_object import declare
from components.manifests import clusters
from components.network import tunnels
from playbooks import taints
from playbooks.provider.sdk import Certificate, CertificateAuthority, NodeTaints
from playbooks.work.clusters import API_PORT, CONTROL_PLANE, JOIN
from playbooks.work.machines import PREPARE
from playbooks.work.network import TUNNEL
from stacks.model import BareMetalClusterSpec, Node, NodeRole


class BareMetalCluster(Cluster):
    """One cluster on declared machines.

    All hosts are prepared side by side; workers join as soon as the API is there. The cluster's certificate
    authority is made here and given to the control plane, so the administrator's kubeconfig is issued from it
    and is never fetched from a host.
    """

    token = tokens.BARE_METAL_CLUSTER

    def __init__(self, build: Build, name: str, spec: BareMetalClusterSpec) -> None:
        """name: of the region."""
        inputs = {"nodes": sorted(spec.nodes), "max_unavailable": spec.max_unavailable}
        super().__init__(build, name, inputs)
        hosts = build.hosts
        self._own = build.own(self)
        workers = hosts.of(name, JOIN)
        self.replicas = min(2, max(1, sum(node.takes_workload for node in spec.nodes.values())))
        address = next(
            node.address for _, node in sorted(spec.nodes.items()) if node.role is NodeRole.CONTROL_PLANE
        )
        server = f"https://{address}:{API_PORT}"

        authority = CertificateAuthority(
            named(name, "cluster-ca"),
            common_name=f"kubernetes-{name}",
            validity_days=3650,
            # Not renewed: hosts get it once, when the cluster is made, and with it in all that they hold. One
            # that is made anew here alone would only hide from the next `up` that theirs comes to its end.
            opts=self._own,
        )
        administrator = self._administrator_kubeconfig(authority, server)
        for host in sorted(spec.nodes):
            hosts.declare(host, PREPARE, parent=self, kubeconfig=administrator)
        for host in hosts.of(name, TUNNEL):
            tunnels.declare(build, host, parent=self)
        control_plane = [
            hosts.declare(
                host,
                CONTROL_PLANE,
                parent=self,
                variables={"control_plane_ca_certificate": authority.certificate},
                secret_variables={"control_plane_ca_private_key": authority.private_key},
            )
            for host in hosts.of(name, CONTROL_PLANE)
        ]
        hash_ = {"join_ca_certificate_hash": authority.public_key_hash}
        joined = [
            hosts.declare(worker, JOIN, parent=self, variables=hash_, kubeconfig=administrator)
            for worker in workers
        ]

        self.deleted_with = control_plane[0]
        self.nodes_ready = joined or control_plane
        self.connect(administrator, after=control_plane)
        names, members = [*hosts.of(name, CONTROL_PLANE), *workers], [*control_plane, *joined]
        for node, member in zip(names, members, strict=True):
            self._mark(node, spec.nodes[node], build.environment.taints_of(spec.nodes[node]), member)
        self.api_server = Output.from_input(server)
        self.register_outputs({"api_server": self.api_server, "kubeconfig": self.kubeconfig})

    def _mark(self, name: str, spec: Node, listed: Iterable[Mapping[str, Any]], member: Resource) -> None:
        """Give a node its taints and labels once it is a member. listed: taints, as Kubernetes has them."""
        after = [member]
        if declared := taints.by_identity(listed):
            own = ResourceOptions(depends_on=[member], deleted_with=self.deleted_with)
            after.append(
                NodeTaints(
                    named(self.region, name, "taints"),
                    kubeconfig=self.kubeconfig,
                    node=name,
                    taints=declared,
                    opts=ResourceOptions.merge(self._own, own),
                )
            )
        if manifest := clusters.labels(name, spec):
            declare(manifest, parent=self, cluster=self, after=after, patch=True)

    def _administrator_kubeconfig(self, authority: CertificateAuthority, server: str) -> Output[str]:
        administrator = Certificate(
            named(self.region, "administrator"),
            common_name="crossmesh-administrator",
            organizations=["system:masters"],
            usages=["client auth"],
            issuer=authority,
            validity_days=365,
            renew_before_days=90,
            opts=self._own,
        )
        return late(
            kubeconfigs.from_certificates,
            cluster=self.region,
            server=server,
            authority=authority.certificate,
            certificate=administrator.certificate,
            private_key=administrator.private_key,
        )
