"""Given certificates as the program reads them, with secrets, before it declares anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pulumi
import pytest

from components.given import read_given
from stacks.errors import StackFileError
from stacks.load import Stack, load_stack
from tests.unit.stacks.conftest import changed
from tests.unit.stacks.pki import HOST, Pair, authority, make

BALANCING = "    globalLoadBalancer:\n"
START = datetime.now(UTC) - timedelta(days=1)
ROOT = authority("root", start=START)
LEAF = make("shop", ROOT, hosts=(HOST,), start=START)
OTHER = make("other", ROOT, hosts=(HOST,), start=START)

Configured = Callable[..., Stack]


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configured:
    """A stack with a given certificate, and what the program's configuration holds of its key."""

    def configured(key: str | None, *, leaf: Pair = LEAF, named: bool = True, preview: bool = True) -> Stack:
        (tmp_path / "site.pem").write_text(leaf.pem)
        (tmp_path / "ca.pem").write_text(ROOT.pem)
        given = "{certificate: site.pem, ca: ca.pem, privateKey: {secret: siteKey}}"
        inline = given.replace("{secret: siteKey}", "{secure: v1:abc}")
        text = f"    certificates:\n      site: {{hosts: [{HOST}], given: {given if named else inline}}}\n"
        path = tmp_path / "Pulumi.test.yaml"
        path.write_text(changed((BALANCING, text + BALANCING)))
        inside = {"certificates": {"site": {"given": {"privateKey": key}}}}
        held = {"crossmesh:siteKey": key, "crossmesh:environment": json.dumps(inside)}
        monkeypatch.setattr(pulumi.runtime, "get_config", held.get)
        monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
        return load_stack(path)

    return configured


@pytest.mark.parametrize("named", [True, False])
def test_a_key_is_read_by_its_name_or_in_its_place(named: bool, configured: Configured) -> None:
    found = read_given(configured(LEAF.key_pem, named=named, preview=False))
    assert found["site"].private_key == LEAF.key_pem


def test_a_key_that_is_not_there_is_missed_by_up_alone(configured: Configured) -> None:
    assert read_given(configured(None))["site"].private_key is None
    with pytest.raises(StackFileError, match="a secret that is not known"):
        read_given(configured(None, preview=False))


def test_the_key_of_another_certificate_ends_a_preview_too_and_is_not_told(configured: Configured) -> None:
    with pytest.raises(StackFileError, match="the key of another certificate than CN=shop") as caught:
        read_given(configured(OTHER.key_pem))
    assert not any(line in str(caught.value) for line in OTHER.key_pem.splitlines()[1:-1])


def test_an_up_is_told_of_what_ends_soon_and_a_preview_is_not(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make("old", ROOT, hosts=(HOST,), start=START - timedelta(days=80))
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    read_given(configured(old.key_pem, leaf=old))
    assert not said
    read_given(configured(old.key_pem, leaf=old, preview=False))
    (words,) = said
    assert "certificate 'site'" in words and "Pulumi.test.yaml:" in words
