"""One Istio mesh over all regions: one root of trust, a control plane per cluster that reads all others."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

from pulumi import ComponentResource, Input, Output, ResourceOptions

from access import kubeconfig as kubeconfigs
from components.istio_control_plane import IstioControlPlane
from components.kubernetes_object import declare
from components.late import late
from components.manifests import mesh
from components.manifests.namespaces import ISTIO_SYSTEM
from components.region import Region
from playbooks.provider.sdk import CertificateAuthority, CrossmeshProvider, ServiceAccountToken
from stacks.model import Environment

_ROOT_DAYS, _ROOT_RENEWAL = 3650, 1095
_DAY = 24 * 60 * 60
_TOKEN_SECONDS, _TOKEN_RENEWAL_SECONDS = 180 * _DAY, 90 * _DAY


class IstioMesh(ComponentResource):
    """The mesh: multi-primary, one trust domain, mTLS everywhere."""

    control_planes: dict[str, IstioControlPlane]
    """By region."""
    root_certificate: Output[str]
    """The certificate, PEM, that all workloads' certificates end in."""

    def __init__(
        self,
        name: str,
        *,
        environment: Environment,
        regions: Mapping[str, Region],
        root_key: Input[str],
        crossmesh: CrossmeshProvider,
        opts: ResourceOptions | None = None,
    ) -> None:
        """root_key: PEM of the root's private key, a secret of the stack."""
        spec = environment.mesh
        super().__init__(
            "crossmesh:components:IstioMesh", name, {"id": spec.id, "trust_domain": spec.trust_domain}, opts
        )
        self._crossmesh = crossmesh
        root = CertificateAuthority(
            f"{name}-root",
            common_name=f"{spec.id} root CA",
            organization=spec.trust_domain,
            private_key=Output.secret(root_key),
            validity_days=_ROOT_DAYS,
            renew_before_days=_ROOT_RENEWAL,
            opts=ResourceOptions(parent=self, provider=crossmesh),
        )
        self.control_planes = {
            region: IstioControlPlane(
                region,
                cluster=found.cluster,
                spec=spec,
                network=environment.regions[region].mesh_network,
                versions=environment.versions,
                root=root,
                load_balancer=found.load_balancer,
                crossmesh=crossmesh,
                opts=ResourceOptions(parent=self),
            )
            for region, found in regions.items()
        }
        self._join(regions)
        self.root_certificate = root.certificate
        self.register_outputs({"root_certificate": self.root_certificate})

    def _join(self, regions: Mapping[str, Region]) -> None:
        """Give istiod of each cluster a token for every other one, each its own, to be withdrawn alone."""
        for read, reader in permutations(regions, 2):
            source = regions[read].cluster
            token = ServiceAccountToken(
                f"{read}-token-for-{reader}",
                kubeconfig=source.kubeconfig,
                namespace=ISTIO_SYSTEM,
                service_account=mesh.READER,
                expiration_seconds=_TOKEN_SECONDS,
                renew_before_seconds=_TOKEN_RENEWAL_SECONDS,
                opts=ResourceOptions(
                    parent=self,
                    provider=self._crossmesh,
                    depends_on=self.control_planes[read].reader_ready,
                    deleted_with=source.deleted_with,
                ),
            )
            declare(
                mesh.remote_secret(read, _remote_kubeconfig(read, source.kubeconfig, token.token)),
                parent=self,
                cluster=regions[reader].cluster,
                after=self.control_planes[reader].remote_secrets_ready,
            )


def _remote_kubeconfig(region: str, kubeconfig: Output[str], token: Output[str]) -> Output[str]:
    return late(kubeconfigs.with_token, kubeconfig=kubeconfig, cluster=region, token=token)
