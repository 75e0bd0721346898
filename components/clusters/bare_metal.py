"""A Kubernetes cluster made of machines: prepared, initialised and joined by the playbooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pulumi import Input, Output, Resource, ResourceOptions

from access import kubeconfig as kubeconfigs
from components import tokens
from components.build import Build
from components.cluster import Cluster
from components.component import late, named
from components.kubernetes_object import declare
from components.manifests import clusters
from components.network import tunnels
from playbooks import taints
from playbooks.provider.sdk import (
    Certificate,
    CertificateAuthority,
    EncryptionKey,
    HostPhase,
    NodeTaints,
    SigningKey,
)
from playbooks.work.clusters import (
    API_PORT,
    CONTROL_PLANE,
    ETCD,
    FRONT_PROXY,
    JOIN,
    SERVICE_ACCOUNTS,
    authority_name,
)
from playbooks.work.machines import PREPARE
from playbooks.work.network import TUNNEL
from stacks.model import BareMetalClusterSpec, Node


class BareMetalCluster(Cluster):
    """One cluster on declared machines.

    All hosts are prepared side by side; workers join as soon as the API is there. The cluster's certificate
    authority is made here and given to the control plane, so the administrator's kubeconfig is issued from it
    and is never fetched from a host.

    Where the API has an address of its own, control-plane nodes may come and go: what they have in common is
    made here too, and they are made, changed and taken out one by one.
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
        server = f"https://{spec.endpoint}:{API_PORT}"

        authorities = [self._authority(number) for number in spec.certificate_authorities]
        authority, trusted = authorities[0], [each.certificate for each in authorities]
        administrator = self._administrator_kubeconfig(authority, trusted, server)
        for host in sorted(spec.nodes):
            hosts.declare(host, PREPARE, parent=self, kubeconfig=administrator)
        for host in hosts.of(name, TUNNEL):
            tunnels.declare(build, host, parent=self)
        control_plane = self._control_plane(build, spec, authorities, administrator)
        join = {"join_ca_certificate_hash": authority.public_key_hash, "join_authorities": trusted}
        joined = [
            hosts.declare(worker, JOIN, parent=self, variables=join, kubeconfig=administrator)
            for worker in workers
        ]

        # Any control-plane node may go before the cluster does, where there can be several.
        self.deleted_with = authority if spec.api_server_address else control_plane[0]
        self.nodes_ready = joined or control_plane
        self.connect(administrator, after=control_plane)
        names, members = [*hosts.of(name, CONTROL_PLANE), *workers], [*control_plane, *joined]
        for node, member in zip(names, members, strict=True):
            self._mark(node, spec.nodes[node], build.environment.taints_of(spec.nodes[node]), member)
        self.api_server = Output.from_input(server)
        self.register_outputs({"api_server": self.api_server, "kubeconfig": self.kubeconfig})

    def _authority(self, number: int) -> CertificateAuthority:
        """One of the cluster's authorities.

        Not renewed: hosts hold it, and with it all that they hold. One that is made anew here alone would
        only hide from the next `up` that theirs comes to its end.
        """
        return CertificateAuthority(
            named(self.region, "cluster-ca", "" if number == 1 else str(number)),
            common_name=authority_name(self.region, number),
            validity_days=3650,
            opts=self._own,
        )

    def _control_plane(
        self,
        build: Build,
        spec: BareMetalClusterSpec,
        authorities: list[CertificateAuthority],
        administrator: Output[str],
    ) -> list[HostPhase]:
        """The control-plane nodes, in the order in which they have joined, each after the one before it."""
        hosts, region, authority = build.hosts, self.region, authorities[0]
        variables: dict[str, Input[Any]] = {"control_plane_ca_certificate": authority.certificate}
        if len(authorities) > 1:
            variables["control_plane_authorities"] = [each.certificate for each in authorities]
        secrets: dict[str, Input[Any]] = {
            "control_plane_ca_private_key": authority.private_key,
            "control_plane_encryption_keys": self._encryption_keys(spec),
        }
        if spec.api_server_address:
            shared, hidden = self._shared_keys(build, authority)
            variables, secrets = {**variables, **shared}, {**secrets, **hidden}
        made: list[HostPhase] = []
        for host in hosts.of(region, CONTROL_PLANE):
            made.append(
                hosts.declare(
                    host,
                    CONTROL_PLANE,
                    parent=self,
                    variables=variables,
                    secret_variables=secrets,
                    kubeconfig=administrator if spec.api_server_address else None,
                    # Each after all before it: of two that go, none goes beside the other, whoever stays.
                    after=made,
                )
            )
        return made

    def _encryption_keys(self, spec: BareMetalClusterSpec) -> list[dict[str, Input[str]]]:
        """The keys of Secrets that control planes have, in declared order.

        Also where Secrets are not encrypted: what was, before that was declared, can still be read. Those
        that no control plane has any more are kept, for what backups have in them.
        """
        made = {1: EncryptionKey(named(self.region, "encryption-key"), cluster=self.region, opts=self._own)}
        for number in range(2, max(spec.encryption_keys) + 1):
            name = named(self.region, "encryption-key", str(number))
            made[number] = EncryptionKey(name, cluster=self.region, number=number, opts=self._own)
        keys = [made[number] for number in spec.encryption_keys]
        return [{"name": key.key_name, "secret": key.secret} for key in keys]

    def _shared_keys(
        self, build: Build, authority: CertificateAuthority
    ) -> tuple[dict[str, Input[Any]], dict[str, Input[Any]]]:
        """What all control-plane nodes have in common beside the cluster's authority: role variables that are
        public, and such that are secrets.

        Where the first of them made its cluster before that had an address of its own, kubeadm made them
        there, and they are taken over.
        """
        first = build.hosts.of(self.region, CONTROL_PLANE)[0]
        way = build.hosts.way_to(first)

        def kept(name: str) -> dict[str, Any]:
            where = {"host": first, "connection": way["connection"], "name": name}
            return {"kept_on": where, "become_password": way["become_password"]}

        variables: dict[str, Input[Any]] = {"control_plane_ca_certificate_hash": authority.public_key_hash}
        secrets: dict[str, Input[Any]] = {}
        for key, owner, file in (
            ("front_proxy_ca", "front-proxy-ca", FRONT_PROXY),
            ("etcd_ca", "etcd-ca", ETCD),
        ):
            made = CertificateAuthority(
                named(self.region, owner),
                common_name=owner,
                validity_days=3650,
                opts=self._own,
                **kept(file),
            )
            variables[f"control_plane_{key}_certificate"] = made.certificate
            secrets[f"control_plane_{key}_private_key"] = made.private_key
        key_pair = SigningKey(
            named(self.region, "service-accounts"),
            purpose="service accounts' tokens",
            opts=self._own,
            **kept(SERVICE_ACCOUNTS),
        )
        variables["control_plane_service_account_public_key"] = key_pair.public_key
        secrets["control_plane_service_account_private_key"] = key_pair.private_key
        return variables, secrets

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

    def _administrator_kubeconfig(
        self, authority: CertificateAuthority, trusted: list[Output[str]], server: str
    ) -> Output[str]:
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
            authority=Output.all(*trusted).apply("".join) if len(trusted) > 1 else trusted[0],
            certificate=administrator.certificate,
            private_key=administrator.private_key,
        )
