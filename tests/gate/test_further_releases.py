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
from report.exit_codes import ExitCode
from tests.gate import edits
from tests.gate.cases import Edits
from tests.gate.harness import ROOT

TODAY = date(2026, 6, 1)


def _newest(release: releases.Release) -> dict[str, str]:
    """A release with the newest of the others that go together with it."""
    found = {release.program: release.version}
    for program in ("kubernetes", "istio", "metallb"):
        if program not in found:
            suitable = releases.suitable(program, found)
            assert suitable, f"no {releases.NAMES[program]} of the catalogue goes together with {found}"
            found[program] = suitable[-1]
    return found


@pytest.mark.parametrize("other", releases.others(), ids=lambda other: other.name)
def test_nothing_stands_against_an_environment_of_them_and_each_says_how_far_it_was_seen(
    other: releases.Release, tmp_path: Path
) -> None:
    versions = _newest(other)
    project = tmp_path / "project"
    copy_tree(ROOT, project)
    declared = {f"versions.{program}": version for program, version in versions.items()}
    edits.apply(Edits(set=declared), project, "lab")
    options = GateOptions(today=TODAY, produced_by=producer(project), hermetic=True, timeout=90)
    found = run.gate(project, "lab", options, lambda words: None).examination
    assert [finding for finding in found.findings if finding.stops] == []
    assert found.verdict.code is ExitCode.CLEAN, found.verdict.words
    told = " ".join(finding.message for finding in found.findings if finding.rule == "change/release-support")
    for program, version in versions.items():
        seen = releases.release(program, version).seen is releases.Seen.BROUGHT_UP
        words = f"{releases.NAMES[program]} {version} was not brought up"
        assert (words in told) != seen
