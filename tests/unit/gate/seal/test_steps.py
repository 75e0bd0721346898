"""How far a run has come with its plan, and the first thing that is not in it."""

from __future__ import annotations

from typing import Any

import pytest

from gate.seal.steps import Step, Track
from tests.unit.gate.seal.support import UNKNOWN, plan_of, secret, urn

CANARY = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t"


def begun(op: str, name: str, inputs: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"resourcePreEvent": {"metadata": {"op": op, "urn": urn(name), "new": {"inputs": inputs or {}}}}}


def ended(op: str, name: str) -> dict[str, Any]:
    return {"resOutputsEvent": {"metadata": {"op": op, "urn": urn(name)}}}


def failed(op: str, name: str) -> dict[str, Any]:
    return {"resOpFailedEvent": {"metadata": {"op": op, "urn": urn(name)}}}


def said(message: str, name: str = "", severity: str = "error", **more: Any) -> dict[str, Any]:
    return {"diagnosticEvent": {"message": message, "urn": name and urn(name), "severity": severity, **more}}


def track(*events: dict[str, Any], **steps: tuple[str, ...]) -> Track:
    made = Track(plan_of(**steps))
    for event in events:
        made.take(event)
    return made


def names(steps: Any) -> list[str]:
    return [f"{step.op} {step.urn.rpartition('::')[2]}" for step in steps]


def test_what_is_done_is_told_in_order_and_the_rest_is_left() -> None:
    found = track(
        begun("create", "b"),
        begun("update", "a"),
        ended("update", "a"),
        ended("create", "b"),
        begun("create", "c"),
        a=("update",),
        b=("create",),
        c=("create",),
        d=("delete",),
        e=("same",),
    )
    assert names(found.applied) == ["update a", "create b"]
    assert names(found.unfinished) == ["create c"]
    assert names(found.left) == ["delete d"]
    assert (found.deviation, found.runaway) == ("", False)


def test_each_step_that_is_done_is_returned_once() -> None:
    found = Track(plan_of(a=("create",), b=("same",)))
    events = [
        begun("same", "b"),
        ended("same", "b"),
        begun("create", "a"),
        ended("create", "a"),
        ended("create", "a"),
    ]
    assert [found.take(event) for event in events] == [None, None, None, Step("create", urn("a")), None]


@pytest.mark.parametrize(
    "steps",
    [
        ("create-replacement", "replace", "delete-replaced"),
        ("delete-replaced", "replace", "create-replacement"),
    ],
)
def test_a_replacement_is_its_two_real_steps(steps: tuple[str, ...]) -> None:
    events = [event for op in steps for event in (begun(op, "a"), ended(op, "a"))]
    found = track(*events, a=steps)
    assert names(found.applied) == [f"{op} a" for op in steps if op != "replace"]
    assert (found.left, found.deviation) == ((), "")
    half = track(*events[:2], a=steps)
    assert names(half.left) == [f"{steps[2]} a"]


def test_a_value_may_turn_out_such_that_less_is_to_be_done() -> None:
    found = track(
        begun("same", "a"),
        ended("same", "a"),
        begun("update", "b"),
        ended("update", "b"),
        a=("update",),
        b=("create-replacement", "replace", "delete-replaced"),
    )
    assert (found.deviation, found.left) == ("", ())
    assert names(found.applied) == ["update b"]


@pytest.mark.parametrize(
    ("op", "planned"),
    [
        ("create", ("same",)),
        ("update", ("same",)),
        ("delete", ("update",)),
        ("create-replacement", ("update",)),
        ("delete-replaced", ("update",)),
        ("update", ("create",)),
        ("create", ("delete",)),
    ],
)
def test_more_than_was_sealed_is_a_deviation_that_the_engine_would_go_on_after(
    op: str, planned: tuple[str, ...]
) -> None:
    found = track(begun(op, "a"), a=planned)
    assert found.deviation.startswith(f"{op} kubernetes:core/v1:ConfigMap::a")
    assert found.runaway


def test_a_resource_that_is_not_in_the_plan_is_a_deviation() -> None:
    found = track(begun("create", "z"), a=("create",))
    assert "::z" in found.deviation
    assert "it was to stay as it is" in found.deviation


def test_reads_and_refreshes_of_anything_are_none() -> None:
    found = track(begun("read", "z"), begun("refresh", "y"), begun("same", "x"), a=("create",))
    assert (found.deviation, found.unfinished) == ("", ())


def test_only_the_first_deviation_is_told() -> None:
    found = track(begun("create", "y"), begun("create", "z"), a=("create",))
    assert "::y" in found.deviation


@pytest.mark.parametrize(
    "message",
    [
        f"resource {urn('a')} violates plan: provider changed (expected x)",
        "create is not allowed by the plan: no steps were expected for this resource",
    ],
)
def test_when_the_engine_finds_a_deviation_it_is_left_to_end_what_runs(message: str) -> None:
    found = track(said(message, "a"), a=("create",))
    assert (found.deviation, found.runaway) == (message, False)


def test_of_values_that_the_engine_prints_nothing_but_the_names_of_properties_is_told() -> None:
    message = (
        f"resource {urn('a')} violates plan: properties changed: "
        f"=~data[{{&{{{{map[tls.key:{{{CANARY}}}]}}}}}}], ++other[{{{CANARY}}}], =-x"
    )
    found = track(said(message, "a"), a=("create",))
    assert CANARY not in found.deviation
    assert found.deviation == (
        f"resource {urn('a')} violates plan: properties are not as they were sealed: data"
    )


def test_a_property_that_nobody_knows_is_not_named_either() -> None:
    message = f"resource {urn('a')} violates plan: properties changed: ++new[{{{CANARY}}}]"
    found = track(said(message), a=("create",))
    assert CANARY not in found.deviation
    assert found.deviation.endswith("one that was not there")


def test_what_was_missed_is_told_apart_from_what_came_about() -> None:
    words = f"expected resource operations for {urn('b')} but none were seen"
    found = track(begun("create", "a"), failed("create", "a"), said(words, "b"), a=("create",), b=("create",))
    assert (found.deviation, found.missed) == ("", words)
    assert names(found.failed) == ["create a"]
    assert found.unfinished == ()
    assert names(found.left) == ["create b"]


def test_errors_are_told_with_their_resource_and_what_a_program_wrote_apart() -> None:
    found = track(
        said("it did not work\n", "a"),
        said("update failed"),
        said("KeyError: 'x'\n", severity="info#err"),
        said("passing", severity="error", ephemeral=True),
        said("careful", severity="warning"),
        a=("create",),
    )
    assert found.errors == ["a: it did not work"]
    assert found.output == ["KeyError: 'x'"]


def test_components_are_held_to_the_plan_and_are_in_no_list() -> None:
    plan = plan_of(box=("create",), a=("create",))
    plan["resourcePlans"][urn("box")]["goal"]["custom"] = False
    found = Track(plan)
    found.take(begun("create", "box"))
    assert (names(found.unfinished), names(found.left), found.deviation) == ([], ["create a"], "")
    found.take(begun("delete", "box"))
    assert found.deviation.startswith("delete")


@pytest.mark.parametrize(
    ("written", "deviates"),
    [({"data": {"v": "1"}}, False), ({"data": {"v": "2"}}, True), ({"data": secret()}, False)],
)
def test_values_that_the_plan_leaves_open_are_compared_as_a_step_begins(
    written: dict[str, Any], deviates: bool
) -> None:
    found = Track(plan_of(a=("create",)))
    found.expected = {urn("a"): {"data": {"v": "1", "w": UNKNOWN}}}
    found.take(begun("create", "a", written))
    assert found.runaway is deviates
    assert ("other values than were sealed: data.v" in found.deviation) is deviates


def test_a_step_names_its_resource_as_people_do() -> None:
    step = Step("create", "urn:pulumi:lab::crossmesh::a:b:Platform$kubernetes:apps/v1:Deployment::eu-web")
    assert step.name == "kubernetes:apps/v1:Deployment::eu-web"
    assert str(step) == f"create {step.name} ({step.urn})"
