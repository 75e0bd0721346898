from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from playbooks.provider import tls
from playbooks.provider.fleet import Fleet
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.certificates import Certificate, CertificateAuthority
from playbooks.provider.values import UNKNOWN, has_unknown
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio

ROOT = {"common_name": "root", "validity_days": 3650, "renew_before_days": 365}
LEAF = {"common_name": "leaf", "usages": ["server auth"], "validity_days": 90, "renew_before_days": 30}
CONTEXT = Context(FakeEngine(), Fleet(), None)
UP = Operation(CONTEXT, "urn")


async def create(kind: Any, inputs: dict[str, Any], *, preview: bool = False) -> dict[str, Any]:
    return await kind.create(Operation(CONTEXT, "urn", preview=preview), inputs)


def issuer(state: dict[str, Any]) -> dict[str, Any]:
    return {name: state[name] for name in ("certificate", "private_key", "chain", "root_certificate")}


async def test_a_root_signs_an_intermediate_whose_chain_leaves_the_root_out() -> None:
    root = await create(CertificateAuthority(), ROOT)
    middle = await create(CertificateAuthority(), {**ROOT, "common_name": "eu", "issuer": issuer(root)})
    leaf = await create(Certificate(), {**LEAF, "issuer": issuer(middle)})
    assert leaf["chain"] == leaf["certificate"] + middle["certificate"]
    assert middle["root_certificate"] == root["certificate"]
    assert root["chain"] == root["certificate"]


async def test_a_given_key_is_used() -> None:
    key = tls.new_key()
    root = await create(CertificateAuthority(), {**ROOT, "private_key": key})
    assert tls.load_certificate(root["certificate"]).public_key() == tls.load_key(key).public_key()


async def test_nothing_differs_when_nothing_changed() -> None:
    root = await create(CertificateAuthority(), ROOT)
    inputs = {**LEAF, "issuer": issuer(root)}
    leaf = await create(Certificate(), inputs)
    assert not (await CertificateAuthority().diff(UP, root, ROOT)).any
    assert not (await Certificate().diff(UP, leaf, inputs)).any


async def test_a_new_issuer_a_new_name_and_a_near_end_make_it_new() -> None:
    root = await create(CertificateAuthority(), ROOT)
    other = await create(CertificateAuthority(), ROOT)
    inputs = {**LEAF, "issuer": issuer(root)}
    leaf = await create(Certificate(), inputs)
    near = (datetime.now(UTC) + timedelta(days=29)).isoformat()
    cases = {
        "issuer": (leaf, {**inputs, "issuer": issuer(other)}),
        "dns_names": (leaf, {**inputs, "dns_names": ["a.example.org"]}),
        "not_after": ({**leaf, "not_after": near}, inputs),
    }
    for reason, (state, news) in cases.items():
        changes = await Certificate().diff(UP, state, news)
        assert (list(changes.updates), list(changes.replaces)) == ([reason], [])


async def test_a_renewed_authority_keeps_its_key_and_a_renewed_certificate_does_not() -> None:
    root = await create(CertificateAuthority(), ROOT)
    renewed = await CertificateAuthority().update(UP, root, ROOT)
    assert renewed["private_key"] == root["private_key"]
    assert renewed["certificate"] != root["certificate"]
    inputs = {**LEAF, "issuer": issuer(root)}
    leaf = await create(Certificate(), inputs)
    assert (await Certificate().update(UP, leaf, inputs))["private_key"] != leaf["private_key"]


async def test_an_authority_that_hosts_hold_is_not_renewed_and_its_end_is_foretold() -> None:
    engine = FakeEngine()
    operation = Operation(Context(engine, Fleet(), None), "urn")
    inputs = {name: value for name, value in ROOT.items() if name != "renew_before_days"}
    assert (await CertificateAuthority().check(UP, {}, inputs)).failures == []
    root = await create(CertificateAuthority(), inputs)
    assert not (await CertificateAuthority().diff(operation, root, inputs)).any
    assert engine.said == []
    for days, words in ((300, "ends in 299 days"), (-3, "ended on")):
        near = (datetime.now(UTC) + timedelta(days=days)).isoformat()
        assert not (await CertificateAuthority().diff(operation, {**root, "not_after": near}, inputs)).any
        assert words in engine.text("warning")
    assert "declare another region" in engine.text("warning")


async def test_an_authority_keeps_its_name_as_long_as_it_has_its_key() -> None:
    key, authority = tls.new_key(), CertificateAuthority()
    old = {**ROOT, "organization": "prod.example.com", "private_key": key}
    new = {**old, "common_name": "prod root CA", "organization": "example.com"}
    checked = await authority.check(UP, old, new)
    assert checked.inputs == {"common_name": "root", "organization": "prod.example.com"}
    assert not (await authority.diff(UP, await create(authority, old), {**new, **checked.inputs})).any
    assert (await authority.check(UP, old, {**new, "private_key": tls.new_key()})).inputs == {}, "another one"
    assert (await authority.check(UP, {}, new)).inputs == {}, "it is new"
    made = {name: value for name, value in old.items() if name not in ("private_key", "organization")}
    given = await authority.check(UP, made, {**made, "common_name": "other", "organization": "example.com"})
    assert given.inputs == {"common_name": "root", "organization": None}, "its key is made here"


async def test_a_preview_leaves_open_what_up_will_make() -> None:
    root = await create(CertificateAuthority(), ROOT, preview=True)
    assert root["certificate"] is UNKNOWN
    assert root["private_key"] is UNKNOWN
    leaf = await create(Certificate(), {**LEAF, "issuer": issuer(root)}, preview=True)
    assert has_unknown(leaf)
    assert leaf["common_name"] == "leaf"


async def test_all_that_is_wrong_is_told_at_once() -> None:
    checked = await CertificateAuthority().check(
        UP,
        {},
        {"common_name": "n" * 65, "validity_days": 3, "renew_before_days": 3, "issuer": {}},
    )
    assert {name for name, _ in checked.failures} == {
        "common_name",
        "renew_before_days",
        "issuer.certificate",
        "issuer.private_key",
    }
