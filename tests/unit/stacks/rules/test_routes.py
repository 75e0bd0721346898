"""Each rule over routes, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from stacks.load import load_stack
from tests.unit.stacks.bad import Bad, Write, assert_refused, bad
from tests.unit.stacks.conftest import changed

AT = "    globalLoadBalancer:\n      healthCheck: {interval: 3, timeout: 2}\n"
ROUTE = """\
    gatewayApi: 1.4.1
    routes:
      api:
        namespace: shop
        hosts: [api.example.test, "*.api.example.test"]
        rules:
          - {path: /v1, backends: [{application: front, weight: 3}, {service: legacy, port: 80}]}
          - {path: /old, redirect: {prefix: /v1}}
"""
FIRST = "          - {path: /v1, backends: [{application: front, weight: 3}, {service: legacy, port: 80}]}\n"
SECOND = "          - {path: /old, redirect: {prefix: /v1}}\n"
RULES = "routes.api.rules"


def routed(*changes: tuple[str, str]) -> tuple[str, str]:
    """The change of the good file that adds the route, with each text, which is in it once, replaced."""
    text = ROUTE
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the route"
        text = text.replace(old, new)
    return AT, text + AT


def rule(words: str) -> tuple[str, str]:
    """The change that has another second rule."""
    return routed((SECOND, f"          - {{{words}}}\n"))


BOTH = "path: /b, backends: [{application: front}]"

CASES: dict[str, Bad] = {
    "routes without definitions": bad(
        routed(("    gatewayApi: 1.4.1\n", "")),
        path="gatewayApi",
        line="",
        got="nothing",
        rule="clusters that Crossmesh makes, of eu, us, need definitions of the Gateway API",
        fix="write 1.4.1, or `owner` where others bring them",
    ),
    "definitions of an unknown release": bad(
        routed(("gatewayApi: 1.4.1", "gatewayApi: 1.4.9")),
        path="gatewayApi",
        line="1.4.9",
        got="1.4.9",
        rule="supported releases of the Gateway API: 1.4.1, 1.5.1, 1.6.3, owner",
        fix="did you mean '1.4.1'?",
    ),
    "definitions that Istio is not made with": bad(
        routed(("gatewayApi: 1.4.1", "gatewayApi: 1.5.1")),
        path="gatewayApi",
        line="1.5.1",
        got="of region 'eu'",
        rule="1.4",
        fix="write 1.4.1",
    ),
    "backend of nothing": bad(
        rule("path: /b, backends: [{weight: 2}]"),
        path=f"{RULES}[1].backends[0]",
        line="/b",
        got="neither of them",
        rule="a backend is an `application`, or a `service` with its `port`",
        fix="name one",
    ),
    "backend of two things": bad(
        rule("path: /b, backends: [{application: front, service: legacy, port: 80}]"),
        path=f"{RULES}[1].backends[0]",
        line="/b",
        got="both `application` and `service`",
        rule="a backend is",
        fix="remove one of the two",
    ),
    "service without a port": bad(
        rule("path: /b, backends: [{service: legacy}]"),
        path=f"{RULES}[1].backends[0]",
        line="/b",
        got="service 'legacy' without a port",
        rule="a backend is",
        fix="add its `port`",
    ),
    "application with a port": bad(
        rule("path: /b, backends: [{application: front, port: 81}]"),
        path=f"{RULES}[1].backends[0].port",
        line="/b",
        got="port 81 of an application",
        rule="its own port",
        fix="remove it",
    ),
    "backend that is unknown": bad(
        rule("path: /b, backends: [{application: fornt}]"),
        path=f"{RULES}[1].backends[0].application",
        line="fornt",
        got="the unknown application 'fornt'",
        rule="applications there are: front, stock",
        fix="did you mean 'front'?",
    ),
    "backend of another namespace": bad(
        rule("path: /b, backends: [{application: stock}]"),
        path=f"{RULES}[1].backends[0].application",
        line="/b",
        got="application 'stock' of namespace 'back'",
        rule="in its own namespace, 'shop'",
        fix="move one of the two",
    ),
    "backend that stands twice": bad(
        rule("path: /b, backends: [{application: front}, {application: front, weight: 2}]"),
        path=f"{RULES}[1].backends[1]",
        line="/b",
        got="the same again; line ",
        rule="each backend stands once",
        fix="remove one of the two",
    ),
    "rule that does nothing": bad(
        rule("path: /b"),
        path=f"{RULES}[1]",
        line="/b",
        got="neither `backends` nor `redirect`",
        rule="a rule does one of both",
        fix="name `backends`",
    ),
    "rule without a share": bad(
        rule("path: /b, backends: [{application: front, weight: 0}]"),
        path=f"{RULES}[1].backends",
        line="/b",
        got="weights of 0 alone",
        rule="all requests would get 500",
        fix="give one a weight",
    ),
    "redirect beside backends": bad(
        rule(f"{BOTH}, redirect: {{host: www.example.test}}"),
        path=f"{RULES}[1].backends",
        line="/b",
        got="`backends`, beside `redirect`",
        rule="nobody is asked",
        fix="remove `backends` or `redirect`",
    ),
    "redirect with a time-out": bad(
        rule("path: /b, timeout: 5s, redirect: {host: www.example.test}"),
        path=f"{RULES}[1].timeout",
        line="/b",
        got="`timeout`, beside `redirect`",
        rule="nobody is asked",
        fix="remove `timeout` or `redirect`",
    ),
    "redirect to nothing": bad(
        rule("path: /b, redirect: {status: 301}"),
        path=f"{RULES}[1].redirect",
        line="/b",
        got="nothing",
        rule="a redirect names another host or path",
        fix="remove `redirect`",
    ),
    "rewrite of path and prefix": bad(
        rule(f"{BOTH}, rewrite: {{path: /a, prefix: /c}}"),
        path=f"{RULES}[1].rewrite",
        line="/b",
        got="both `path` and `prefix`",
        rule="one of both",
        fix="remove one of the two",
    ),
    "prefix of an exact path": bad(
        rule(f"{BOTH}, pathType: Exact, rewrite: {{prefix: /c}}"),
        path=f"{RULES}[1].rewrite.prefix",
        line="/b",
        got="/c",
        rule="whose `pathType` is Prefix",
        fix="write `path` in its place",
    ),
    "redirect in a circle": bad(
        rule("path: /b, redirect: {prefix: /b/c}"),
        path=f"{RULES}[1].redirect",
        line="/b",
        got="what the rule is for",
        rule="sent in a circle",
        fix="name another host or path",
    ),
    "redirect to a host of its own": bad(
        rule("path: /b, redirect: {host: api.example.test}"),
        path=f"{RULES}[1].redirect",
        line="/b",
        got="what the rule is for",
        rule="sent in a circle",
        fix="name another host or path",
    ),
    "two rules for the same": bad(
        rule("path: /v1/, backends: [{application: front}]"),
        path=f"{RULES}[1]",
        line="/v1/",
        got="requests that the rule of line ",
        rule="the second is never asked",
        fix="make one rule of both",
    ),
    "too many matches": bad(
        routed(
            (
                SECOND,
                "".join(
                    f"          - {{path: /{n}, methods: [GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, "
                    "TRACE, PATCH], backends: [{application: front}]}\n"
                    for n in range(15)
                ),
            )
        ),
        path=RULES,
        line="",
        got="136 matches",
        rule="127 matches at most",
        fix="leave `methods` out",
    ),
    "header that is removed and set": bad(
        rule(f"{BOTH}, requestHeaders: {{set: {{X-From: us}}, remove: [x-from]}}"),
        path=f"{RULES}[1].requestHeaders",
        line="/b",
        got="x-from, which X-From is as well",
        rule="named once, whatever its capitals",
        fix="remove one of the two",
    ),
    "the host as a header": bad(
        rule(f"{BOTH}, headers: {{Host: a.example.test}}"),
        path=f"{RULES}[1].headers",
        line="/b",
        got="Host",
        rule="no header of a rule's",
        fix="name it in `hosts`",
    ),
    "header that Envoy writes": bad(
        rule(f"{BOTH}, responseHeaders: {{remove: [Server]}}"),
        path=f"{RULES}[1].responseHeaders",
        line="/b",
        got="Server",
        rule="Envoy writes this header itself",
        fix="leave it out",
    ),
    "no changes of headers": bad(
        rule(f"{BOTH}, responseHeaders: {{}}"),
        path=f"{RULES}[1].responseHeaders",
        line="/b",
        got="no changes",
        rule="`set`, `add` or `remove`",
        fix="name one, or remove it",
    ),
    "time-out of nothing": bad(
        rule(f"{BOTH}, timeout: 0s"),
        path=f"{RULES}[1].timeout",
        line="/b",
        got="0s",
        rule="longer than nothing",
        fix="write for example 10s",
    ),
    "time-out without a unit": bad(
        rule(f"{BOTH}, timeout: '10'"),
        path=f"{RULES}[1].timeout",
        line="/b",
        got="10",
        rule="a whole number of h, m, s or ms",
        fix="write it in that form",
    ),
    "path with an empty segment": bad(
        rule("path: /a//b, backends: [{application: front}]"),
        path=f"{RULES}[1].path",
        line="/a//b",
        got="/a//b",
        rule="none is empty or of dots",
        fix="write",
    ),
    "host of an ingress": bad(
        routed(('hosts: [api.example.test, "*.api.example.test"]', "hosts: [shop.example.test]")),
        path="routes.api.hosts[0]",
        line="hosts: [shop",
        got="shop.example.test, the host of ingress 'shop' (line ",
        rule="each ingress or route has a host of its own",
        fix="keep it in one of ingress 'shop' and route 'api'",
    ),
    "host of a route outside of the domain": bad(
        routed(('"*.api.example.test"', "api.example.org")),
        path="routes.api.hosts[1]",
        line="api.example.org",
        got="api.example.org",
        rule="a domain of the name servers, or a name below one",
        fix="add example.org to `domains`",
    ),
    "route of an unknown namespace": bad(
        routed(("namespace: shop", "namespace: shpo")),
        path="routes.api.namespace",
        line="shpo",
        got="the unknown namespace 'shpo'",
        rule="namespaces there are",
        fix="did you mean 'shop'?",
        others=1,
    ),
    "name of a route without the redirect of its wildcard": bad(
        routed(("namespace: shop", "namespace: shop\n        redirectHttp: true"), ("*.api.", "*.")),
        path="ingresses.shop.host",
        line="host: shop.example.test",
        got="shop.example.test without `redirectHttp`, beside *.example.test, which has it (line ",
        rule="redirected too",
        fix="`redirectHttp: true` here as well",
        others=1,
    ),
    "retries": bad(
        rule(f"{BOTH}, retries: 3"),
        path=f"{RULES}[1].retries",
        line="retries",
        got="",
        rule="Retries, limits and cross-origin rules of requests: not supported yet",
        fix="the standard channel of the Gateway API keeps no retries",
    ),
    "time-outs as the Gateway API writes them": bad(
        rule(f"{BOTH}, timeouts: {{request: 10s}}"),
        path=f"{RULES}[1].timeouts",
        line="timeouts",
        got="",
        rule="keys here are",
        fix="write it as `timeout`",
    ),
    "rewrite of an ingress": bad(
        ("        host: shop.example.test\n", "        host: shop.example.test\n        rewrite: /\n"),
        path="ingresses.shop.rewrite",
        line="rewrite",
        got="",
        rule="More of an ingress than paths: not supported yet",
        fix="declare its host under `routes`",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(case: Bad, write: Write) -> None:
    assert_refused(case, write)


@pytest.mark.parametrize(
    "change",
    [
        routed(),
        rule("path: /v1/more, headers: {x-team: one}, methods: [GET], backends: [{application: front}]"),
        rule("path: /v1, pathType: Exact, backends: [{service: other, port: 8080}], rewrite: {path: /}"),
        rule("path: /v1, headers: {x-team: one}, backends: [{application: front}], timeout: 1m30s"),
        rule("pathType: Exact, redirect: {path: /v1, status: 301}"),
        rule("path: /, redirect: {prefix: /v1}"),
        routed(("gatewayApi: 1.4.1", "gatewayApi: owner")),
        (AT, "    gatewayApi: 1.4.1\n" + AT),
    ],
)
def test_a_right_declaration_is_taken(change: tuple[str, str], write: Write) -> None:
    load_stack(write(changed(change)), require_secrets=True)


def test_hosts_are_asked_for_where_a_plain_request_has_a_backend(write: Write) -> None:
    text = changed(rule("path: /post, methods: [POST], backends: [{application: front}]"))
    environment = load_stack(write(text), require_secrets=True).environment
    of = {exposed.host: exposed for exposed in environment.exposed}
    assert of["api.example.test"].asked == ("/v1",)
    assert of["*.api.example.test"].example == "any.api.example.test"
    assert of["*.api.example.test"].owner == ("routes", "api")
    assert of["shop.example.test"].asked == ("/", "/cart")
