"""Waivers over findings."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gate.rules.waivers import CURRENT, RULES, USED, VALID, apply
from report.model import Finding, Place, Severity, Status

URN = "urn:pulumi:lab::crossmesh::kubernetes:apps/v1:Deployment::eu.shop.web"
TODAY = date(2026, 11, 24)
WAIVER = """\
- rule: {rule}
  resource: {resource}
  stack: {stack}
  owner: shop-team
  reason: the supplier publishes no other tag
  expires: {expires}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policies" / "waivers.yaml"
    path.parent.mkdir()
    return path


def text(
    rule: str = "policy/images-pinned",
    resource: str = "eu.shop.*",
    stack: str = "lab",
    expires: str = "2027-05-31",
) -> str:
    return WAIVER.format(rule=rule, resource=resource, stack=stack, expires=expires)


def failure(rule: str = "policy/images-pinned", urn: str = URN, status: Status = Status.FAIL) -> Finding:
    return Finding(rule, status, "words", urn=urn)


def applied(
    file: Path, *findings: Finding, today: date = TODAY
) -> tuple[list[Finding], dict[str, list[Finding]]]:
    """The findings afterwards, and what is said of the waivers, by rule."""
    found = apply(findings, file, stack="lab", urns=[URN], today=today)
    about = found[len(findings) :]
    return list(found[: len(findings)]), {
        rule.id: [each for each in about if each.rule == rule.id] for rule in RULES
    }


def test_without_a_file_nothing_is_waived_and_all_is_well(file: Path) -> None:
    (finding,), about = applied(file, failure())
    assert finding.status is Status.FAIL
    assert all([each.status for each in found] == [Status.PASS] for found in about.values())


def test_a_failure_that_is_covered_is_waived_with_who_and_why(file: Path) -> None:
    file.write_text(text())
    (finding,), about = applied(file, failure())
    assert finding.status is Status.WAIVED
    assert finding.waiver is not None
    assert (finding.waiver.owner, finding.waiver.place) == ("shop-team", Place("policies/waivers.yaml", 1))
    assert all([each.status for each in found] == [Status.PASS] for found in about.values())


@pytest.mark.parametrize(
    ("rule", "urn", "stack"),
    [
        ("policy/two-replicas", URN, "lab"),
        ("policy/images-pinned", URN.replace("eu.", "us."), "lab"),
        ("policy/images-pinned", URN, "staging"),
    ],
)
def test_another_rule_resource_or_stack_is_not_covered(rule: str, urn: str, stack: str, file: Path) -> None:
    file.write_text(text(stack=stack))
    (finding,), _ = applied(file, failure(rule, urn))
    assert finding.status is Status.FAIL


def test_what_could_not_be_measured_is_not_waived(file: Path) -> None:
    file.write_text(text())
    (finding,), _ = applied(file, failure(status=Status.NOT_MEASURABLE))
    assert finding.status is Status.NOT_MEASURABLE


@pytest.mark.parametrize(
    ("today", "status", "severity"),
    [
        ("2027-05-16", Status.WAIVED, None),
        ("2027-05-17", Status.WAIVED, Severity.WARNING),
        ("2027-05-31", Status.WAIVED, Severity.WARNING),
        ("2027-06-01", Status.FAIL, Severity.ERROR),
    ],
)
def test_an_end_is_warned_of_and_then_holds(
    today: str, status: Status, severity: Severity | None, file: Path
) -> None:
    file.write_text(text())
    (finding,), about = applied(file, failure(), today=date.fromisoformat(today))
    assert finding.status is status
    (current,) = about[CURRENT.id]
    if severity is None:
        assert current.status is Status.PASS
    else:
        assert (current.status, current.severity) == (Status.FAIL, severity)
        assert "shop-team" in current.message
        assert "2027-05-31" in current.message
        assert current.place == Place("policies/waivers.yaml", 1)


def test_one_for_all_stacks_is_not_told_to_go_by_a_stack_that_has_nothing_of_it(file: Path) -> None:
    file.write_text(text(resource="*.other", stack="'*'"))
    _, about = applied(file)
    assert [each.status for each in about[USED.id]] == [Status.PASS]
    file.write_text(text(stack="'*'"))
    _, about = applied(file)
    assert [each.status for each in about[USED.id]] == [Status.FAIL]


def test_one_that_waives_nothing_is_noted_with_its_line(file: Path) -> None:
    file.write_text(text() + text("policy/two-replicas"))
    _, about = applied(file, failure())
    (used,) = about[USED.id]
    assert (used.severity, used.place) == (Severity.NOTE, Place("policies/waivers.yaml", 7))


@pytest.mark.parametrize("stack", ["staging", "prod*"])
def test_one_for_other_stacks_is_not_this_ones_matter(stack: str, file: Path) -> None:
    file.write_text(text(stack=stack, expires="2026-01-01"))
    _, about = applied(file)
    assert all([each.status for each in found] == [Status.PASS] for found in about.values())


def test_what_is_wrong_with_the_file_stops_the_change(file: Path) -> None:
    file.write_text(text().replace("owner", "ownr") + text("policy/two-replicas"))
    _, about = applied(file, failure("policy/two-replicas"))
    assert {(each.status, each.severity) for each in about[VALID.id]} == {(Status.FAIL, Severity.ERROR)}
    assert {each.place for each in about[VALID.id]} == {
        Place("policies/waivers.yaml", 1),
        Place("policies/waivers.yaml", 4),
    }
    assert all(each.message.startswith("waiver 1, ") for each in about[VALID.id])


def test_a_file_that_is_no_list_is_said_to_be(file: Path) -> None:
    file.write_text("waivers: []\n")
    _, about = applied(file)
    (valid,) = about[VALID.id]
    assert valid.message.startswith("the file: got a mapping; ")
