"""Hosts that are exposed, and which path leads where."""

from __future__ import annotations

from pydantic import Field

from stacks.model.base import PATH_PREFIX, Domain, Label, Model


class IngressPath(Model):
    """A path prefix and the application that answers it."""

    path: str = Field(pattern=PATH_PREFIX, description="the path prefix; whole segments match")
    application: Label = Field(description="the application that answers")


class IngressSpec(Model):
    """One host, exposed by the ingress gateway of every region with TLS."""

    namespace: Label = Field(description="the namespace, one of `namespaces`")
    host: Domain = Field(description="the host name, below the environment's `domain`")
    public: str | None = Field(
        default=None,
        min_length=15,
        description="why everybody may call it, in a sentence: because the application asks for itself, or "
        "has nothing to protect; without it, policies want callers to be asked who they are",
    )
    paths: tuple[IngressPath, ...] = Field(min_length=1, description="which path leads where")
