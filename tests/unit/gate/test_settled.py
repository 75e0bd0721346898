"""What changes against a state that was worked out: no more and no less than `up` would change."""

from __future__ import annotations

import json
from typing import Any

from gate.changes import settled
from gate.simulate import deployment, issuers
from report.masking import SECRET_SIGNATURE, SIGNATURE
from report.model import SECRET, UNKNOWN, Against, Change, ChangeSet, Op, PropertyChange, Resource

PLATFORM = "urn:pulumi:lab::crossmesh::crossmesh:components:Platform"
ROOT = f"{PLATFORM}$crossmesh:tls:CertificateAuthority::root"
INTERMEDIATE = f"{PLATFORM}$crossmesh:tls:CertificateAuthority::eu"
STORED = f"{PLATFORM}$kubernetes:core/v1:Secret::cacerts"
OTHER = f"{PLATFORM}$kubernetes:core/v1:ConfigMap::other"
RESTS_ON = {INTERMEDIATE: (ROOT,), STORED: (INTERMEDIATE,)}


def resource(urn: str, **inputs: Any) -> Resource:
    return Resource(urn, urn.split("$")[-1].rpartition("::")[0], urn.rpartition("::")[2], inputs)


def update(urn: str, old: Any, new: Any, *paths: str) -> Change:
    properties = tuple(PropertyChange(path, old, new) for path in paths)
    return Change(Op.UPDATE, urn, resource(urn, value=old), resource(urn, value=new), properties)


def after(changes: list[Change], *same: str) -> tuple[set[str], set[str]]:
    """URNs of what changes, and of what stays."""
    given = ChangeSet(Against.BASE, tuple(changes), tuple(resource(urn) for urn in same))
    found = settled(given, RESTS_ON)
    return {change.urn for change in found.changes}, {entry.urn for entry in found.same}


def test_what_neither_side_knows_stays() -> None:
    assert after([update(OTHER, UNKNOWN, UNKNOWN, "value")]) == (set(), {OTHER})


def test_a_secret_that_was_not_known_stays() -> None:
    assert after([update(OTHER, UNKNOWN, SECRET, "value")]) == (set(), {OTHER})


def test_a_secret_that_was_known_and_differs_changes() -> None:
    assert after([update(ROOT, SECRET, SECRET, "private_key")])[0] == {ROOT}


def test_what_rests_on_an_authority_changes_with_it_all_the_way_down() -> None:
    changed, stays = after(
        [update(ROOT, "old", "new", "common_name"), update(INTERMEDIATE, UNKNOWN, UNKNOWN, "issuer")],
        STORED,
        OTHER,
    )
    assert changed == {ROOT, INTERMEDIATE, STORED}
    assert stays == {OTHER}


def test_what_rests_on_an_authority_that_stays_stays() -> None:
    assert after([update(OTHER, "old", "new", "value")], ROOT, INTERMEDIATE, STORED)[0] == {OTHER}


def planned(adds: dict[str, Any], rests_on: dict[str, list[str]], state: dict[str, Any] | None = None) -> Any:
    goal = {
        "type": "crossmesh:tls:CertificateAuthority",
        "name": "x",
        "custom": True,
        "inputDiff": {"adds": adds},
        "outputDiff": {},
        "propertyDependencies": rests_on,
    }
    return {"goal": goal, "steps": ["create"], "state": state}


def secret(value: Any) -> dict[str, str]:
    return {SIGNATURE: SECRET_SIGNATURE, "plaintext": json.dumps(value)}


def test_a_resource_rests_on_the_authorities_that_its_unknown_inputs_come_from() -> None:
    plan = {
        "resourcePlans": {
            ROOT: planned({"private_key": secret("key")}, {"private_key": []}),
            INTERMEDIATE: planned(
                {"issuer": {"key": secret(UNKNOWN)}, "name": "eu"}, {"issuer": [ROOT], "name": [OTHER]}
            ),
            STORED: planned({"name": "known", "data": UNKNOWN}, {"name": [INTERMEDIATE], "data": [OTHER]}),
        }
    }
    assert issuers(plan) == {INTERMEDIATE: (ROOT,)}


def test_a_key_that_is_given_is_known_though_the_provider_does_not_say_it_yet() -> None:
    state = {"private_key": secret(UNKNOWN), "certificate": UNKNOWN}
    plan = {"resourcePlans": {ROOT: planned({"private_key": secret("key")}, {}, state)}}
    (found,) = deployment(plan, "v1:salt")["deployment"]["resources"]
    assert found["outputs"] == {"private_key": secret("key"), "certificate": UNKNOWN}
