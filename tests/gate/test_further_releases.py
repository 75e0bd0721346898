"""Environments of releases that are no default: their charts render, and nothing stands against them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import releases
from access.producer import producer
from gate import run
from gate.model import GateOptions
from gate.workspace import copy_tree
from report.examination import Examination
from report.exit_codes import ExitCode
from stacks.model import Versions
from tests.gate import edits
from tests.gate.cases import Edits
from tests.gate.harness import ROOT

TODAY = date(2026, 6, 1)


def _newest(found: dict[str, str]) -> dict[str, str] | None:
    """Releases with the newest of the others that go together with them; None where there are none."""
    missing = [program for program in ("kubernetes", "istio", "metallb") if program not in found]
    if not missing:
        return found
    for version in reversed(releases.suitable(missing[0], found)):
        if whole := _newest({**found, missing[0]: version}):
            return whole
    return None


def _examined(versions: dict[str, str], directory: Path) -> Examination:
    """What the gate says of the lab's environment with these versions."""
    project = directory / "project"
    copy_tree(ROOT, project)
    declared = {f"versions.{program}": version for program, version in versions.items()}
    edits.apply(Edits(set=declared), project, "lab")
    options = GateOptions(today=TODAY, produced_by=producer(project), hermetic=True, timeout=90)
    return run.gate(project, "lab", options, lambda words: None).examination


DECLARED = [other for other in releases.others() if other.program in Versions.model_fields]


@pytest.mark.parametrize("other", DECLARED, ids=lambda other: other.name)
def test_nothing_stands_against_an_environment_of_them_and_each_says_how_far_it_was_seen(
    other: releases.Release, tmp_path: Path
) -> None:
    versions = _newest({other.program: other.version})
    if versions is None:
        _refused_by_name(other, tmp_path)
        return
    found = _examined(versions, tmp_path)
    assert [finding for finding in found.findings if finding.stops] == []
    assert found.verdict.code is ExitCode.CLEAN, found.verdict.words
    told = " ".join(finding.message for finding in found.findings if finding.rule == "change/release-support")
    for program, version in versions.items():
        seen = releases.release(program, version).seen is releases.Seen.BROUGHT_UP
        words = f"{releases.NAMES[program]} {version} was not brought up"
        assert (words in told) != seen


def _refused_by_name(other: releases.Release, directory: Path) -> None:
    """An environment of a release that no mesh here runs on yet says so, and which to name instead."""
    found = _examined({other.program: other.version}, directory)
    assert found.verdict.code is ExitCode.USAGE, found.verdict.words
    said = " ".join(f"{finding.message} {finding.fix}" for finding in found.findings if finding.stops)
    assert f"{other.name} with Istio {releases.default('istio')}" in said
    assert f"no release of Istio in docs/releases.md runs on {other.name}" in said
