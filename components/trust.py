"""Trust: the root that all workloads' certificates end in, and the authority of what gateways present."""

from __future__ import annotations

from pulumi import Output

from components import tokens
from components.build import Build
from components.component import Component, named
from playbooks.provider.sdk import CertificateAuthority, GivenCertificate, GivenCertificateParts
from stacks.given import Given

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


class DeclaredCertificate(Component):
    """A certificate that the declaration gives, for all exposed hosts that have it."""

    token = tokens.DECLARED_CERTIFICATE

    given: GivenCertificate

    def __init__(self, build: Build, name: str) -> None:
        hosts = list(build.environment.certificates[name].hosts)
        declared = ("certificates", name)
        super().__init__(name, parent=build.platform, declared=declared, inputs={"hosts": hosts})
        given = build.given.get(name)
        self.given = GivenCertificate(
            named(name, "given"),
            certificate_name=name,
            opts=build.own(self),
            **(_told(given) if given else {}),
        )
        self.register_outputs({"hosts": hosts})


def _told(given: Given) -> GivenCertificateParts:
    """What a given certificate is, and says of itself."""
    return {
        "chain": given.chain,
        "private_key": given.private_key,
        "ca": given.ca,
        "anchor": given.anchor,
        "authorities": list(given.authorities),
        "subject": given.subject,
        "issuer": given.issuer,
        "serial": given.serial,
        "dns_names": list(given.names),
        "not_before": given.not_before.isoformat(),
        "not_after": given.not_after.isoformat(),
    }


def build(build: Build) -> None:
    """The authorities at the top, and certificates that are given; what is issued belongs to who presents
    it.
    """
    build.mesh_root = MeshTrust(build, "mesh").root
    build.gateway_authority = GatewayTrust(build, "gateways").authority
    build.outputs["caCertificate"] = build.gateway_authority.certificate
    for name in sorted(build.environment.certificates):
        build.certificates[name] = DeclaredCertificate(build, name).given
