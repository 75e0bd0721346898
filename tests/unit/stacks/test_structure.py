"""What lies around the declaration, wrong in one place."""

from __future__ import annotations

import pytest

from stacks.errors import StackFileError
from stacks.load import load_stack
from tests.unit.stacks.bad import (
    Bad,
    Write,
    assert_refused,
    bad,
)
from tests.unit.stacks.conftest import changed

CASES: dict[str, Bad] = {
    "unknown key at the top": bad(
        ("encryptionsalt: v1:salt", "encryptionsalt: v1:salt\nconfigs: {}"),
        path="configs",
        line="configs",
        got="the unknown key 'configs'",
        rule="keys here are: config,",
        fix="did you mean 'config'?",
    ),
    "misspelt ledger": bad(
        ("crossmesh:ledger:", "crossmesh:leger:"),
        path="crossmesh:leger",
        line="crossmesh:leger",
        got="the unknown key 'crossmesh:leger'",
        rule="keys of Crossmesh are",
        fix="did you mean 'crossmesh:ledger'?",
        others=2,
    ),
    "secret in plain text": bad(
        ("  crossmesh:meshRootKey:\n    secure: v1:one", "  crossmesh:meshRootKey: hunter2"),
        path="crossmesh:meshRootKey",
        line="hunter2",
        got="a value in plain text",
        rule="secrets, and encrypted",
        fix="pulumi config set --secret meshRootKey",
    ),
    "default providers": bad(
        ("  pulumi:disable-default-providers: [kubernetes]\n", ""),
        path="pulumi:disable-default-providers",
        line="config:",
        got="nothing",
        rule="default Kubernetes providers are off",
        fix="add `pulumi:disable-default-providers: [kubernetes]`",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)


def test_no_error_shows_a_secret(write: Write) -> None:
    text = changed(("  crossmesh:meshRootKey:\n    secure: v1:one", "  crossmesh:meshRootKey: hunter2"))
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text))
    assert "hunter2" not in str(caught.value)
