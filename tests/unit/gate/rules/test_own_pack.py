"""The project's own pack in this process: findings with URNs, and unknown values that are told."""

from __future__ import annotations

from typing import Any

import pytest

from gate.rules import own_pack
from gate.rules.own_pack import Props, UnknownInputError
from report.model import SECRET, UNKNOWN, Finding, Severity, Status
from tests.unit.gate.rules.support import changes, creation, deletion, kubernetes, region, subject
from tests.unit.policies.support import changed, web
from tests.unit.policies.test_exposed import led_to_by_ingress

IMAGE = ("spec", "template", "spec", "containers", 0, "image")


def found(rule: str, *manifests: Any, clusters: tuple[str, ...] = ("eu",)) -> list[Finding]:
    made = [creation(kubernetes(manifest, cluster)) for cluster in clusters for manifest in manifests]
    everything = own_pack.findings(subject(changes(*made, same=[region("eu")])))
    assert {each.rule for each in everything} == {each.id for each in own_pack.rules()}
    return [each for each in everything if each.rule == rule]


def test_a_policy_that_finds_nothing_passes_once() -> None:
    (each,) = found("policy/images-pinned", *web(), clusters=("eu", "us"))
    assert (each.status, each.urn, each.message) == (Status.PASS, "", "")


def test_a_violation_names_its_resource_and_how_to_mend_it() -> None:
    (each,) = found("policy/images-pinned", *web()[:2], changed(web()[2], "web", *IMAGE))
    assert (each.status, each.severity) == (Status.FAIL, Severity.ERROR)
    assert each.urn.endswith("::eu.shop.web")
    assert each.fix


def test_a_policy_over_the_stack_tells_clusters_apart() -> None:
    said = found("policy/two-replicas", *web(1), led_to_by_ingress(), clusters=("eu", "us"))
    assert [each.urn.rpartition("::")[2] for each in said] == ["eu.shop.web", "us.shop.web"]


def test_what_is_not_known_is_told_and_hides_nothing_else() -> None:
    other = changed(changed(web()[2], UNKNOWN, *IMAGE), "other", "metadata", "name")
    said = found("policy/images-pinned", changed(web()[2], "web", *IMAGE), other)
    assert [(each.status, each.urn.rpartition("::")[2]) for each in said] == [
        (Status.NOT_MEASURABLE, "eu.shop.other"),
        (Status.FAIL, "eu.shop.web"),
    ]
    assert "spec.template.spec.containers.0.image" in said[0].message


@pytest.mark.parametrize("hidden", [UNKNOWN, SECRET])
def test_of_a_stack_as_well(hidden: str) -> None:
    said = found(
        "policy/two-replicas", *web(1), led_to_by_ingress(), changed(web(1)[2], hidden, "spec", "template")
    )
    assert Status.NOT_MEASURABLE in [each.status for each in said]


def test_what_goes_is_not_looked_at() -> None:
    gone = deletion(kubernetes(changed(web()[2], "web", *IMAGE)))
    everything = own_pack.findings(subject(changes(gone)))
    assert {each.status for each in everything} == {Status.PASS}


def test_inputs_are_read_like_mappings_and_sequences() -> None:
    props = Props({"a": {"b": [1, {"c": UNKNOWN}]}, "d": UNKNOWN}, "urn")
    assert list(props) == ["a", "d"]
    assert "d" in props
    assert props["a"]["b"][0] == 1
    assert len(props["a"]["b"]) == 2
    assert props.get("z") is None
    with pytest.raises(UnknownInputError) as caught:
        props["a"]["b"][1]["c"]
    assert (caught.value.urn, caught.value.props) == ("urn", ["a", "b", "1", "c"])
