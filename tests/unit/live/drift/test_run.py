"""One examination: its layers side by side, within its time, to one answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from access import engine, locks
from access.locks import Lock
from access.paths import project_root
from components.tokens import GLOBAL_LOAD_BALANCER
from live.drift import COLUMNS, judge, run
from live.drift.inquiry import Inquiry
from live.drift.model import Drifted, Record
from report.errors import CancelledError, ConfigurationError, LockedError
from report.examination import Examination
from report.exit_codes import ExitCode
from report.model import Op, PropertyChange, Status
from tests.unit.live.drift.support import identity, quiet, resource, state_of, urn

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Look = Callable[[Record], None]


@pytest.fixture
def layers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Look]:
    """What each layer does; nothing by default. The state has two clusters and one resource."""
    todo: dict[str, Look] = {}

    def stand_in(name: str) -> Callable[..., None]:
        def look(inquiry: Inquiry, record: Record) -> None:
            todo.get(name, lambda record: record.recognised.add("eu"))(record)

        return look

    for column in COLUMNS:
        monkeypatch.setattr(column, "look", stand_in(column.COMPARISON.layer))
    state = state_of([identity("eu"), identity("us"), resource("t", "a", {"x": "hunter2"})])
    monkeypatch.setattr(run, "read_state", lambda *_: state)
    monkeypatch.setattr(engine, "backend_url", lambda: "https://elsewhere")
    return todo


def drift(
    say: Callable[[str], None] = quiet, stopped: threading.Event | None = None, **options: Any
) -> Examination:
    return run.drift(project_root(), "lab", run.DriftOptions(now=NOW, **options), say, stopped)


def test_no_drift_is_an_examination_of_all_layers(layers: dict[str, Look]) -> None:
    found = drift()
    assert (found.verb, found.stack, found.verdict.code) == ("drift", "lab", ExitCode.CLEAN)
    assert [layer.id for layer in found.layers] == ["hosts", "clusters", "certificates", "gateways", "dns"]
    assert [rule.id for rule in found.rules] == [
        "drift/certificates",
        "drift/clusters",
        "drift/dns",
        "drift/gateways",
        "drift/hosts",
        "drift/identity",
    ]
    assert {finding.status for finding in found.findings} == {Status.PASS}
    assert found.changes.changes == ()


def test_only_the_layers_that_are_asked_for_are_looked_at(layers: dict[str, Look]) -> None:
    layers["hosts"] = lambda record: pytest.fail("hosts were looked at")
    found = drift(layers=("dns",))
    assert [layer.id for layer in found.layers] == ["dns"]
    assert [rule.id for rule in found.rules] == ["drift/dns"]


def test_drift_has_its_place_in_the_stack_file(layers: dict[str, Look]) -> None:
    def look(record: Record) -> None:
        record.drifted.append(Drifted(urn("t", "a"), Op.UPDATE, (PropertyChange("x", 1, 2),)))
        record.fail("a was edited", urn=urn("t", "a"), fix="f")

    layers["clusters"] = look
    found = drift()
    assert found.verdict.code is ExitCode.UNEXPECTED_CHANGES
    (failure,) = found.failures
    assert failure.place is not None
    assert failure.place.file == "stacks/Pulumi.lab.yaml"
    (change,) = found.changes.changes
    assert change.declared is not None
    assert change.properties == (PropertyChange("x", 1, 2),)


def test_other_answers_of_name_servers_have_their_place_as_well(
    layers: dict[str, Look], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = {"region": "", "declared": "globalLoadBalancer"}
    balancer = resource(GLOBAL_LOAD_BALANCER, "global-load-balancer", inputs, custom=False)
    monkeypatch.setattr(run, "read_state", lambda *_: state_of([identity("eu"), balancer]))

    def look(record: Record) -> None:
        change = PropertyChange("answers.eu-edge-1.NS", "a", "b")
        record.drifted.append(Drifted(balancer["urn"], Op.UPDATE, (change,)))
        record.fail("another name server", urn=balancer["urn"], fix="f")

    layers["dns"] = look
    found = drift()
    (change,) = found.changes.changes
    assert change.declared is not None
    (failure,) = found.failures
    assert failure.place == change.declared
    line = (project_root() / failure.place.file).read_text().splitlines()[failure.place.line - 1]
    assert "globalLoadBalancer" in line


def test_the_same_input_gives_the_same_answer(layers: dict[str, Look]) -> None:
    assert drift() == drift()


@pytest.mark.parametrize(
    "entries",
    [[], [resource("pulumi:providers:kubernetes", "eu.kubernetes"), resource("t", "a", custom=False)]],
)
def test_where_nothing_was_applied_nothing_passes(
    entries: list[dict[str, Any]], layers: dict[str, Look], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "read_state", lambda *_: state_of(entries))
    for layer in judge.LAYERS:
        layers[layer] = lambda record: pytest.fail("it was looked at")
    found = drift()
    assert found.verdict.code is ExitCode.CLEAN
    assert found.verdict.words.startswith("The state is empty: nothing was applied to the stack")
    assert [layer.id for layer in found.layers] == ["hosts", "clusters", "certificates", "gateways", "dns"]
    assert [finding.rule for finding in found.findings] == [rule.id for rule in found.rules]
    assert {finding.status for finding in found.findings} == {Status.NOT_MEASURABLE}
    assert all("the state is empty" in finding.message for finding in found.findings)
    assert all(finding.fix for finding in found.findings)
    strict = drift(strict=True).verdict
    assert strict.code is ExitCode.NOT_MEASURABLE
    assert strict.words.startswith("The state is empty: nothing was applied to the stack")
    assert "--strict" in strict.words


def test_a_defect_of_one_layer_hides_nothing_of_the_others(layers: dict[str, Look]) -> None:
    def broken(record: Record) -> None:
        raise KeyError("defect")

    layers["dns"] = broken
    layers["hosts"] = lambda record: record.fail("h", urn="u", fix="f")
    found = drift()
    assert found.verdict.code is ExitCode.TOOL_ERROR
    assert any("KeyError: 'defect'" in finding.message for finding in found.findings)
    assert any(finding.message == "h" for finding in found.failures)


def test_a_layer_that_does_not_end_is_late_and_the_others_count(
    layers: dict[str, Look], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "GRACE_SECONDS", 0.2)
    end = threading.Event()
    layers["dns"] = lambda record: end.wait(30) and None  # type: ignore[func-returns-value]
    layers["hosts"] = lambda record: record.fail("h", urn="u", fix="f")
    began = time.monotonic()
    found = drift(timeout=0.3)
    end.set()
    assert time.monotonic() - began < 10
    assert found.verdict.code is ExitCode.TIMEOUT
    assert any("time ran out" in finding.message for finding in found.findings)
    assert any(finding.message == "h" for finding in found.failures)


def test_an_interrupt_ends_it(layers: dict[str, Look], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "GRACE_SECONDS", 0.2)
    stopped, end = threading.Event(), threading.Event()
    layers["dns"] = lambda record: end.wait(30) and None  # type: ignore[func-returns-value]
    threading.Timer(0.2, stopped.set).start()
    with pytest.raises(CancelledError) as raised:
        drift(stopped=stopped)
    end.set()
    assert raised.value.exit_code == ExitCode.CANCELLED


def test_a_stack_that_is_being_changed_is_refused(
    layers: dict[str, Look], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = Lock(tmp_path / "lock.json", 1, "root", "elsewhere", NOW)
    monkeypatch.setattr(engine, "backend_url", lambda: f"file://{tmp_path}")
    monkeypatch.setattr(locks, "read_locks", lambda backend, stack: [lock])
    with pytest.raises(LockedError, match="is being changed"):
        drift()


def test_an_invalid_stack_file_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.lab.yaml").write_text("config: {crossmesh:environment: {}}\n")
    with pytest.raises(ConfigurationError):
        run.drift(tmp_path, "lab", run.DriftOptions(now=NOW), quiet)
