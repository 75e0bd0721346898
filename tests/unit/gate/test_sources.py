"""Where a finding is: region, declared key, and the line of the stack file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from gate.effects.sources import open_sources, place
from report.formats import junit, markdown, sarif, terminal
from report.model import Against, ChangeSet, Finding, Place, Resource, Status
from stacks.load import PROJECT, stack_path
from tests.unit.report.formats import samples

DECLARED = ("regions", "eu", "cluster")
RESOURCE = Resource("urn:a", "pkg:m:Cluster", "eu", {}, region="eu", declared=DECLARED)
CHANGES = ChangeSet(Against.STATE, (), (RESOURCE,))
FINDING = Finding("policy/x", Status.FAIL, "it is so", urn=RESOURCE.urn)


def test_a_finding_says_region_declared_key_and_line_of_its_resource() -> None:
    path = stack_path("lab")
    (finding,) = place([FINDING], CHANGES, open_sources(path, PROJECT))
    assert (finding.region, finding.declared) == ("eu", DECLARED)
    assert finding.place is not None
    line = path.read_text().splitlines()[finding.place.line - 1]
    assert finding.place.file == "stacks/Pulumi.lab.yaml" and "cluster" in line


def test_a_finding_about_a_member_of_a_list_says_the_line_of_that_member(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.lab.yaml"
    path.write_text(stack_path("lab").read_text())
    (finding,) = place(
        [replace(FINDING, urn="", declared=("regions", "us", "fabric", "peers", "0", "asn"))],
        CHANGES,
        open_sources(path, tmp_path),
    )
    assert finding.place is not None
    lines = path.read_text().splitlines()
    assert "- {address: 10.101.2.1, asn: 65000}" in lines[finding.place.line - 1]


def test_a_line_that_a_rule_named_itself_stays() -> None:
    own = replace(FINDING, place=Place("policies/waivers.yaml", 3))
    (finding,) = place([own], CHANGES, open_sources(stack_path("lab"), PROJECT))
    assert finding.place == own.place


def test_without_a_stack_file_that_can_be_read_region_and_key_are_known_all_the_same() -> None:
    (finding,) = place([FINDING], CHANGES, None)
    assert (finding.region, finding.place) == ("eu", None)


@pytest.mark.parametrize("format", [terminal, markdown, junit, sarif])
def test_every_report_names_the_key_that_declared_what_a_finding_is_about(format: ModuleType) -> None:
    findings = place([FINDING], CHANGES, None)
    text = format.render([replace(samples.empty(), findings=findings)])
    assert "regions.eu.cluster" in text


def test_a_finding_on_no_resource_is_nowhere() -> None:
    assert place([replace(FINDING, urn="")], CHANGES, None) == (replace(FINDING, urn=""),)
