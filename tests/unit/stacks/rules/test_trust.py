"""Each rule over trust, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from tests.unit.stacks.bad import (
    Bad,
    Write,
    assert_refused,
    bad,
)

CASES: dict[str, Bad] = {
    "no root key": bad(
        ("  crossmesh:meshRootKey:\n    secure: v1:one\n", ""),
        path="crossmesh:meshRootKey",
        line="config:",
        got="nothing",
        rule="root of trust",
        fix="run `crossmesh secrets init --stack test`",
    ),
    "no password for sudo": bad(
        (
            "      privateKeyFile: ~/keys/id\n",
            "      privateKeyFile: ~/keys/id\n      becomePassword: sudo\n",
        ),
        path="ssh.becomePassword",
        line="becomePassword",
        got="the name 'sudo', and no such secret",
        rule="the password that sudo asks for",
        fix="run `pulumi config set --secret --stack test sudo`",
    ),
    "the root's key as a password": bad(
        (
            "      privateKeyFile: ~/keys/id\n",
            "      privateKeyFile: ~/keys/id\n      becomePassword: meshRootKey\n",
        ),
        path="ssh.becomePassword",
        line="becomePassword",
        got="'meshRootKey', a secret of the platform itself",
        rule="given to nobody",
        fix="another name",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)
