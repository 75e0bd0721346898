"""The JSON report says everything, for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from report.formats import document
from report.formats.text import plain
from report.model import SECRET, UNKNOWN
from tests.lab import promises
from tests.unit.report.formats import samples


def report(*examinations: Any) -> dict[str, Any]:
    """The report, read back."""
    found: dict[str, Any] = json.loads(document.render(list(examinations)))
    return found


def test_the_exit_code_is_that_of_the_worst_stack() -> None:
    found = report(samples.rich(), samples.empty(), samples.drift())
    assert found["exitCode"] == 5
    assert [stack["exitCode"] for stack in found["stacks"]] == [5, 0, 7]
    assert found["stacks"][0]["verdict"]["name"] == "policy"


def test_a_change_has_both_sides_and_its_reach() -> None:
    (stack,) = report(samples.rich())["stacks"]
    first = stack["changes"][0]
    assert first["op"] == "replace" and first["risk"] == "destructive"
    assert first["blast"] == {"clusters": ["eu"], "nodes": [], "hosts": [], "traffic": None}
    assert first["old"]["inputs"]["spec.replicas"] == 3 and first["new"]["inputs"]["spec.replicas"] == 5
    assert first["properties"][0]["replaces"] is True
    assert first["declared"] == {"file": "stacks/Pulumi.lab.yaml", "line": 118}
    created = next(change for change in stack["changes"] if change["op"] == "create")
    assert created["old"] is None


def test_what_is_no_value_can_be_told_apart() -> None:
    found = report(samples.rich())
    assert found["markers"] == {"unknown": UNKNOWN, "secret": SECRET}
    secret = next(change for change in found["stacks"][0]["changes"] if "remote-secret" in change["name"])
    assert secret["properties"] == [
        {"path": "stringData.us", "old": SECRET, "new": UNKNOWN, "replaces": False}
    ]


def test_what_the_gate_promised_can_be_held_against_what_was_done(tmp_path: Path) -> None:
    file = tmp_path / "gate.json"
    file.write_text(document.render([samples.empty(), samples.rich()]))
    promised = promises.of_report(file, "lab")
    assert promised == promises.of_changes(samples.rich().changes)
    assert promises.broken(promised, promised) == []


def test_keys_are_sorted_and_each_change_has_its_line() -> None:
    text = document.render([samples.rich()])
    lines = [line for line in text.splitlines() if '"urn": "urn:pulumi:lab::' in line and '"blast"' in line]
    assert len(lines) == len(samples.rich().changes.changes)

    def check(found: Any) -> None:
        if isinstance(found, dict):
            assert list(found) == sorted(found)
            for value in found.values():
                check(value)
        elif isinstance(found, list):
            for value in found:
                check(value)

    check(json.loads(text))


def test_the_schema_says_of_every_key_of_a_finding_what_it_is() -> None:
    findings = json.loads(document.reference())["$defs"]["Finding"]["properties"]
    unsaid = [key for key, value in findings.items() if "description" not in value and "$ref" not in value]
    assert unsaid == []


def test_the_layout_loses_nothing() -> None:
    for made in (samples.rich, samples.hostile, samples.failed):
        examination = made()
        expected = json.loads(json.dumps(document.document([examination]), default=plain))
        assert report(examination) == expected
