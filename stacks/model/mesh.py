"""The mesh over all regions."""

from __future__ import annotations

from pydantic import Field

from stacks.model.base import Domain, Label, Model


class MeshSpec(Model):
    """The one Istio mesh over all regions."""

    id: Label = Field(description="the mesh's name")
    trust_domain: Domain = Field(description="the trust domain of SPIFFE identities")
    revision: Label = Field(default="stable", description="the revision of the control plane")
    stock_envoy: bool = Field(
        default=False,
        description="proxies run stock Envoy, without Istio's filters (metadata exchange, ALPN, telemetry)",
    )
