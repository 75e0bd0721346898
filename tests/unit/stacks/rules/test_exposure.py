"""Each rule over exposure, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from tests.unit.stacks.bad import (
    US_BALANCER,
    US_WORKER,
    Bad,
    Write,
    assert_refused,
    bad,
)

CASES: dict[str, Bad] = {
    "gateway at a node that there is not": bad(
        (US_BALANCER, "        gatewayNodes: [us-workr-1]\n"),
        path="regions.us.gatewayNodes[0]",
        line="us-workr-1",
        got="the unknown node 'us-workr-1'",
        rule="nodes of region 'us' that take workload: us-worker-1",
        fix="did you mean 'us-worker-1'?",
    ),
    "gateway at nodes beside a range": bad(
        (US_BALANCER, f"{US_BALANCER}        gatewayNodes: [us-worker-1]\n"),
        path="regions.us.gatewayNodes",
        line="gatewayNodes",
        got="us-worker-1, beside `loadBalancer` (line ",
        rule="at addresses of its own, or at those of nodes",
        fix="remove one of the two",
    ),
    "gateway at a node whose sshd has its port": bad(
        (US_BALANCER, "        gatewayNodes: [us-worker-1]\n"),
        (US_WORKER, US_WORKER.replace("role:", "ssh: {port: 443}, role:")),
        path="regions.us.gatewayNodes[0]",
        line="gatewayNodes",
        got="us-worker-1, where ssh is at port 443",
        rule="ports 443, 15021 of a node of `gatewayNodes` lead to the gateway",
        fix="give its sshd another port",
    ),
    "gateway at nodes with kube-proxy in the mode ipvs": bad(
        (US_BALANCER, "        gatewayNodes: [us-worker-1]\n"),
        (US_WORKER, US_WORKER.replace("role: worker", "role: worker, profile: virtual")),
        ("    hostProfiles:\n", "    hostProfiles:\n      virtual: {kubeProxy: {mode: ipvs}}\n"),
        path="hostProfiles.virtual.kubeProxy.mode",
        line="virtual: {kubeProxy",
        got="ipvs, of nodes of region 'us', which has `gatewayNodes`",
        rule="every node would take the addresses of these nodes for its own",
        fix="write nftables, or remove it",
    ),
    "host that is a name server": bad(
        ("host: shop.example.test", "host: eu-edge-1.example.test"),
        path="ingresses.shop.host",
        line="host: eu-edge-1",
        got="the name of an edge host (line ",
        rule="name servers have their own names",
        fix="choose another host",
    ),
    "path to an unknown application": bad(
        ("{path: /cart, application: front}", "{path: /cart, application: fornt}"),
        path="ingresses.shop.paths[1].application",
        line="fornt",
        got="the unknown application 'fornt'",
        rule="applications there are: front, stock",
        fix="did you mean 'front'?",
    ),
    "path to an application of another namespace": bad(
        ("{path: /cart, application: front}", "{path: /cart, application: stock}"),
        path="ingresses.shop.paths[1].application",
        line="/cart",
        got="application 'stock' of namespace 'back'",
        rule="applications of its own namespace, 'shop'",
        fix="move one of the two",
    ),
    "host elsewhere": bad(
        ("host: back.example.test", "host: back.example.org"),
        path="ingresses.back.host",
        line="example.org",
        got="back.example.org",
        rule="a domain of the name servers, or a name below one: example.test (line 9)",
        fix="add example.org to `domains`, or write `dns: false` if others answer the name",
    ),
    "host that only ends like the domain": bad(
        ("host: back.example.test", "host: backexample.test"),
        path="ingresses.back.host",
        line="backexample",
        got="backexample.test",
        rule="or a name below one",
        fix="add its domain to `domains`",
    ),
    "wildcard elsewhere": bad(
        ("host: back.example.test", "host: '*.back.example.org'"),
        path="ingresses.back.host",
        line="example.org",
        got="*.back.example.org",
        rule="or a name below one",
        fix="add back.example.org to `domains`",
    ),
    "name without the redirect of its wildcard": bad(
        ("host: back.example.test", "host: '*.example.test'\n        redirectHttp: true"),
        path="ingresses.shop.host",
        line="shop.example.test",
        got="shop.example.test without `redirectHttp`, beside *.example.test, which has it (line ",
        rule="redirected too",
        fix="`redirectHttp: true` here as well",
    ),
    "wildcard in the middle": bad(
        ("host: back.example.test", "host: back.*.test"),
        path="ingresses.back.host",
        line="back.*.test",
        got="back.*.test",
        rule="* as its first label",
        fix="write",
    ),
    "two ingresses with one host": bad(
        ("host: back.example.test", "host: shop.example.test"),
        path="ingresses.back.host",
        line="",
        got="shop.example.test, the host of ingress 'shop'",
        rule="a host of its own",
        fix="add its paths to 'shop'",
    ),
    "path that stands twice": bad(
        (
            "      shop:\n        namespace: shop\n        host: shop.example.test\n        paths:\n",
            "      shop:\n        namespace: shop\n        host: shop.example.test\n        paths:\n"
            "          - {path: /cart/, application: front}\n",
        ),
        path="ingresses.shop.paths[2].path",
        line="path: /cart,",
        got="/cart again",
        rule="leads to one application",
        fix="remove one of the two",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)
