"""Hosts that are exposed, and which path leads where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from stacks.model.base import (
    DURATION,
    EXPOSED_NAME,
    HEADER,
    HEADER_VALUE,
    PATH_PREFIX,
    ROUTE_PATH,
    Domain,
    ExposedName,
    Label,
    Model,
    Port,
)

HTTP_PORT, HTTPS_PORT = 80, 443
STATUS_PORT = 15021
"""Where a gateway says whether it is ready."""

MOST_HOSTS = MOST_RULES = MOST_BACKENDS = 16
MOST_MATCHES = 127
"""The most of an HTTPRoute: of hostnames, rules, backends of a rule, and matches of all rules together, by
the definitions of the Gateway API 1.4.1 and 1.5.1."""


def example_of(host: str) -> str:
    """A name that clients of a host may ask for: the host itself, or one that a wildcard covers."""
    return host.replace("*", "any", 1)


@dataclass(frozen=True)
class Exposed:
    """A host that clients ask gateways for, whatever it is declared by."""

    host: str
    """The name, or a wildcard."""
    path: tuple[str | int, ...]
    """Where the declaration has it."""
    namespace: str
    """Of what it leads to."""
    dns: bool
    """Whether the name servers answer it."""
    redirect_http: bool
    """Whether plain HTTP is answered by a redirect to HTTPS."""
    asked: tuple[str, ...]
    """The paths that are asked for to see whether a gateway serves it."""

    @property
    def owner(self) -> tuple[str, str]:
        """Which ingress or route it is of, as the declaration has it."""
        return str(self.path[0]), str(self.path[1])

    @property
    def example(self) -> str:
        """A name that it answers to: the host itself, or one that a wildcard covers."""
        return example_of(self.host)


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
        return example_of(self.host)


Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]
"""Methods of HTTP that the Gateway API knows."""

# What the host's secret and listener are called is longer by up to eleven characters, and 253 is the most.
RouteHost = Annotated[str, Field(pattern=EXPOSED_NAME, max_length=242)]
RoutePath = Annotated[str, Field(pattern=ROUTE_PATH, max_length=1024)]
Header = Annotated[str, Field(pattern=HEADER, max_length=256)]
HeaderValue = Annotated[str, Field(pattern=HEADER_VALUE, max_length=4096)]


class RouteBackend(Model):
    """What answers requests: an application, or a Service that others manage in the route's namespace."""

    application: Label | None = Field(default=None, description="the application, of the route's namespace")
    service: Label | None = Field(
        default=None, description="in its place: a Service of that namespace that somebody else manages"
    )
    port: Port | None = Field(default=None, description="the port of the Service; an application has its own")
    weight: int = Field(
        default=1,
        ge=0,
        le=1_000_000,
        description="its share of the requests, beside those of the rule's other backends; 0: none",
    )


class HeaderChanges(Model):
    """What a gateway changes of the headers of a request, or of its answer."""

    set: dict[Header, HeaderValue] = Field(
        default={}, max_length=16, description="headers that are written, whatever there was"
    )
    add: dict[Header, HeaderValue] = Field(
        default={}, max_length=16, description="headers that are added to those that there are"
    )
    remove: tuple[Header, ...] = Field(
        default=(), max_length=16, description="headers that are taken away, such as a client's own"
    )


class RouteRedirect(Model):
    """Where clients are sent; what it does not name stays as they asked for it."""

    host: Domain | None = Field(default=None, description="another host")
    path: RoutePath | None = Field(default=None, description="another path, in place of the whole")
    prefix: RoutePath | None = Field(default=None, description="in place of the rule's path prefix")
    status: Literal[301, 302] = Field(
        default=302, description="301: for good, which browsers remember; 302: this time"
    )


class RouteRewrite(Model):
    """What the backend is asked for in place of what the client asked for."""

    host: Domain | None = Field(default=None, description="another host")
    path: RoutePath | None = Field(default=None, description="another path, in place of the whole")
    prefix: RoutePath | None = Field(default=None, description="in place of the rule's path prefix")


class RouteRule(Model):
    """Which requests it is for, and what is done with them.

    Of several rules that a request is for, the most exact one counts, wherever it stands: an exact path
    before a prefix, a longer prefix before a shorter one, then methods, then the most headers.
    """

    path: RoutePath = Field(default="/", description="the path")
    path_type: Literal["Prefix", "Exact"] = Field(
        default="Prefix", description="`Prefix`: it and all below it, by whole segments; `Exact`: it alone"
    )
    methods: tuple[Method, ...] = Field(default=(), description="for these methods alone")
    headers: dict[Header, HeaderValue] = Field(
        default={}, max_length=16, description="for requests alone that have all of these headers"
    )
    backends: tuple[RouteBackend, ...] = Field(
        default=(), max_length=MOST_BACKENDS, description="what answers, each its share by weight"
    )
    redirect: RouteRedirect | None = Field(
        default=None, description="in place of backends: the client is sent elsewhere"
    )
    rewrite: RouteRewrite | None = Field(default=None, description="what backends are asked for instead")
    timeout: str | None = Field(
        default=None,
        pattern=DURATION,
        description="how long an answer may take, as `500ms`, `10s` or `1m30s`; then clients get 504. "
        "Without it, there is no limit",
    )
    request_headers: HeaderChanges | None = Field(
        default=None, description="changes of what backends are sent"
    )
    response_headers: HeaderChanges | None = Field(
        default=None, description="changes of what clients are answered"
    )


class RouteSpec(Model):
    """Hosts, exposed by the ingress gateway of every region with TLS, by objects of the Gateway API."""

    namespace: Label = Field(description="the namespace of what answers, one of `namespaces`")
    hosts: tuple[RouteHost, ...] = Field(
        min_length=1,
        max_length=MOST_HOSTS,
        description="the host names, as of `ingresses`: *.name is for every name below it, and a host that "
        "is named more exactly has its requests",
    )
    public: str | None = Field(
        default=None,
        min_length=15,
        description="why everybody may call it, in a sentence: because the application asks for itself, or "
        "has nothing to protect; without it, policies want callers to be asked who they are",
    )
    rules: tuple[RouteRule, ...] = Field(
        min_length=1, max_length=MOST_RULES, description="which requests lead where"
    )
    dns: bool = Field(
        default=True,
        description="whether the name servers answer the hosts; `false` for names, of any domain, that "
        "others answer",
    )
    redirect_http: bool = Field(
        default=False,
        description="whether plain HTTP, on port 80, is answered by a redirect to HTTPS; it is refused else",
    )

    @property
    def applications(self) -> tuple[str, ...]:
        """The applications that it leads to, sorted."""
        backends = [backend for rule in self.rules for backend in rule.backends]
        return tuple(sorted({backend.application for backend in backends if backend.application}))

    @property
    def services(self) -> tuple[str, ...]:
        """The Services of others that it leads to, sorted."""
        backends = [backend for rule in self.rules for backend in rule.backends]
        return tuple(sorted({backend.service for backend in backends if backend.service}))

    @property
    def asked(self) -> tuple[str, ...]:
        """The paths by which it is seen whether a gateway serves its hosts: those that backends answer to
        who asks for them plainly, or of all rules where there are none such.
        """
        plain = [rule for rule in self.rules if not rule.headers and "GET" in (rule.methods or ("GET",))]
        answered = [rule.path for rule in plain if rule.backends]
        return tuple(dict.fromkeys(answered or [rule.path for rule in self.rules]))
