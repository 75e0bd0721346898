"""Rules over routes: what a rule of one is for, what it does, and that clusters and gateways keep it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import releases
from stacks.errors import KeyPath
from stacks.model import (
    MOST_MATCHES,
    AdoptedClusterSpec,
    HeaderChanges,
    RouteBackend,
    RouteRedirect,
    RouteRewrite,
    RouteRule,
)
from stacks.rules.check import Check, repeated
from stacks.wording import suggestion

_UNITS = re.compile(r"(\d+)(?:ms|[hms])")


def _rules(check: Check) -> Iterator[tuple[KeyPath, RouteRule]]:
    """The rules of all routes, with their places."""
    for name, route in check.environment.routes.items():
        for index, rule in enumerate(route.rules):
            yield ("routes", name, "rules", index), rule


def definitions_are_there(check: Check) -> None:
    """Clusters that Crossmesh makes have definitions of the Gateway API before they get a route: without,
    `up` would fail half way. They are never brought unasked, for others may have brought theirs.
    """
    environment = check.environment
    made = [name for name, _ in check.bare_metal()]
    if environment.routes and made and environment.gateway_api is None and check.intact("gatewayApi"):
        fitting = _fitting(check)
        check.problem(
            ("gatewayApi",),
            "nothing",
            f"clusters that Crossmesh makes, of {', '.join(made)}, need definitions of the Gateway API for "
            "`routes`",
            f"write {fitting[0]}, or `owner` where others bring them" if fitting else "write `owner`",
        )


def definitions_are_supported(check: Check) -> None:
    """The definitions are of the catalogue, and each region's Istio is made with them: beside others istiod
    does not get ready, or does not read them.
    """
    version, supported = check.environment.gateway_api, releases.versions("gateway-api")
    if version is None or version == releases.OWNER:
        return
    if version not in supported:
        listed = f"supported releases of the Gateway API: {', '.join((*supported, releases.OWNER))}"
        check.problem(
            ("gatewayApi",), version, listed, suggestion(version, supported, f"write {supported[0]}")
        )
        return
    for region, spec in check.environment.regions.items():
        istio = check.environment.versions_of(region).istio
        clash = next(releases.clashes({"istio": istio, "gateway-api": version}), None)
        if clash is not None and not isinstance(spec.cluster, AdoptedClusterSpec):
            fitting = _fitting(check)
            fix = f"write {' or '.join(fitting)}" if fitting else "bring Istio of all regions to one release"
            check.problem(("gatewayApi",), f"{clash}, of region '{region}'", clash.rule, fix)
            return


def _fitting(check: Check) -> list[str]:
    """The releases of the definitions that Istio of all regions is made with, the oldest first: it stays
    longest in its place.
    """
    istios = {check.environment.versions_of(region).istio for region, _ in check.bare_metal()}
    return [
        version
        for version in releases.versions("gateway-api")
        if not any(next(releases.clashes({"istio": istio, "gateway-api": version}), None) for istio in istios)
    ]


def backends_are_one_thing(check: Check) -> None:
    """A backend is an application, whose port is known, or a Service of others with a port: of anything else
    a gateway would answer 500.
    """
    rule_of = "a backend is an `application`, or a `service` with its `port`"
    for at, rule in _rules(check):
        for index, backend in enumerate(rule.backends):
            path = (*at, "backends", index)
            if not check.intact(*path):
                continue
            if bool(backend.application) == bool(backend.service):
                both = "both `application` and `service`" if backend.application else "neither of them"
                check.problem(
                    path, both, rule_of, "remove one of the two" if backend.application else "name one"
                )
            elif backend.application and backend.port is not None:
                got = f"port {backend.port} of an application"
                check.problem((*path, "port"), got, "an application's Service has its own port", "remove it")
            elif backend.service and backend.port is None:
                check.problem(path, f"service '{backend.service}' without a port", rule_of, "add its `port`")


def backends_lead_to_applications(check: Check) -> None:
    """A backend is a declared application of the route's own namespace: a route leads to no other, unless
    that one grants it.
    """
    applications, fix = check.environment.applications, "declare it under `applications`, or name a `service`"
    for at, rule in _rules(check):
        namespace = check.environment.routes[str(at[1])].namespace
        for index, backend in enumerate(rule.backends):
            if backend.application is None:
                continue
            path = (*at, "backends", index, "application")
            if not check.refers(path, backend.application, "application", "applications", fix):
                continue
            target = applications.get(backend.application)
            if (
                target is not None
                and target.namespace in check.declared("namespaces")
                and target.namespace != namespace
            ):
                check.problem(
                    path,
                    f"application '{backend.application}' of namespace '{target.namespace}'",
                    f"a route leads to what is in its own namespace, '{namespace}'",
                    "move one of the two, or declare a route of other hosts in that namespace",
                )


def backends_are_different(check: Check) -> None:
    """A rule names each backend once: what has two weights has their sum, which nobody has written."""
    for at, rule in _rules(check):
        backends = enumerate(rule.backends)
        for (before, _), (index, _) in repeated(backends, lambda entry: _target(entry[1])):
            line = check.line(*at, "backends", before)
            got = f"the same again; line {line} has it already"
            check.problem((*at, "backends", index), got, "each backend stands once", "remove one of the two")


def _target(backend: RouteBackend) -> tuple[str | None, str | None, int | None]:
    return backend.application, backend.service, backend.port


def rules_do_one_thing(check: Check) -> None:
    """A rule leads to backends or redirects; what only the one of both does is not written beside the other,
    for the definitions refuse it or gateways do nothing of it.
    """
    for at, rule in _rules(check):
        if not check.intact(*at):
            continue
        if rule.redirect is None:
            if not rule.backends:
                fix = "name `backends`, or where clients are sent by `redirect`"
                check.problem(at, "neither `backends` nor `redirect`", "a rule does one of both", fix)
            elif not any(backend.weight for backend in rule.backends):
                rule_of = "of a rule's backends, one has a weight above 0: all requests would get 500"
                check.problem((*at, "backends"), "weights of 0 alone", rule_of, "give one a weight")
            continue
        beside = {
            "backends": rule.backends,
            "rewrite": rule.rewrite,
            "timeout": rule.timeout,
            "requestHeaders": rule.request_headers,
            "responseHeaders": rule.response_headers,
        }
        for key in (key for key, value in beside.items() if value):
            rule_of = "a redirect is answered by the gateway itself: nobody is asked"
            fix = f"remove `{key}` or `redirect`"
            check.problem((*at, key), f"`{key}`, beside `redirect`", rule_of, fix)


def replacements_say_one_thing(check: Check) -> None:
    """A redirect or rewrite names what is replaced, and one thing for the path; a prefix only where the rule
    has one. Of others the definitions take none.
    """
    for at, rule in _rules(check):
        for key, change in (("redirect", rule.redirect), ("rewrite", rule.rewrite)):
            if change is None or not check.intact(*at, key):
                continue
            path = (*at, key)
            if not (change.host or change.path or change.prefix):
                check.problem(path, "nothing", f"a {key} names another host or path", f"remove `{key}`")
            elif change.path and change.prefix:
                got = "both `path` and `prefix`"
                check.problem(path, got, "one of both replaces the path", "remove one of the two")
            elif change.prefix and rule.path_type == "Exact":
                rule_of = "only of a rule whose `pathType` is Prefix it is known what the prefix is"
                check.problem((*path, "prefix"), change.prefix, rule_of, "write `path` in its place")
            elif key == "redirect" and _in_a_circle(check, at, rule, change):
                rule_of = "a redirect leads to what this rule is not for: clients would be sent in a circle"
                check.problem(path, "what the rule is for", rule_of, "name another host or path")


def _in_a_circle(check: Check, at: KeyPath, rule: RouteRule, change: RouteRedirect | RouteRewrite) -> bool:
    """Whether a redirect leads to its own rule: the same host, and the path where it is."""
    hosts = check.environment.routes[str(at[1])].hosts
    if change.host and change.host not in hosts:
        return False
    new = change.path or change.prefix
    if new is None:
        return True
    within = f"{rule.path.rstrip('/')}/"
    more_exact = any(
        other is not rule
        and f"{new.rstrip('/')}/".startswith(f"{other.path.rstrip('/')}/")
        and len(other.path) > len(rule.path)
        for other in check.environment.routes[str(at[1])].rules
    )
    covered = new == rule.path if rule.path_type == "Exact" else f"{new.rstrip('/')}/".startswith(within)
    return covered and not more_exact


def matches_are_different(check: Check) -> None:
    """What requests a rule is for stands in one rule of a route: the second would never be asked."""
    for name, route in check.environment.routes.items():
        found = [(index, key) for index, rule in enumerate(route.rules) for key in _matches(rule)]
        said = set()
        for (before, _), (index, _) in repeated(found, lambda entry: entry[1]):
            if index in said or not check.intact("routes", name, "rules", index):
                continue
            said.add(index)
            at = ("routes", name, "rules")
            what = "itself" if before == index else f"the rule of line {check.line(*at, before)}"
            check.problem(
                (*at, index),
                f"requests that {what} is for as well",
                "of two rules for the same path, methods and headers the second is never asked",
                "make one rule of both, with weights where requests are to be shared",
            )


def _matches(rule: RouteRule) -> Iterator[tuple[object, ...]]:
    path = rule.path if rule.path_type == "Exact" else rule.path.rstrip("/")
    headers = frozenset((header.lower(), value) for header, value in rule.headers.items())
    for method in rule.methods or ("",):
        yield rule.path_type, path, method, headers


def there_are_not_too_many_matches(check: Check) -> None:
    """A route has as many matches as the definitions take: each method of a rule is one."""
    for name, route in check.environment.routes.items():
        count = sum(len(rule.methods) or 1 for rule in route.rules)
        if count > MOST_MATCHES:
            rule_of = f"a route has {MOST_MATCHES} matches at most: each method of each rule is one"
            fix = "leave `methods` out where all are meant, or make two routes, of some hosts each"
            check.problem(("routes", name, "rules"), f"{count} matches", rule_of, fix)


def headers_stand_once(check: Check) -> None:
    """A header is named once among those that a rule asks for, and among those that it changes, whatever its
    capitals: of two, the definitions keep the first. The host is none of them, and of an answer's `server`
    nothing would be seen.
    """
    for at, rule in _rules(check):
        lists = [("headers", list(rule.headers))]
        for key, changes in (
            ("requestHeaders", rule.request_headers),
            ("responseHeaders", rule.response_headers),
        ):
            if changes is not None and check.intact(*at, key):
                lists.append((key, _changed(changes)))
                if changes == HeaderChanges():
                    rule_of = "changes of headers are `set`, `add` or `remove`"
                    check.problem((*at, key), "no changes", rule_of, "name one, or remove it")
        for key, names in lists:
            for before, name in repeated(names, str.lower):
                got = f"{name}, which {before} is as well"
                fix = "remove one of the two"
                check.problem((*at, key), got, "a header is named once, whatever its capitals", fix)
            for name in names:
                if name.lower() == "host":
                    fix = "name it in `hosts`" if key == "headers" else "write `host` of `rewrite`"
                    check.problem((*at, key), name, "the host of a request is no header of a rule's", fix)
                elif name.lower() == "server" and key == "responseHeaders":
                    rule_of = "Envoy writes this header itself, after all rules"
                    check.problem((*at, key), name, rule_of, "leave it out")


def _changed(changes: HeaderChanges) -> list[str]:
    return [*changes.set, *changes.add, *changes.remove]


def timeouts_end(check: Check) -> None:
    """A time-out is longer than nothing: gateways take 0 for none, and so does who leaves it out."""
    for at, rule in _rules(check):
        if rule.timeout and not any(int(number) for number in _UNITS.findall(rule.timeout)):
            rule_of = "a time-out is longer than nothing; without one there is no limit"
            check.problem((*at, "timeout"), rule.timeout, rule_of, "remove it, or write for example 10s")


RULES = (
    definitions_are_supported,
    definitions_are_there,
    backends_are_one_thing,
    backends_lead_to_applications,
    backends_are_different,
    rules_do_one_thing,
    replacements_say_one_thing,
    matches_are_different,
    there_are_not_too_many_matches,
    headers_stand_once,
    timeouts_end,
)
