"""What of a state matters to a plan."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from gate.seal.bound import StateDigest, state_of
from tests.unit.gate.seal.support import secret, urn


def exported() -> dict[str, Any]:
    return {
        "version": 3,
        "deployment": {
            "manifest": {"time": "2026-11-24T20:00:00Z", "magic": "m", "version": "v3.250.0"},
            "secrets_providers": {"type": "passphrase"},
            "resources": [
                resource("a", inputs={"v": 1, "key": secret("v1:1:x")}),
                resource("b", dependencies=[urn("a"), urn("z")], propertyDependencies={"v": ["y", "x"]}),
            ],
        },
    }


def resource(name: str, **more: Any) -> dict[str, Any]:
    return {
        "urn": urn(name),
        "type": "t",
        "custom": True,
        "id": name,
        "modified": "2026-11-24T19:00:00Z",
        "sourcePosition": "project:///__main__.py#11",
        **more,
    }


def reencrypted(state: Any) -> None:
    state["deployment"]["resources"][0]["inputs"]["key"] = secret("v1:2:y")


def rewritten(state: Any) -> None:
    state["deployment"]["manifest"]["time"] = "2026-11-24T21:00:00Z"


def reordered(state: Any) -> None:
    state["deployment"]["resources"].reverse()


def moved(state: Any) -> None:
    state["deployment"]["resources"][0]["sourcePosition"] = "project:///__main__.py#99"


def dependencies_reordered(state: Any) -> None:
    state["deployment"]["resources"][1]["dependencies"].reverse()
    state["deployment"]["resources"][1]["propertyDependencies"]["v"].reverse()


@pytest.mark.parametrize("written_anew", [reencrypted, rewritten, reordered, moved, dependencies_reordered])
def test_what_the_engine_writes_anew_without_a_change_is_no_difference(
    written_anew: Callable[[Any], None],
) -> None:
    other = copy.deepcopy(exported())
    written_anew(other)
    assert state_of(exported()).differences(state_of(other)) == ()


def edited(state: Any) -> None:
    state["deployment"]["resources"][0]["inputs"]["v"] = 2


def secret_changed_by_an_update(state: Any) -> None:
    state["deployment"]["resources"][0] |= {"modified": "2026-11-24T21:00:00Z"}
    state["deployment"]["resources"][0]["inputs"]["key"] = secret("v1:2:y")


def protected(state: Any) -> None:
    state["deployment"]["resources"][0]["protect"] = True


@pytest.mark.parametrize("update", [edited, secret_changed_by_an_update, protected])
def test_what_an_update_changes_is_named_with_when_it_was(update: Callable[[Any], None]) -> None:
    other = exported()
    rewritten(other)
    update(other)
    assert state_of(exported()).differences(state_of(other)) == (
        "changed since the seal, which is for that of 2026-11-24T20:00:00Z; "
        "somebody wrote it at 2026-11-24T21:00:00Z: a changed",
    )


def test_resources_that_came_and_went_are_named() -> None:
    other = exported()
    other["deployment"]["resources"][0] = resource("c")
    (line,) = state_of(exported()).differences(state_of(other))
    assert line.endswith(": a is gone, c is new")


def test_a_resource_that_waits_for_its_deletion_counts_although_its_name_is_there_twice() -> None:
    other = exported()
    other["deployment"]["resources"].append(resource("a", delete=True))
    (line,) = state_of(exported()).differences(state_of(other))
    assert line.endswith(": a changed")


def test_operations_that_were_not_finished_count() -> None:
    other = exported()
    other["deployment"]["pending_operations"] = [{"type": "creating", "resource": resource("c")}]
    (line,) = state_of(exported()).differences(state_of(other))
    assert "operations that were not finished" in line


@pytest.mark.parametrize("empty", [{}, {"deployment": None}, {"deployment": {"manifest": {"time": "2026"}}}])
def test_an_empty_state_is_a_state_as_any_other(empty: dict[str, Any]) -> None:
    found = state_of(empty)
    assert (found.resources, found.written) == ({}, "")
    assert found.differences(state_of({})) == ()
    (line,) = found.differences(state_of(exported()))
    assert "which is for an empty one" in line
    (line,) = state_of(exported()).differences(found)
    assert "there is nothing in it now" in line


def test_of_many_changes_some_are_named() -> None:
    before = StateDigest("x", {urn(f"r{number}"): "1" for number in range(9)}, "t")
    after = StateDigest("y", {urn(f"r{number}"): "2" for number in range(9)}, "t")
    (line,) = before.differences(after)
    assert line.endswith("r4 changed and 4 more")
