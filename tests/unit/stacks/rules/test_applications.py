"""Each rule over applications, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from tests.unit.stacks.bad import (
    Bad,
    Write,
    assert_refused,
    bad,
)

CASES: dict[str, Bad] = {
    "request above its limit": bad(
        ("front:1.0\n", "front:1.0\n        resources: {requests: {memory: 2Gi}}\n"),
        path="applications.front.resources",
        line="resources",
        got="a request for 2Gi of memory, and a limit of 256Mi",
        rule="a request is not above its limit",
        fix="limits: {memory: 2Gi}",
    ),
    "amount that is none": bad(
        ("front:1.0\n", "front:1.0\n        resources: {requests: {memory: 2 GB}}\n"),
        path="applications.front.resources.requests.memory",
        line="2 GB",
        got="2 GB",
        rule="an amount as Kubernetes writes it",
        fix="write 2G",
    ),
    "application that begins with a digit": bad(
        ("      front:\n", "      3d:\n        {namespace: shop, image: example.test/3d:1}\n      front:\n"),
        path="applications.3d",
        line="      3d:",
        got="the name '3d'",
        rule="begins with a letter",
        fix="app-3d",
    ),
    "environment variable with a digit first": bad(
        ("LOG_LEVEL: info", "2nd level: info"),
        path="applications.stock.environment.2nd level",
        line="2nd level",
        got="the name '2nd level'",
        rule="letters, digits and _ . -",
        fix="write for example ND_LEVEL",
    ),
    "secret that is said in two ways": bad(
        ("LOG_LEVEL: info", "TOKEN: {secret: cloudKey, secure: v1:x}"),
        (
            "  crossmesh:cloudKubeconfig:\n",
            "  crossmesh:cloudKey: {secure: v1:x}\n  crossmesh:cloudKubeconfig:\n",
        ),
        path="applications.stock.environment.TOKEN",
        line="TOKEN",
        got="both `secret` and `secure`",
        rule="the name of a stack secret",
        fix="remove one",
    ),
    "secret of which nothing is said": bad(
        ("environment: {LOG_LEVEL: info}", "files: {/etc/key: {}}"),
        path="applications.stock.files./etc/key",
        line="/etc/key",
        got="an empty mapping",
        rule="the name of a stack secret",
        fix="{secret: aName}",
    ),
    "secret that the stack has not": bad(
        ("environment: {LOG_LEVEL: info}", "files: {/etc/key: {secret: stockKey}}"),
        path="applications.stock.files./etc/key.secret",
        line="/etc/key",
        got="the name 'stockKey', and no such secret",
        rule="`crossmesh:stockKey` holds /etc/key of application 'stock'",
        fix="run `pulumi config set --secret --stack test stockKey`",
    ),
    "file in a place that is none": bad(
        ("environment: {LOG_LEVEL: info}", "files: {etc/key/: {secure: v1:x}}"),
        path="applications.stock.files.etc/key/",
        line="etc/key/",
        got="the name 'etc/key/'",
        rule="a path that begins with /",
        fix="rename it",
    ),
    "path with a way back": bad(
        ("environment: {LOG_LEVEL: info}", "writable: [/var/../etc]"),
        path="applications.stock.writable[0]",
        line="/var/../etc",
        got="/var/../etc",
        rule="no .. in it",
        fix="write it out",
    ),
    "directory that is a file as well": bad(
        ("environment: {LOG_LEVEL: info}", "writable: [/etc/key]\n        files: {/etc/key: {secure: v1:x}}"),
        path="applications.stock.writable[0]",
        line="writable",
        got="/etc/key again; line",
        rule="a path stands once",
        fix="remove one",
    ),
    "application that is root": bad(
        ("front:1.0\n", "front:1.0\n        runAsUser: 0\n"),
        path="applications.front.runAsUser",
        line="runAsUser",
        got="0",
        rule="at least 1",
        fix="at least 1",
    ),
    "application that is the sidecar": bad(
        ("front:1.0\n", "front:1.0\n        runAsUser: 1337\n"),
        path="applications.front.runAsUser",
        line="runAsUser",
        got="1337, in namespace 'shop' with sidecars",
        rule="goes past the mesh",
        fix="another number",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)
