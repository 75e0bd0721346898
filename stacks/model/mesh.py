"""The mesh over all regions."""

from __future__ import annotations

from pydantic import Field

from stacks.model.base import Domain, Label, Model

UNNAMED_REVISION = "default"
"""The revision that Istio's own objects have no suffix for."""


class MeshSpec(Model):
    """The one Istio mesh over all regions."""

    id: Label = Field(description="the mesh's name")
    trust_domain: Domain = Field(description="the trust domain of SPIFFE identities")
    revision: Label = Field(
        default=UNNAMED_REVISION,
        description="Istio's revision: another than `default` makes control planes of that name. A change "
        "takes those away that there are, and pods come to the new ones when they are started anew",
    )
    stock_envoy: bool = Field(
        default=False,
        description="proxies run stock Envoy, without Istio's filters (metadata exchange, ALPN, telemetry)",
    )
