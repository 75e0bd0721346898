"""What walks along the steps of an operation take for a step, and where they kill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from playbooks.tokens import HOST_PHASE
from runbooks.journal import Entry, What
from tests.lab.acceptance.test_lifecycle import differing
from tests.lab.acceptance.walking import LASTS_SECONDS, MIDDLE_SECONDS, Steps, begun, step_of

PREPARE = "eu-worker-2 prepare: "
URN = f"urn:pulumi:test::crossmesh::crossmesh:index:Platform${HOST_PHASE}::eu-worker-2.prepare"


def said(text: str, *, ephemeral: bool = True) -> dict[str, Any]:
    """A message of the provider, as the engine's event log has it."""
    message = f"<{{%reset%}}>{text}<{{%reset%}}>\n"
    more = {"ephemeral": True} if ephemeral else {}
    return {"diagnosticEvent": {"urn": URN, "message": message, "severity": "info", **more}}


def operation(doing: str, token: str, name: str) -> dict[str, Any]:
    urn = f"urn:pulumi:test::crossmesh::{token}::{name}"
    return {"resourcePreEvent": {"metadata": {"op": doing, "urn": urn}}}


@pytest.mark.parametrize(
    ("event", "step"),
    [
        (said(f"{PREPARE}base : Install packages"), f"{PREPARE}base : Install packages"),
        (said("eu-cp-1 control-plane: See that it answers"), "eu-cp-1 control-plane: See that it answers"),
        (said("eu-worker-2 join: making a join token"), "eu-worker-2 join: making a join token"),
        (
            said(f"{PREPARE}base : Install packages: attempt 1 failed, trying again"),
            f"{PREPARE}base : Install packages",
        ),
        (said("eu-worker-2: waiting for 3 pods to go: a (ends), b (ends)"), "eu-worker-2: its pods go"),
        (operation("delete", HOST_PHASE, "eu-worker-2.join"), "delete eu-worker-2.join"),
        (operation("create", "kubernetes:core/v1:Service", "x"), "create x"),
    ],
)
def test_what_begins_a_step(event: dict[str, Any], step: str) -> None:
    assert step_of(event) == step


@pytest.mark.parametrize(
    "event",
    [
        said(f"{PREPARE}connecting"),
        said(f"{PREPARE}starting the playbook"),
        said(f"{PREPARE}base : Validating arguments against arg spec 'main' - Software"),
        said(f"{PREPARE}Keep in mind what is well on this node"),
        said(f"{PREPARE}changed: base : Install packages (14.0 s)", ephemeral=False),
        said(f"{PREPARE}base : Install packages", ephemeral=False),
        said("waiting until all hosts concerned have been reached"),
        said("waits for its turn: eu-cp-1 first, and seen to be well"),
        said("holding eu-cp-1 off runbooks"),
        said(f"{PREPARE}waiting for the lock of eu-worker-2, held by somebody"),
        operation("same", "kubernetes:core/v1:Service", "x"),
        operation("create", HOST_PHASE, "eu-worker-2.join"),
        operation("update", "pulumi:pulumi:Stack", "x"),
        {"summaryEvent": {}},
        {},
    ],
)
def test_what_begins_none(event: dict[str, Any]) -> None:
    assert step_of(event) == ""


def test_a_run_is_killed_at_the_first_step_that_none_was_killed_at() -> None:
    first, second = f"{PREPARE}base : Install packages", f"{PREPARE}images : Import image bundles"
    assert Steps([]).take([said(first), said(second)], 1.0) == first
    steps = Steps([first])
    assert steps.take([said(f"{PREPARE}connecting"), said(first)], 1.0) == ""
    assert steps.take([], 1.0 + LASTS_SECONDS / 2) == ""
    assert steps.take([said(second)], 1.0 + LASTS_SECONDS) == second


def test_a_step_that_lasts_is_killed_in_its_middle_once_and_one_that_has_ended_is_not() -> None:
    step = f"{PREPARE}base : Install packages"
    middle = f"{step} (after 8 s)"
    steps = Steps([step])
    assert steps.take([said(step)], 1.0) == ""
    assert steps.take([], 1.0 + LASTS_SECONDS) == middle
    again = Steps([step, middle])
    assert again.take([said(step)], 1.0) == ""
    assert again.take([], 60.0) == ""
    ended = Steps([step])
    assert ended.take([said(step), {"resOutputsEvent": {"metadata": {"urn": URN}}}], 1.0) == ""
    assert ended.take([], 60.0) == ""


def test_a_drain_that_is_told_of_again_and_again_is_killed_in_its_middle_too() -> None:
    step = "eu-worker-2: its pods go"
    going = [said(f"eu-worker-2: waiting for {left} pods to go: a (ends)") for left in (3, 2, 1, 1, 1)]
    steps = Steps([step])
    took = [steps.take([event], LASTS_SECONDS / 4 * number) for number, event in enumerate(going)]
    assert took == ["", "", "", "", f"{step} (after 8 s)"]


def entry(what: What, step: str, at: datetime) -> Entry:
    return Entry(1, at.isoformat(timespec="milliseconds"), "a1", what, "me", "0", step)


def test_a_runbook_is_killed_at_each_step_that_its_journal_begins_and_in_its_middle() -> None:
    now = datetime.now(UTC)
    news = [entry(What.DOING, "stop", now)]
    assert begun([], [], now) == ""
    assert begun(news, [], now) == "stop"
    assert begun(news, ["stop"], now) == ""
    later = now + timedelta(seconds=MIDDLE_SECONDS)
    assert begun(news, ["stop"], later) == "stop (after 3 s)"
    assert begun(news, ["stop", "stop (after 3 s)"], later) == ""
    news += [entry(What.REACHED, "stop", later)]
    assert begun(news, ["stop"], later) == ""
    news += [entry(What.DOING, "exchange", later)]
    assert begun(news, ["stop"], later) == "exchange"


def test_states_that_differ_are_told_by_where_and_with_both() -> None:
    before = {"nodes": {"a": {"taints": []}}, "gone": 1}
    after = {"nodes": {"a": {"taints": ["x"]}, "b": {}}}
    assert differing(before, before) == []
    assert differing(before, after) == [
        "gone: 1 without a kill, None after them",
        "nodes: a: taints: [] without a kill, ['x'] after them",
        "nodes: b: None without a kill, {} after them",
    ]
