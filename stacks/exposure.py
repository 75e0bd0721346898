"""What is exposed: which requests lead through which gateways where, and who may make them.

One table, computed from the declaration alone: its rows are in the order in which a gateway tries them, so of
several that a request is for, the first one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from stacks.errors import render_path
from stacks.model import (
    Environment,
    Exposed,
    RouteRedirect,
    RouteRewrite,
    RouteRule,
)

EVERYBODY = "everybody"
"""Who may make a request that nothing asks who makes it."""


@dataclass(frozen=True)
class Target:
    """What answers requests, and its share of them."""

    kind: str
    """`application` of the declaration, or `service` that others manage."""
    namespace: str
    name: str
    port: int
    weight: int = 1

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}:{self.port}"


@dataclass(frozen=True)
class Row:
    """Requests of one kind for one host and path."""

    scheme: str
    """`https`, or `http` for plain requests, which are redirected."""
    host: str
    path: str
    exact: bool
    """Whether it is for that path alone; else for all below it, too, by whole segments."""
    methods: tuple[str, ...]
    """Empty for any."""
    headers: tuple[tuple[str, str], ...]
    """What requests must have, sorted."""
    gateways: tuple[str, ...]
    """The regions whose ingress gateways answer, sorted."""
    callers: str
    """Who may make them."""
    why: str
    """Why everybody may, by the declaration; empty where it does not say."""
    targets: tuple[Target, ...]
    """Empty for a redirect."""
    redirect: str
    """Where clients are sent, with the status; empty where backends answer."""
    rewrite: str
    """What backends are asked for in place of it; empty for the same."""
    timeout: str
    """Until an answer has to be there; empty for no limit."""
    declared: str
    """The path of the declaration that says so."""

    @property
    def asked(self) -> str:
        """What of a request is looked at, beside host and path, in words; empty for nothing."""
        return ", ".join(
            [" ".join(self.methods), *(f"{name}: {value}" for name, value in self.headers)]
        ).strip(", ")

    @property
    def leads(self) -> str:
        """What answers, in words, with shares where there are several."""
        if self.redirect:
            return self.redirect
        total = sum(target.weight for target in self.targets)
        return ", ".join(
            f"{target} {target.weight / total:.0%}" if len(self.targets) > 1 else str(target)
            for target in self.targets
        )

    def matches(
        self, host: str, path: str, method: str = "GET", headers: Iterable[tuple[str, str]] = ()
    ) -> bool:
        """Whether a request over its scheme is one of its."""
        there = {name.lower(): value for name, value in headers}
        covered = host.endswith(self.host[1:]) if self.host.startswith("*.") else host == self.host
        below = f"{path.rstrip('/')}/".startswith(f"{self.path.rstrip('/')}/")
        return (
            covered
            and (path == self.path if self.exact else below)
            and method in (self.methods or (method,))
            and all(there.get(name.lower()) == value for name, value in self.headers)
        )


def table(environment: Environment) -> tuple[Row, ...]:
    """Everything that is reached from outside, in the order in which gateways try it for a host."""
    rows = [row for exposed in environment.exposed for row in _rows(environment, exposed)]
    return tuple(sorted(rows, key=_order))


def answering(rows: Iterable[Row], scheme: str, host: str, path: str, **request: Any) -> Row | None:
    """The row that a request has; None where it is answered 404, or not at all.

    A host that is named more exactly has its requests, also those that none of its rows is for: gateways tell
    hosts apart before they look at paths. request: as of `Row.matches`.
    """
    of_host = [row for row in rows if row.scheme == scheme and row.matches(host, row.path, *_own(row))]
    own = of_host[0].host if of_host else None
    return next(
        (row for row in of_host if row.host == own and row.matches(host, path, **request)),
        None,
    )


def document(rows: Iterable[Row]) -> dict[str, Any]:
    """The table as plain values, for programs."""
    return {
        "rows": [{**asdict(row), "headers": dict(row.headers), "methods": list(row.methods)} for row in rows]
    }


def _own(row: Row) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A method and headers that a row takes."""
    return (row.methods or ("GET",))[0], row.headers


def _order(row: Row) -> tuple[Any, ...]:
    """As the Gateway API has it: exact hosts and paths first, then the longest, methods, headers."""
    wild = row.host.startswith("*.")
    suffix = row.host.removeprefix("*.")
    return (
        row.scheme != "https",
        wild,
        -len(suffix) if wild else 0,
        suffix,
        not row.exact,
        -len(row.path.rstrip("/")),
        not row.methods,
        -len(row.headers),
        row.declared,
    )


def _rows(environment: Environment, exposed: Exposed) -> Iterator[Row]:
    kind, name = exposed.owner
    yield from _of_ingress(environment, exposed) if kind == "ingresses" else _of_route(environment, exposed)
    if exposed.redirect_http:
        spec = environment.ingresses[name] if kind == "ingresses" else environment.routes[name]
        declared = render_path((kind, name, "redirectHttp"))
        yield _row(
            environment, exposed, spec.public, RouteRule(), declared, scheme="http", redirect="301 to https"
        )


def _of_ingress(environment: Environment, exposed: Exposed) -> Iterator[Row]:
    kind, name = exposed.owner
    spec = environment.ingresses[name]
    for index, entry in enumerate(spec.paths):
        target = _application(environment, entry.application)
        declared = render_path((kind, name, "paths", index))
        rule = RouteRule.model_construct(path=entry.path)
        yield _row(environment, exposed, spec.public, rule, declared, targets=(target,))


def _of_route(environment: Environment, exposed: Exposed) -> Iterator[Row]:
    kind, name = exposed.owner
    spec = environment.routes[name]
    for index, rule in enumerate(spec.rules):
        targets = tuple(
            _application(environment, backend.application, backend.weight)
            if backend.application
            else Target("service", spec.namespace, str(backend.service), backend.port or 0, backend.weight)
            for backend in rule.backends
        )
        declared = render_path((kind, name, "rules", index))
        redirect = f"{rule.redirect.status} to {_replaced(rule.redirect)}" if rule.redirect else ""
        yield _row(environment, exposed, spec.public, rule, declared, targets=targets, redirect=redirect)


def _row(
    environment: Environment,
    exposed: Exposed,
    why: str | None,
    rule: RouteRule,
    declared: str,
    *,
    scheme: str = "https",
    targets: tuple[Target, ...] = (),
    redirect: str = "",
) -> Row:
    return Row(
        scheme=scheme,
        host=exposed.host,
        path=rule.path,
        exact=rule.path_type == "Exact",
        methods=rule.methods,
        headers=tuple(sorted(rule.headers.items())),
        gateways=tuple(sorted(environment.regions)),
        callers=EVERYBODY,
        why=why or "",
        targets=targets,
        redirect=redirect,
        rewrite=_replaced(rule.rewrite) if rule.rewrite else "",
        timeout=rule.timeout or "",
        declared=declared,
    )


def _application(environment: Environment, name: str, weight: int = 1) -> Target:
    spec = environment.applications[name]
    return Target("application", spec.namespace, name, spec.port, weight)


def _replaced(change: RouteRedirect | RouteRewrite) -> str:
    """The new host and path in words; of a prefix with what follows it."""
    path = change.path or (f"{change.prefix.rstrip('/')}/…" if change.prefix else "")
    return f"{change.host or ''}{path}"
