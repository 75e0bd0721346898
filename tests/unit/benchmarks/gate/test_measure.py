from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.gate.measure import Measured, MeasureError, Pair, measure, result
from benchmarks.gate.site import Site
from benchmarks.process_tree import Usage
from gate.workspace import Workspace

PREVIEW = """\
#!/bin/sh
echo "preview $*" >> {log}
{first}
echo "Resources:"
echo "    + {created} to create"
"""
GATE = """\
#!/bin/sh
echo "gate $*" >> {log}
for word in "$@"; do
  case $word in *=*) echo '{{"stacks": [{{"counts": {{"create": {seen}}}}}]}}' > "${{word#*=}}" ;; esac
done
exit {code}
"""


class Fake(Site):
    """A checkout whose `crossmesh` and `pulumi` are scripts that write down how they were called."""

    def prepared(self, stack: str, directory: Path) -> Workspace:
        return Workspace(self.root, stack, self.environment)


@pytest.fixture
def site(tmp_path, monkeypatch):
    programs = tmp_path / "toolchain" / "bin"
    programs.mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    def make(*, first: str = "true", created: int = 7, seen: int = 7, code: int = 0) -> Site:
        log = tmp_path / "log"
        scripts = {
            "pulumi": PREVIEW.format(log=log, first=first, created=created),
            "crossmesh": GATE.format(log=log, seen=seen, code=code),
        }
        for name, text in scripts.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        return Fake(tmp_path, os.environ)

    return make


def run(site: Site, runs: int = 2) -> Measured:
    place = site.root / "place"
    place.mkdir()
    return measure(site, "some", 3, place, runs, lambda words: None)


def test_both_run_in_turn_after_a_warm_up_that_does_not_count(site, tmp_path):
    found = run(site(), runs=2)
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["preview", "gate"] * 3
    assert len(found.pairs) == 2
    assert (found.stack, found.clusters, found.resources) == ("some", 3, 7)


def test_the_gate_writes_every_report_and_the_preview_is_a_user_s(site, tmp_path):
    found = run(site(), runs=1)
    preview, gate = (tmp_path / "log").read_text().splitlines()[:2]
    assert preview == "preview preview --stack some --non-interactive --color=never"
    assert gate.startswith("gate gate --hermetic --stack some --report json=")
    assert sorted(found.reports) == ["json", "junit", "markdown", "sarif", "terminal"]
    assert all(found.reports.values())


def test_a_gate_that_refuses_the_stack_is_measured_all_the_same(site):
    assert [pair.gate.code for pair in run(site(code=5)).pairs] == [5, 5]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"first": "echo broken; exit 255"}, "pulumi preview of some failed \\(255\\):\nbroken"),
        ({"code": 4}, "crossmesh gate of some failed \\(4\\)"),
        ({"seen": 6}, "`pulumi preview` creates 7 resources, the gate 6"),
    ],
)
def test_what_fails_is_not_measured(site, made, words):
    with pytest.raises(MeasureError, match=words):
        run(site(**made))


def usage(seconds: float, processor: float, mebibytes: int) -> Usage:
    return Usage(0, seconds, processor, mebibytes * 2**20, {"pulumi": mebibytes * 2**20})


def test_ratios_are_of_runs_that_were_made_one_after_the_other():
    pairs = [
        Pair(usage(10, 20, 100), usage(11, 22, 90)),
        Pair(usage(20, 20, 100), usage(24, 21, 80)),
        Pair(usage(10, 10, 100), usage(13, 12, 70)),
    ]
    found = result(Measured("some", 3, 1000, pairs, {"json": 2048}))
    assert found["preview"]["seconds"] == {"median": 10, "min": 10, "max": 20}
    assert found["ratios"]["seconds"] == {"median": 1.2, "min": 1.1, "max": 1.3}
    assert found["ratios"]["processorSeconds"] == {"median": 1.1, "min": 1.05, "max": 1.2}
    assert found["ratios"]["memory"] == {"median": 0.8, "min": 0.7, "max": 0.9}
    assert found["gateMillisecondsPerResource"] == 13
    assert found["gate"]["peakMiBByProgram"] == {"pulumi": 90}
    assert found["reportKiB"] == {"json": 2}
