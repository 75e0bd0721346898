"""Hosts that are exposed, and which path leads where."""

from __future__ import annotations

from pydantic import Field

from stacks.model.base import Domain, Label, Model


class IngressPath(Model):
    """A path prefix and the application that answers it."""

    path: str = Field(pattern=r"^/[A-Za-z0-9/_.-]*$", description="the path prefix; whole segments match")
    application: Label = Field(description="the application that answers")


class IngressSpec(Model):
    """One host, exposed by the ingress gateway of every region with TLS."""

    namespace: Label = Field(description="the namespace, one of `namespaces`")
    host: Domain = Field(description="the host name, below the environment's `domain`")
    paths: tuple[IngressPath, ...] = Field(min_length=1, description="which path leads where")
