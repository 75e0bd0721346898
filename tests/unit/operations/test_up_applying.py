"""`crossmesh up` while it applies: what goes wrong then, what stops it, and what it tells of that."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest

from gate.seal.sealed import sealed_change
from report.model import Op
from tests.unit.gate.seal.support import UNKNOWN, change, plan_of, urn
from tests.unit.operations.fakes import (
    CHANGES,
    FAILED,
    PRELUDE,
    SUCCEEDED,
    Engine,
    apply,
    begun,
    ended,
    failed,
    said,
)

CANARY = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t"


def test_what_the_engine_refuses_to_do_beyond_the_plan_is_told_with_what_was_applied(engine: Engine) -> None:
    engine.does(
        "up",
        PRELUDE,
        begun("create", "a"),
        ended("create", "a"),
        said(f"resource {urn('b')} violates plan: properties changed: ++data[{{{CANARY}}}]", "b"),
        FAILED,
    )
    result = apply(engine)
    assert result.exit_code == 12
    assert "deviates from what was sealed" in result.output
    assert "not as they were sealed: data" in result.output
    assert CANARY not in result.output
    assert (
        f"Applied, in this order (1):\n  create kubernetes:core/v1:ConfigMap::a ({urn('a')})" in result.output
    )
    assert f"Not begun (1):\n  create kubernetes:core/v1:ConfigMap::b ({urn('b')})" in result.output
    assert not engine.interrupted


def test_what_the_engine_does_beyond_the_plan_stops_it(engine: Engine) -> None:
    engine.does("up", PRELUDE, begun("create", "a"), ended("create", "a"), begun("delete", "z"), "sleep 20")
    result = apply(engine)
    assert result.exit_code == 12
    assert "delete kubernetes:core/v1:ConfigMap::z" in result.output
    assert "Begun, and not known to have ended (1)" in result.output
    assert engine.interrupted


def test_other_values_than_were_sealed_stop_it_where_the_plan_leaves_them_open(engine: Engine) -> None:
    engine.does("preview", begun("create", "a", w=UNKNOWN), begun("create", "b"), SUCCEEDED)
    engine.does("up", PRELUDE, begun("create", "a", v="2", w="3"), "sleep 20")
    changes = (change("a", Op.CREATE, {"data": {"v": "1", "w": UNKNOWN}}), CHANGES[1])
    found = plan_of(a=("create",), b=("create",))
    found["resourcePlans"][urn("a")]["goal"]["inputDiff"]["adds"]["data"]["w"] = UNKNOWN
    result = apply(engine, changes=tuple(sealed_change(each) for each in changes), plan=found)
    assert result.exit_code == 12
    assert "other values than were sealed: data.v\n" in result.output
    assert engine.interrupted
    resources = json.loads((engine.directory / "plan").read_text())["resourcePlans"]
    assert resources[urn("a")]["goal"]["inputDiff"]["adds"] == {"data": UNKNOWN}
    assert resources[urn("b")]["goal"]["inputDiff"]["adds"] == {"data": {"v": "1"}}


def test_a_step_that_fails_is_told_with_what_was_applied_and_what_was_not(engine: Engine) -> None:
    engine.does(
        "up",
        PRELUDE,
        begun("create", "a"),
        failed("create", "a"),
        said("quota exceeded"),
        said(f"expected resource operations for {urn('b')} but none were seen", "b"),
        FAILED,
    )
    result = apply(engine)
    assert result.exit_code == 4
    assert "quota exceeded" in result.output
    assert "expected resource operations" not in result.output
    assert "Failed or broken off, so that it may be there in part (1)" in result.output
    assert "Not begun (1)" in result.output


def test_a_step_that_does_not_come_about_is_a_deviation(engine: Engine) -> None:
    words = f"expected resource operations for {urn('b')} but none were seen"
    engine.does("up", PRELUDE, begun("create", "a"), ended("create", "a"), said(words, "b"), FAILED)
    result = apply(engine)
    assert result.exit_code == 12
    assert words in result.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_in_order_and_tells_how_far_it_came(
    engine: Engine, number: signal.Signals
) -> None:
    engine.does("up", PRELUDE, begun("create", "a"), ended("create", "a"), begun("create", "b"), "sleep 20")

    def when_applying() -> None:
        engine.wait_for("up")
        os.kill(os.getpid(), number)

    threading.Thread(target=when_applying, daemon=True).start()
    result = apply(engine)
    assert result.exit_code == 8
    assert engine.interrupted
    assert "Applied, in this order (1)" in result.output
    assert "Begun, and not known to have ended (1)" in result.output


def test_an_interrupt_before_the_first_write_says_that_nothing_was_applied(engine: Engine) -> None:
    engine.does("preview", begun("create", "a"), "sleep 20")

    def when_previewing() -> None:
        engine.wait_for("preview")
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=when_previewing, daemon=True).start()
    result = apply(engine)
    assert result.exit_code == 8
    assert "Nothing was applied." in result.output
    assert not engine.applied


def test_the_time_ends_it_in_order(engine: Engine) -> None:
    engine.does("up", PRELUDE, begun("create", "a"), ended("create", "a"), "sleep 20")
    result = apply(engine, "--timeout", "5")
    assert result.exit_code == 9
    assert engine.interrupted
    assert "Applied, in this order (1)" in result.output
