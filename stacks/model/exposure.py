"""Hosts that are exposed, and which path leads where."""

from __future__ import annotations

from pydantic import Field

from stacks.model.base import PATH_PREFIX, ExposedName, Label, Model

HTTP_PORT, HTTPS_PORT = 80, 443
STATUS_PORT = 15021
"""Where a gateway says whether it is ready."""


class IngressPath(Model):
    """A path prefix and the application that answers it."""

    path: str = Field(pattern=PATH_PREFIX, description="the path prefix; whole segments match")
    application: Label = Field(description="the application that answers")


class IngressSpec(Model):
    """One host, exposed by the ingress gateway of every region with TLS."""

    namespace: Label = Field(description="the namespace, one of `namespaces`")
    host: ExposedName = Field(
        description="the host name: one of the domains, a name below it, or *.name for each label before it"
    )
    public: str | None = Field(
        default=None,
        min_length=15,
        description="why everybody may call it, in a sentence: because the application asks for itself, or "
        "has nothing to protect; without it, policies want callers to be asked who they are",
    )
    paths: tuple[IngressPath, ...] = Field(min_length=1, description="which path leads where")
    dns: bool = Field(
        default=True,
        description="whether the name servers answer it; `false` for a name, of any domain, that others "
        "answer, such as a site's own resolver",
    )
    redirect_http: bool = Field(
        default=False,
        description="whether plain HTTP, on port 80, is answered by a redirect to HTTPS; it is refused else",
    )

    @property
    def example(self) -> str:
        """A name that it answers to: the host itself, or one that a wildcard covers."""
        return self.host.replace("*", "any", 1)
