"""The JUnit report says the same as the exit code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from report.examination import Examination, Verdict
from report.exit_codes import ExitCode
from report.formats import junit
from report.model import Finding, Severity, Status
from tests.unit.report.formats import samples


def tree(*examinations: Examination) -> Any:
    """The report, read back."""
    return etree.fromstring(junit.render(list(examinations)).encode())


def case(examination: Examination, name: str) -> Any:
    """The one case of a name."""
    (found,) = tree(examination).xpath(f"//testcase[@name='{name}']")
    return found


@pytest.mark.parametrize(
    "made",
    [
        samples.rich,
        samples.empty,
        samples.failed,
        samples.invalid,
        samples.drift,
        samples.unmeasured,
        samples.hostile,
        samples.huge,
    ],
)
def test_there_is_a_failure_if_and_only_if_the_exit_code_is_not_zero(made: Any) -> None:
    examination = made()
    root = tree(examination)
    assert bool(root.xpath("//failure")) == (examination.verdict.code is not ExitCode.CLEAN)
    for suite in root:
        assert int(suite.get("tests")) == len(suite)
        assert int(suite.get("failures")) == len(suite.xpath("testcase/failure"))
        assert int(suite.get("skipped")) == len(suite.xpath("testcase/skipped"))
    assert int(root.get("failures")) == len(root.xpath("//failure"))
    names = [(found.get("classname"), found.get("name")) for found in root.iter("testcase")]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("code", [code for code in ExitCode if code is not ExitCode.CLEAN])
def test_a_verdict_that_no_rule_tells_of_fails_by_itself(code: ExitCode) -> None:
    found = case(replace(samples.empty(), verdict=Verdict(code, "because")), "verdict")
    assert found.find("failure").get("message") == "because"


def test_suites_are_stacks_and_families() -> None:
    names = [suite.get("name") for suite in tree(samples.rich(), samples.empty())]
    assert names == [
        "lab: change",
        "lab: declaration",
        "lab: layer",
        "lab: pack:acme",
        "lab: policy",
        "lab: schema",
        "lab: verdict",
        "staging: verdict",
    ]


def test_a_failure_says_what_where_and_how_to_mend_it() -> None:
    found = case(samples.rich(), "replicas: kubernetes:apps/v1:Deployment::eu-asset-mgr-ms-svc")
    assert found.get("classname") == "gate.lab.policy"
    failure = found.find("failure")
    assert failure.get("message") == "asset-mgr-ms-svc is exposed and has 1 replica"
    assert "at stacks/Pulumi.lab.yaml:103" in failure.text
    assert "fix: Set applications.asset-mgr-ms-svc.replicas to 2." in failure.text


def test_what_is_waived_or_not_measurable_is_skipped_with_its_reason() -> None:
    rich = samples.rich()
    waived = case(rich, "no-privileged: kubernetes:apps/v1:DaemonSet::eu-pod-network").find("skipped")
    assert waived.get("message") == "waived by network team until 2026-12-31: BIRD sets routes of its host"
    unseen = case(rich, "valid: kubernetes:gateway.networking.k8s.io/v1:Gateway::eu-public").find("skipped")
    assert unseen.get("message").startswith("not measurable: ")


def test_passes_are_cases_and_warnings_do_not_fail() -> None:
    rich = samples.rich()
    assert len(case(rich, "valid: kubernetes:apps/v1:Deployment::eu-asset-mgr-ms-svc")) == 0
    warned = case(rich, "image-pinned: kubernetes:apps/v1:Deployment::eu-asset-mgr-ms-svc")
    assert warned.find("failure") is None
    assert warned.find("system-out").text.startswith("warning: ")


def test_several_findings_on_one_resource_are_one_case() -> None:
    urn = samples.urn("kubernetes:apps/v1:Deployment", "web")
    found = tuple(Finding("policy/a", Status.FAIL, words, Severity.ERROR, urn) for words in ("one", "two"))
    examination = replace(samples.rich(), findings=found, rules=())
    failure = case(examination, "a: kubernetes:apps/v1:Deployment::web").find("failure")
    assert "error: one" in failure.text and "error: two" in failure.text


def test_resources_of_one_name_are_told_apart() -> None:
    urns = [samples.urn("k:a:B", "web", parent) for parent in ("x:y:One", "x:y:Two")]
    found = tuple(Finding("policy/a", Status.FAIL, "m", urn=urn) for urn in urns)
    names = tree(replace(samples.rich(), findings=found)).xpath(
        "//testcase[@classname='gate.lab.policy']/@name"
    )
    assert {f"a: {urn}" for urn in urns} <= set(names)


def test_rules_without_findings_are_passed() -> None:
    examination = replace(samples.rich(), findings=())
    assert len(case(examination, "image-pinned")) == 0
