"""What the engine says of users' packs. The events are as engine 3.250 writes them."""

from __future__ import annotations

from typing import Any

import pytest

from gate.rules.user_packs import examine, failed_by_packs
from report.model import Finding, Severity, Status

URN = "urn:pulumi:lab::crossmesh::kubernetes:core/v1:ConfigMap::eu.shop.settings"
COMMON = {"policyPackName": "acme", "policyPackVersion": "2.0.0", "policyPackVersionTag": "2.0.0"}


def violation(
    level: str = "mandatory", message: str = "Config maps are out\na config map\n", **more: Any
) -> Any:
    found = {"resourceUrn": URN, "message": message, "color": "never", "policyName": "no-maps", **COMMON}
    return {"policyEvent": {**found, "enforcementLevel": level, **more}}


def summary(kind: str = "policyAnalyzeSummaryEvent", **names: list[str]) -> Any:
    return {kind: {"resourceUrn": URN, **COMMON, **names}}


def created(outputs: dict[str, Any]) -> Any:
    new = {"type": "kubernetes:core/v1:ConfigMap", "custom": True, "outputs": outputs}
    return {"resourcePreEvent": {"metadata": {"op": "create", "type": new["type"], "urn": URN, "new": new}}}


def only(*events: Any) -> Finding:
    _, (found,) = examine(events)
    return found


@pytest.mark.parametrize(
    ("level", "severity"), [("mandatory", Severity.ERROR), ("advisory", Severity.WARNING)]
)
def test_a_violation_is_as_bad_as_its_level(level: str, severity: Severity) -> None:
    found = only(violation(level))
    assert (found.rule, found.status, found.severity) == ("pack:acme/no-maps", Status.FAIL, severity)
    assert (found.message, found.urn) == ("a config map", URN)


def test_the_rules_title_is_the_policys_description() -> None:
    (rule,), _ = examine([violation("advisory")])
    assert (rule.title, rule.severity, rule.family) == ("Config maps are out", Severity.WARNING, "pack:acme")


def test_a_policy_that_ran_and_said_nothing_passed() -> None:
    found = only(summary(passed=["no-maps"]))
    assert (found.status, found.urn) == (Status.PASS, "")


def test_one_that_failed_once_has_not_passed_for_others() -> None:
    assert only(summary(passed=["no-maps"]), violation(), summary(failed=["no-maps"])).status is Status.FAIL


@pytest.mark.parametrize("what", ["policy", "remediation"])
def test_a_value_that_is_not_known_is_no_violation_and_no_pass(what: str) -> None:
    words = f"can't run {what} 'no-maps' from policy pack 'acme@v0.0.1' during preview: "
    why = "string value at .data.a can't be known during preview\n"
    found = only(violation("advisory", words + why), summary(failed=["no-maps"]))
    assert found.status is Status.NOT_MEASURABLE
    # Which of several values a policy asks for first differs from run to run.
    assert ".data.a" not in found.message


def test_a_policy_that_changes_resources_is_told_of() -> None:
    remedy = {
        "policyRemediationEvent": {"resourceUrn": URN, "policyName": "team-label", **COMMON, "before": {}}
    }
    found = only(remedy, summary("policyRemediateSummaryEvent", passed=["team-label"]))
    assert (found.rule, found.status, found.severity) == ("pack:acme/team-label", Status.FAIL, Severity.NOTE)


def test_policies_over_a_stack_do_not_see_what_has_no_outputs() -> None:
    whole = summary("policyAnalyzeStackSummaryEvent", passed=["budgets"])
    assert only(created({"metadata": {}}), whole).status is Status.PASS
    found = only(created({}), whole)
    assert found.status is Status.NOT_MEASURABLE
    assert "1 Kubernetes objects" in found.message


def test_the_projects_own_pack_is_left_to_the_gate() -> None:
    events = [violation(policyPackName="crossmesh"), summary(passed=["x"])]
    events[1]["policyAnalyzeSummaryEvent"]["policyPackName"] = "crossmesh"
    assert examine(events) == ((), ())


def failure(message: str, severity: str = "error") -> Any:
    return {"diagnosticEvent": {"message": message, "severity": severity}}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([violation(), failure("preview failed\n")], True),
        ([violation("advisory"), failure("preview failed\n")], False),
        ([violation(), failure("preview failed\n"), failure("the program failed\n")], False),
        ([failure("preview failed\n")], False),
        ([violation(), failure("DeprecationWarning: hello\n", "info#err")], True),
        ([violation(), failure("KeyboardInterrupt\n", "info#err"), failure("preview failed\n")], True),
        ([violation(), failure("error: the program failed:\n", "info#err")], False),
    ],
)
def test_a_preview_that_only_a_policy_failed_is_a_preview(events: list[Any], expected: bool) -> None:
    assert failed_by_packs(events) is expected
