"""The last look before the first write. A script stands for the engine here."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gate.seal.rehearse import differences, drifted, rehearse
from gate.seal.sealed import SealedChange, sealed_change
from gate.workspace import InPlace, Workspace
from report.errors import AuthenticationError, DeadlineError, PreviewError, StaleError
from report.model import Op
from tests.unit.gate.seal.support import HASH, change, urn

IDENTITY = urn("eu.identity", "crossmesh:kubernetes:ClusterIdentity")
SUCCEEDED = {"summaryEvent": {"result": "succeeded"}}
FAILED = {"summaryEvent": {"result": "failed"}}
Engine = Callable[..., InPlace]


@pytest.fixture(autouse=True)
def not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gate.preview._interrupted", threading.Event())


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A function that gives `pulumi` the events of its commands, by name; a command without any fails."""

    def make(words: str = "", **commands: list[dict[str, Any]]) -> InPlace:
        programs = tmp_path / "bin"
        programs.mkdir(exist_ok=True)
        for name, events in commands.items():
            (programs / f"{name}.events").write_text("".join(f"{json.dumps(event)}\n" for event in events))
        (programs / "pulumi").write_text(
            f'#!/bin/sh\necho "$*" >> {programs}/calls\necho "{words}" >&2\n'
            f"cat {programs}/$3.events && grep -q succeeded {programs}/$3.events\n"
        )
        (programs / "pulumi").chmod(0o755)
        environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
        workspace = Workspace(tmp_path, "lab", environment)
        return InPlace(workspace, tmp_path / "config.yaml", tmp_path / "plan.json")

    return make


def begun(op: str, name: str, v: str = "1") -> dict[str, Any]:
    state = {"type": "kubernetes:core/v1:ConfigMap", "urn": urn(name), "inputs": {"data": {"v": v}}}
    metadata = {"op": op, "urn": urn(name), "old": None if op == "create" else state, "new": state}
    return {"resourcePreEvent": {"metadata": metadata}}


def refreshed(op: str, name: str, *paths: str) -> dict[str, Any]:
    detail = {path: {"diffKind": "update"} for path in paths}
    return {"resOutputsEvent": {"metadata": {"op": op, "urn": urn(name), "detailedDiff": detail, "old": {}}}}


def said(message: str, severity: str, where: str = "") -> dict[str, Any]:
    return {"diagnosticEvent": {"message": message, "severity": severity, "urn": where}}


def look(place: InPlace, *sealed: SealedChange, timeout: float = 30) -> Any:
    return rehearse(place, sealed, timeout=timeout, on_event=lambda event: None)


UPDATE = sealed_change(change("a", Op.UPDATE))
CREATE = sealed_change(change("b", Op.CREATE))


def test_the_changes_that_were_sealed_are_let_pass_and_only_what_they_touch_is_read(engine: Engine) -> None:
    place = engine(
        preview=[begun("update", "a"), begun("create", "b"), begun("same", "c"), SUCCEEDED],
        refresh=[refreshed("same", "a"), SUCCEEDED],
    )
    found = look(place, UPDATE, CREATE)
    assert [change.urn for change in found.changes] == [urn("a"), urn("b")]
    _, refresh = (place.workspace.directory / "bin" / "calls").read_text().splitlines()
    assert "refresh --preview-only" in refresh
    assert f"--target {urn('a')}" in refresh
    assert urn("b") not in refresh
    assert f"--config-file {place.config_file}" in refresh


def test_what_is_only_created_needs_no_look_at_what_is_there(engine: Engine) -> None:
    assert look(engine(preview=[begun("create", "b"), SUCCEEDED]), CREATE).changes


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([begun("update", "a"), begun("create", "b")], "create kubernetes:core/v1:ConfigMap::b"),
        ([], "was sealed, and does not come about"),
        ([begun("create", "a")], "sealed is update"),
        ([begun("update", "a", "2")], "with other inputs than were sealed"),
    ],
)
def test_other_changes_than_were_sealed_are_refused_and_named(
    engine: Engine, events: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(StaleError, match="not the ones that were sealed") as caught:
        look(engine(preview=[*events, SUCCEEDED]), UPDATE)
    assert words in caught.value.message


def test_all_differences_are_told_in_order() -> None:
    other = replace(CREATE, urn=urn("c"), inputs=HASH)
    found = differences([UPDATE, CREATE], [replace(UPDATE, op=Op.DELETE), other])
    assert [line.partition(" (")[0] for line in found] == [
        "delete kubernetes:core/v1:ConfigMap::a",
        "create kubernetes:core/v1:ConfigMap::b",
        "create kubernetes:core/v1:ConfigMap::c",
    ]


def test_what_others_changed_is_not_written_over(engine: Engine) -> None:
    place = engine(
        preview=[begun("update", "a"), SUCCEEDED],
        refresh=[refreshed("update", "a", "spec.replicas", "spec.image"), SUCCEEDED],
    )
    with pytest.raises(StaleError, match=r"edited: spec\.image, spec\.replicas"):
        look(place, UPDATE)


def test_what_others_removed_is_told(engine: Engine) -> None:
    place = engine(preview=[begun("update", "a"), SUCCEEDED], refresh=[refreshed("delete", "a"), SUCCEEDED])
    with pytest.raises(StaleError, match="not there any more"):
        look(place, UPDATE)


def test_what_others_changed_is_clearer_than_what_the_cluster_says_of_it(engine: Engine) -> None:
    place = engine(
        preview=[said("Apply failed with 1 conflict", "error", urn("a")), FAILED],
        refresh=[refreshed("update", "a", "spec.image"), SUCCEEDED],
    )
    with pytest.raises(StaleError, match=r"spec\.image"):
        look(place, UPDATE)


def test_a_failure_that_nobody_caused_is_told_as_it_is(engine: Engine) -> None:
    place = engine(
        preview=[said("admission refused", "error", urn("a")), FAILED],
        refresh=[refreshed("same", "a"), SUCCEEDED],
    )
    with pytest.raises(PreviewError, match="admission refused"):
        look(place, UPDATE)


def test_a_program_that_fails_says_why(engine: Engine) -> None:
    place = engine(preview=[said("KeyError: 'ingress'", "info#err"), FAILED], refresh=[SUCCEEDED])
    with pytest.raises(PreviewError, match="KeyError: 'ingress'"):
        look(place, UPDATE)


def test_a_cluster_that_cannot_be_reached_is_named_and_nothing_of_it_is_read(engine: Engine) -> None:
    message = "not measurable: cluster eu: after 3 s of waiting: https://10.0.0.1:6443 cannot be reached"
    place = engine(preview=[said(message, "warning", IDENTITY), begun("update", "a"), SUCCEEDED])
    heard: list[Any] = []
    with pytest.raises(PreviewError, match="cannot be reached:\n  cluster eu") as caught:
        rehearse(place, [UPDATE], timeout=30, on_event=heard.append)
    assert caught.value.exit_code == 4
    # The engine is not waited for: each object of such a cluster would take it half a minute.
    assert not any("resourcePreEvent" in event for event in heard)


def test_another_cluster_is_refused_and_nothing_in_it_counts_as_gone(engine: Engine) -> None:
    message = "cluster eu: another cluster answers than the one of this stack"
    place = engine(
        preview=[said(message, "error", IDENTITY), FAILED], refresh=[refreshed("delete", "a"), SUCCEEDED]
    )
    with pytest.raises(PreviewError, match="another cluster answers"):
        look(place, UPDATE)


def test_what_cannot_be_read_is_not_taken_for_gone(engine: Engine) -> None:
    place = engine(
        preview=[begun("update", "a"), SUCCEEDED],
        refresh=[said("connection refused", "error", urn("a")), refreshed("delete", "a"), FAILED],
    )
    with pytest.raises(PreviewError, match="connection refused"):
        look(place, UPDATE)


def test_a_missing_passphrase_is_told_as_such(engine: Engine) -> None:
    with pytest.raises(AuthenticationError, match="incorrect passphrase"):
        look(engine("error: get stack secrets manager: incorrect passphrase", preview=[]), UPDATE)


def test_the_time_ends_a_look_that_hangs(engine: Engine) -> None:
    place = engine(preview=[])
    (place.workspace.directory / "bin" / "pulumi").write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(DeadlineError):
        look(place, UPDATE, timeout=0.2)


def test_only_what_the_plan_touches_counts() -> None:
    events = [refreshed("update", "z", "spec"), refreshed("same", "a"), refreshed("refresh", "b")]
    assert drifted(events, frozenset({urn("a"), urn("b")})) == ()
