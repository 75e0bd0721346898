"""Trust: the root that all workloads' certificates end in, and the authority of what gateways present."""

from __future__ import annotations

from pulumi import Output

from components import tokens
from components.build import Build
from components.component import Component
from playbooks.provider.sdk import CertificateAuthority

_DAYS, _RENEWAL = 3650, 1095


class MeshTrust(Component):
    """The mesh's root of trust and its trust domain."""

    token = tokens.MESH_TRUST

    root: CertificateAuthority

    def __init__(self, build: Build, name: str) -> None:
        spec = build.environment.mesh
        identity = {"id": spec.id, "trust_domain": spec.trust_domain}
        super().__init__(name, parent=build.platform, declared=("mesh",), inputs=identity)
        self.root = CertificateAuthority(
            "mesh-root",
            common_name=f"{spec.id} root CA",
            organization=spec.trust_domain,
            private_key=Output.secret(build.mesh_root_key),
            validity_days=_DAYS,
            renew_before_days=_RENEWAL,
            opts=build.own(self),
        )
        self.register_outputs({"root_certificate": self.root.certificate})


class GatewayTrust(Component):
    """The authority of the certificates that gateways present."""

    token = tokens.GATEWAY_TRUST

    authority: CertificateAuthority

    def __init__(self, build: Build, name: str) -> None:
        super().__init__(name, parent=build.platform, declared=("domain",))
        self.authority = CertificateAuthority(
            "gateway-ca",
            common_name=f"{build.environment.domain} gateway CA",
            organization=build.environment.domain,
            validity_days=_DAYS,
            renew_before_days=_RENEWAL,
            opts=build.own(self),
        )
        self.register_outputs({"certificate": self.authority.certificate})


def build(build: Build) -> None:
    """The authorities at the top; what is issued from them belongs to who presents it."""
    build.mesh_root = MeshTrust(build, "mesh").root
    build.gateway_authority = GatewayTrust(build, "gateways").authority
    build.outputs["caCertificate"] = build.gateway_authority.certificate
