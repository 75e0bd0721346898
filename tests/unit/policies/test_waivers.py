"""The file of waivers: what is accepted, what is refused with its line, and what a waiver covers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from policies.waivers import covers, read, waiver_of
from report.model import Place, Waiver
from report.urns import names_of
from stacks.errors import Problem
from stacks.load import PROJECT

URN = "urn:pulumi:lab::crossmesh::a:b:Platform$kubernetes:apps/v1:Deployment::eu.shop.web"
GOOD = """\
- rule: policy/images-pinned
  resource: kubernetes:apps/v1:Deployment::*-shop-*
  stack: lab
  owner: shop-team
  reason: the supplier publishes no other tag until spring
  expires: 2027-05-31
"""


def parsed(text: str, tmp_path: Path) -> tuple[tuple[Waiver, ...], tuple[Problem, ...]]:
    file = tmp_path / "policies" / "waivers.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return read(file, tmp_path)


def test_a_waiver_is_read_with_its_line(tmp_path: Path) -> None:
    waivers, problems = parsed(f"# Reviewed.\n{GOOD}{GOOD.replace('stack: lab', 'stack: x')}", tmp_path)
    assert problems == ()
    assert [(found.stack, found.place) for found in waivers] == [
        ("lab", Place("policies/waivers.yaml", 2)),
        ("x", Place("policies/waivers.yaml", 8)),
    ]
    assert waivers[0].expires == date(2027, 5, 31)


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]\n"])
def test_there_may_be_none(text: str, tmp_path: Path) -> None:
    assert parsed(text, tmp_path) == ((), ())
    assert read(tmp_path / "no" / "file", tmp_path) == ((), ())


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("  owner: shop-team\n", "", 1, "owner"),
        ("  expires: 2027-05-31\n", "", 1, "expires"),
        ("reason: the supplier publishes no other tag until spring", "reason: later", 5, "later"),
        ("owner: shop-team", "owner: ''", 4, "nothing"),
        ("expires: 2027-05-31", "expires: next year", 6, "next year"),
        ("expires: 2027-05-31", "expires: 2027-02-30", 6, "2027-02-30"),
        ("expires: 2027-05-31", "expires: 20270531", 6, "20270531"),
        ("expires: 2027-05-31", "expires: 2027-05-31T00:00:00Z", 6, "2027-05-31"),
        ("owner: shop-team", "ownr: shop-team", 4, "the key ownr"),
        ("rule: policy/images-pinned", "rule: '*'", 1, "*"),
        ("rule: policy/images-pinned", "rule: p*/images-pinned", 1, "p*/images-pinned"),
        ("rule: policy/images-pinned", "rule: engine/preview", 1, "engine/preview"),
        ("rule: policy/images-pinned", "rule: declaration/*", 1, "declaration/*"),
        ("rule: policy/images-pinned", "rule: waiver/current", 1, "waiver/current"),
        ("rule: policy/images-pinned", "rule: [policy/images-pinned]", 1, "a list"),
        ("stack: lab", "stack: 7", 3, "7"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_waives_nothing(
    old: str, new: str, line: int, words: str, tmp_path: Path
) -> None:
    assert old in GOOD
    waivers, problems = parsed(GOOD.replace(old, new) + GOOD, tmp_path)
    assert len(waivers) == 1
    found = [problem for problem in problems if words in problem.got or words in problem.rule]
    assert {problem.line for problem in found} == {line}
    assert all(problem.fix for problem in found)


@pytest.mark.parametrize(
    "text", ["rule: policy/x\n", "- policy/x\n", "- [a]\n", "- rule: [\n", "\t- rule: x\n"]
)
def test_another_shape_is_one_problem_and_no_crash(text: str, tmp_path: Path) -> None:
    waivers, problems = parsed(text, tmp_path)
    assert waivers == ()
    assert len(problems) == 1


def test_a_key_that_stands_twice_waives_nothing(tmp_path: Path) -> None:
    waivers, problems = parsed(GOOD + "  owner: another-team\n", tmp_path)
    assert waivers == ()
    assert [problem.line for problem in problems] == [7]


def waiver(expires: str = "2027-05-31", **more: str) -> Waiver:
    found = {
        "rule": "policy/images-pinned",
        "resource": "*",
        "stack": "*",
        "owner": "team",
        "reason": "r",
    } | more
    return Waiver(**found, expires=date.fromisoformat(expires), place=Place("f", 1))


@pytest.mark.parametrize(
    ("more", "covered"),
    [
        ({}, True),
        ({"rule": "policy/*"}, True),
        ({"rule": "policy/images"}, False),
        ({"resource": "eu.shop.web"}, True),
        ({"resource": "eu.*"}, True),
        ({"resource": "us.*"}, False),
        ({"resource": "kubernetes:apps/v1:Deployment::eu.shop.web"}, True),
        ({"resource": "kubernetes:apps/v1:StatefulSet::*"}, False),
        ({"resource": URN}, True),
        ({"stack": "lab"}, True),
        ({"stack": "prod*"}, False),
    ],
)
def test_patterns_mean_rules_resources_and_stacks(more: dict[str, str], covered: bool) -> None:
    assert covers(waiver(**more), "policy/images-pinned", URN, "lab") is covered


def test_what_is_no_resource_is_covered_by_an_asterisk_alone() -> None:
    assert covers(waiver(rule="change/*"), "change/address-room", "", "lab")
    assert not covers(waiver(rule="change/*", resource="eu*"), "change/address-room", "", "lab")


@pytest.mark.parametrize(("today", "holds"), [("2027-05-31", True), ("2027-06-01", False)])
def test_the_last_day_is_included(today: str, holds: bool) -> None:
    found = waiver_of([waiver()], "policy/images-pinned", URN, "lab", date.fromisoformat(today))
    assert (found is not None) is holds


def test_of_several_the_one_that_ends_last_counts() -> None:
    found = waiver_of(
        [waiver("2027-01-01"), waiver("2027-03-01"), waiver("2027-02-01")],
        "policy/images-pinned",
        URN,
        "lab",
        date(2026, 12, 1),
    )
    assert found is not None
    assert found.expires == date(2027, 3, 1)


def test_a_resource_has_three_names() -> None:
    assert names_of(URN) == (URN, "kubernetes:apps/v1:Deployment::eu.shop.web", "eu.shop.web")


def test_the_waivers_of_the_project_are_valid() -> None:
    waivers, problems = read(PROJECT / "policies" / "waivers.yaml", PROJECT)
    assert problems == ()
    assert waivers
