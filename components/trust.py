"""Trust: the root that all workloads' certificates end in, and the authority of what gateways present."""

from __future__ import annotations

from pulumi import Input, Output, ResourceOptions

from components import tokens
from components.build import Build
from components.component import Component
from playbooks.provider.sdk import CertificateAuthority, CrossmeshProvider
from stacks.model import MeshSpec

_DAYS, _RENEWAL = 3650, 1095


class MeshTrust(Component):
    """The mesh's root of trust and its trust domain."""

    token = tokens.MESH_TRUST

    root: CertificateAuthority

    def __init__(
        self,
        name: str,
        *,
        spec: MeshSpec,
        root_key: Input[str],
        crossmesh: CrossmeshProvider,
        opts: ResourceOptions | None = None,
    ) -> None:
        """root_key: PEM of the root's private key, a secret of the stack."""
        identity = {"id": spec.id, "trust_domain": spec.trust_domain}
        super().__init__(name, declared=("mesh",), inputs=identity, opts=opts)
        self.root = CertificateAuthority(
            "mesh-root",
            common_name=f"{spec.id} root CA",
            organization=spec.trust_domain,
            private_key=Output.secret(root_key),
            validity_days=_DAYS,
            renew_before_days=_RENEWAL,
            opts=ResourceOptions(parent=self, provider=crossmesh),
        )
        self.register_outputs({"root_certificate": self.root.certificate})


class GatewayTrust(Component):
    """The authority of the certificates that gateways present."""

    token = tokens.GATEWAY_TRUST

    authority: CertificateAuthority

    def __init__(
        self, name: str, *, domain: str, crossmesh: CrossmeshProvider, opts: ResourceOptions | None = None
    ) -> None:
        """domain: of the environment, below which all hosts are."""
        super().__init__(name, declared=("domain",), opts=opts)
        self.authority = CertificateAuthority(
            "gateway-ca",
            common_name=f"{domain} gateway CA",
            organization=domain,
            validity_days=_DAYS,
            renew_before_days=_RENEWAL,
            opts=ResourceOptions(parent=self, provider=crossmesh),
        )
        self.register_outputs({"certificate": self.authority.certificate})


def build(build: Build) -> None:
    """The authorities at the top; what is issued from them belongs to who presents it."""
    own, environment = build.below_platform, build.environment
    mesh = MeshTrust(
        "mesh", spec=environment.mesh, root_key=build.mesh_root_key, crossmesh=build.crossmesh, opts=own
    )
    gateways = GatewayTrust("gateways", domain=environment.domain, crossmesh=build.crossmesh, opts=own)
    build.mesh_root, build.gateway_authority = mesh.root, gateways.authority
    build.outputs["caCertificate"] = gateways.authority.certificate
