"""Rehearsals: changes and upgrades, good ones and those that must fail, each on a twin.

Run by `make acceptance SUITE=rehearsals`; takes about an hour and writes
`docs/acceptance/rehearsals-<date>.json`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from report.exit_codes import ExitCode
from tests.lab.acceptance import results
from tests.lab.conftest import log_directory
from tests.lab.site import ROOT, shell_environment, wait

STACK = "lab"
SECONDS = 15 * 60.0
"""What a rehearsal of this environment may take on two cores."""
_TIMEOUT, _END_SECONDS = 2100.0, 300.0
"""Until one that hangs is interrupted, and for it to end then; both within what a test has."""


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("rehearsals")


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return shell_environment(ROOT)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone, whose declaration may be changed."""
    there = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(there)], check=True, timeout=120)
    return there


def edit(checkout: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the declaration in the working tree."""
    file = checkout / "stacks" / f"Pulumi.{STACK}.yaml"
    document = yaml.safe_load(file.read_text())
    change(document["config"]["crossmesh:environment"])
    file.write_text(yaml.safe_dump(document, sort_keys=False))


def rehearse(
    checkout: Path, environment: dict[str, str], *arguments: str
) -> tuple[int, dict[str, Any], float]:
    """Its exit code, its report and its seconds."""
    logs = log_directory()
    logs.mkdir(parents=True, exist_ok=True)
    answer = logs / "rehearsal.json"
    command = [sys.executable, "-m", "operations", "rehearse", *arguments, "--stack", STACK]
    command += ["--report", f"json={answer}", "--report", f"terminal={logs / 'rehearsal.txt'}"]
    before, began = left(environment), time.monotonic()
    with (logs / "rehearsal.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=checkout,
            env=environment | {"PYTHONPATH": str(checkout)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = wait(process, _TIMEOUT, " ".join(arguments))
        finally:
            # One that is interrupted takes its twin away.
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(_END_SECONDS)
    seconds = time.monotonic() - began
    assert answer.exists(), (logs / "rehearsal.log").read_text()[-4000:]
    (stack,) = json.loads(answer.read_text())["stacks"]
    assert left(environment) == before
    return code, stack, seconds


def left(environment: dict[str, str]) -> set[str]:
    """What there is of rehearsals' labs and directories."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    temporary = Path(environment.get("TMPDIR") or tempfile.gettempdir())
    directories = {str(path) for path in temporary.glob("crossmesh-rehearsal-*")}
    return directories | {line.split()[1] for line in links.splitlines() if "cm-twin-" in line}


def failed(stack: dict[str, Any]) -> dict[str, str]:
    """Messages by the rules that failed."""
    return {one["rule"]: one["message"] for one in stack["findings"] if one["status"] == "fail"}


def kept(stack: dict[str, Any], code: int, seconds: float) -> dict[str, Any]:
    """What of a report goes into the result file."""
    rows = {layer["id"]: layer for layer in stack["layers"]}
    return {
        "exitCode": code,
        "seconds": round(seconds),
        "verdict": stack["verdict"]["words"],
        "failed": failed(stack),
        "steps": {row["key"]: row["after"] or row["before"] for row in rows["rehearsal-steps"]["rows"]},
        "clients": {row["key"]: row["after"] for row in rows["rehearsal-clients"]["rows"]},
    }


def test_a_good_change_goes_well_on_the_twin(
    checkout: Path, environment: dict[str, str], report: dict[str, Any]
) -> None:
    def change(declared: dict[str, Any]) -> None:
        declared["applications"]["asset-mgr-ms-svc"]["replicas"] = 2
        declared["regions"]["eu"]["cluster"]["nodes"]["eu-worker-1"]["labels"] = {"disk": "fast"}

    edit(checkout, change)
    code, stack, seconds = rehearse(checkout, environment, "up", "--base", "HEAD")
    report["good change"] = kept(stack, code, seconds)
    assert (code, failed(stack)) == (ExitCode.CLEAN, {})
    assert seconds < SECONDS
    answered = [words for words in report["good change"]["clients"].values() if "each answered" in words]
    assert len(answered) == len(report["good change"]["clients"]) == 3


def test_a_change_that_the_gate_refuses_is_not_made(
    checkout: Path, environment: dict[str, str], report: dict[str, Any]
) -> None:
    def change(declared: dict[str, Any]) -> None:
        del declared["regions"]["us"]

    edit(checkout, change)
    code, stack, seconds = rehearse(checkout, environment, "up", "--base", "HEAD")
    report["refused by the gate"] = kept(stack, code, seconds)
    assert code == ExitCode.POLICY
    assert set(failed(stack)) == {"rehearsal/gate"}
    assert "destructive" in failed(stack)["rehearsal/gate"]
    assert seconds < SECONDS


def test_a_drain_that_a_disruption_budget_blocks_is_told_and_touches_nothing(
    checkout: Path, environment: dict[str, str], report: dict[str, Any]
) -> None:
    code, stack, seconds = rehearse(checkout, environment, "drain-node", "node=eu-worker-1")
    report["blocked drain"] = kept(stack, code, seconds)
    assert code == ExitCode.POLICY
    assert set(failed(stack)) == {"rehearsal/change"}
    assert "istiod" in failed(stack)["rehearsal/change"]
    assert seconds < SECONDS


UPGRADED = {"from": os.environ.get("CROSSMESH_UPGRADE_FROM", "1.34.9"), "to": "1.35.3"}


def upgrade(checkout: Path) -> None:
    """A commit with the earlier version and two workers in a region, the only one, and an edit to the later
    version over it. An upgrade of two regions is the same once more, and takes two cores twice as long.
    """

    def earlier(declared: dict[str, Any]) -> None:
        declared["versions"]["kubernetes"] = UPGRADED["from"]
        del declared["regions"]["us"]
        nodes = declared["regions"]["eu"]["cluster"]["nodes"]
        nodes["eu-worker-2"] = {**nodes["eu-worker-1"], "address": "10.101.1.14"}
        for application in declared["applications"].values():
            application["replicas"] = 2

    def later(declared: dict[str, Any]) -> None:
        declared["versions"]["kubernetes"] = UPGRADED["to"]

    edit(checkout, earlier)
    author = ["-c", "user.name=operator", "-c", "user.email=operator@example.test"]
    commit = ["git", "-C", str(checkout), *author, "commit", "--quiet", "--all", "--message", "Earlier"]
    subprocess.run(commit, check=True, timeout=60)
    edit(checkout, later)


def test_a_good_upgrade_goes_well_on_the_twin(
    checkout: Path, environment: dict[str, str], report: dict[str, Any]
) -> None:
    upgrade(checkout)
    code, stack, seconds = rehearse(checkout, environment, "up", "--base", "HEAD")
    report["good upgrade"] = told = kept(stack, code, seconds)
    assert (code, failed(stack)) == (ExitCode.CLEAN, {}), told
    assert seconds < SECONDS


BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: all-of-them, namespace: greencompute}
spec:
  minAvailable: 100%
  selector: {matchExpressions: [{key: app.kubernetes.io/name, operator: Exists}]}
"""
"""As somebody beside may have written it: not one pod of the applications may be evicted."""


def test_an_upgrade_that_a_disruption_budget_blocks_is_told(
    checkout: Path, environment: dict[str, str], report: dict[str, Any], tmp_path: Path
) -> None:
    upgrade(checkout)
    (tmp_path / "budget.yaml").write_text(BUDGET)
    beside = f"eu={tmp_path / 'budget.yaml'}"
    code, stack, seconds = rehearse(checkout, environment, "up", "--base", "HEAD", "--objects", beside)
    report["blocked upgrade"] = told = kept(stack, code, seconds)
    assert code == ExitCode.POLICY, told
    assert "rehearsal/change" in failed(stack), told
    assert "all-of-them" in failed(stack)["rehearsal/change"], told
    assert seconds < SECONDS
