"""Namespaces of the mesh."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stacks.model.base import Model


class NamespaceSpec(Model):
    """A namespace of the mesh, the same in every region."""

    injection: bool = Field(default=True, description="whether pods get a sidecar")
    mtls: Literal["STRICT", "PERMISSIVE"] = Field(
        default="STRICT", description="whether plain-text requests are refused (STRICT)"
    )
    default_account_token: bool = Field(
        default=True,
        description="whether pods with the account `default` get a token for the API, as Kubernetes has it; "
        "with false, who needs one has an account of its own",
    )
    pod_security: Literal["privileged", "baseline", "restricted"] | None = Field(
        default=None,
        description="the pod security standard; without it `restricted`, of which breaches are only warned "
        "about where sidecars are injected",
    )
