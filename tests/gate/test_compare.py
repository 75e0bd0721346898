"""The comparison with what is expected lets nothing pass that is missing or too much."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.model import (
    Against,
    Blast,
    Change,
    ChangeSet,
    Finding,
    Layer,
    Op,
    Place,
    PropertyChange,
    Resource,
    Risk,
    Row,
    Severity,
    Status,
)
from tests.gate.cases import Expected, ExpectedFinding
from tests.gate.compare import differences

URN = "urn:pulumi:lab::crossmesh::crossmesh:components:Region$kubernetes:apps/v1:Deployment::eu.shop"
NODE = URN.replace("kubernetes:apps/v1:Deployment::eu.shop", "crossmesh:hosts:HostPhase::eu-1.join")
FINDING = Finding(
    "policy/images-pinned",
    Status.FAIL,
    "it runs shop:latest",
    urn=URN,
    place=Place("stacks/Pulumi.lab.yaml", 2),
    fix="write a tag",
)


def change(op: Op, urn: str, risk: Risk = Risk.ORDINARY) -> Change:
    resource = Resource(urn, urn.split("::")[2].rpartition("$")[2], urn.rpartition("::")[2], {})
    return Change(
        op,
        urn,
        resource,
        None if op is Op.DELETE else resource,
        (PropertyChange("spec.replicas", 1, 2),),
        risk=risk,
        blast=Blast(("eu",), ("eu-1",), (), 0.5),
    )


EXAMINATION = Examination(
    stack="lab",
    verb="gate",
    verdict=Verdict(ExitCode.POLICY, "1 finding against the change: policy/images-pinned."),
    changes=ChangeSet(Against.BASE, (change(Op.DELETE, NODE, Risk.DESTRUCTIVE), change(Op.UPDATE, URN)), ()),
    layers=(Layer("dns", "DNS", (Row("a A", "one", "two"), Row("b A", "same", "same"))),),
    rules=(),
    findings=(FINDING, Finding("schema/valid", Status.PASS, "")),
    producer=Producer("0", "3", "", False),
)
EXPECTED: dict[str, Any] = {
    "exit": 5,
    "verdict": "policy/images-pinned",
    "findings": [
        {"rule": "policy/images-pinned", "resource": "Deployment::eu.*", "message": "latest", "at": "image:"}
    ],
    "changes": [
        {
            "op": "delete",
            "resource": "HostPhase::eu-1.join",
            "risk": "destructive",
            "clusters": ["eu"],
            "nodes": ["eu-1"],
            "traffic": 0.5,
        },
        {"op": "update", "resource": "*", "properties": {"spec.replicas": 2}},
    ],
    "rows": [{"layer": "dns", "key": "a *", "before": "one", "after": "two"}],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.lab.yaml").write_text("config:\n  image: shop:latest\n")
    return tmp_path


def lines(root: Path, found: Examination = EXAMINATION, /, **other: Any) -> list[str]:
    return differences(Expected.model_validate({**EXPECTED, **other}), (), found, root)


def test_what_is_as_expected_has_no_differences(root: Path) -> None:
    assert lines(root) == []


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"exit": 10}, "exit code 5 instead of 10"),
        ({"verdict": "clean"}, "verdict without 'clean'"),
        ({"findings": []}, "unexpected finding: rule: policy/images-pinned"),
        ({"rows": [{"layer": "dns", "key": "b A", "before": "same", "after": "same"}]}, "missing row"),
        ({"rows": [{"layer": "dns", "key": "a A", "before": None, "after": "two"}]}, "missing row"),
    ],
)
def test_each_difference_is_told(other: dict[str, Any], said: str, root: Path) -> None:
    (line,) = lines(root, **other)
    assert line.startswith(said)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rule", "policy/other"),
        ("status", "waived"),
        ("severity", "warning"),
        ("resource", ""),
        ("resource", "Service::*"),
        ("message", "stable"),
        ("fix", "other"),
        ("at", "replicas:"),
        ("times", 2),
    ],
)
def test_a_finding_must_fit_in_everything(key: str, value: Any, root: Path) -> None:
    found = lines(root, findings=[{**EXPECTED["findings"][0], key: value}])
    assert any(line.startswith("missing finding") for line in found)


@pytest.mark.parametrize(
    ("index", "key", "value"),
    [
        (0, "op", "update"),
        (0, "resource", "HostPhase::eu-2.join"),
        (0, "risk", "traffic"),
        (0, "approved", True),
        (0, "clusters", []),
        (0, "nodes", []),
        (0, "hosts", ["eu-1"]),
        (0, "traffic", 1.0),
        (0, "why", "because"),
        (1, "times", 2),
        (1, "properties", {"spec.replicas": 3}),
    ],
)
def test_a_change_must_fit_in_everything(index: int, key: str, value: Any, root: Path) -> None:
    changes = [dict(entry) for entry in EXPECTED["changes"]]
    changes[index][key] = value
    assert any(line.startswith("missing change") for line in lines(root, changes=changes))


def test_a_destructive_change_is_not_expected_by_accident(root: Path) -> None:
    (missing, unexpected) = lines(
        root, changes=[{"op": "delete", "resource": "*"}, {"op": "update", "resource": "*"}]
    )
    assert missing.startswith("missing change")
    assert unexpected.startswith("unexpected change: op: delete, resource: HostPhase::eu-1.join")


def test_a_second_finding_is_one_too_many(root: Path) -> None:
    twice = replace(EXAMINATION, findings=(FINDING, FINDING))
    (line,) = lines(root, twice)
    assert line.startswith("unexpected finding")


def test_what_the_base_has_by_itself_need_not_be_repeated(root: Path) -> None:
    standing = ExpectedFinding(rule="policy/pods", severity=Severity.WARNING, resource="Deployment::*")
    known = Finding("policy/pods", Status.FAIL, "", Severity.WARNING, urn=URN)
    found = replace(EXAMINATION, findings=(FINDING, known))
    assert differences(Expected.model_validate(EXPECTED), (standing,), found, root) == []
    assert lines(root, found)
