"""The CI examples as texts: what their forges would say of them, and whom they trust with what."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gate.ci_pipelines import (
    GITLAB,
    MAKES_THE_MACHINE,
    ROOT,
    STEPS,
    WORKFLOWS,
    gitlab_jobs,
    workflow_jobs,
    workflow_steps,
)

GUIDE = ROOT / "docs" / "guides" / "gate-in-ci.md"
SHELL_STEPS = sorted(STEPS.glob("*.sh"))
UNTRUSTED = "crossmesh-gate/gate"
"""The job that runs the code of pull requests."""
NEEDS_A_STATE = {"seal", "up", "drift"}


def tool(name: str, *arguments: object) -> None:
    """Run a program of the project's Python environment; it must find nothing."""
    program = Path(sys.executable).parent / name
    done = subprocess.run(
        [program, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_the_workflows_are_what_github_takes() -> None:
    tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)


def test_the_pipeline_is_what_gitlab_takes() -> None:
    schema = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    tool("check-jsonschema", *schema, GITLAB)


def test_an_audit_of_the_workflows_finds_nothing() -> None:
    tool("zizmor", "--offline", "--quiet", *WORKFLOWS)


def test_shellcheck_finds_nothing() -> None:
    tool("shellcheck", "--external-sources", "--source-path", STEPS, *SHELL_STEPS)


@pytest.mark.parametrize("path", [path for path in SHELL_STEPS if path.name != "common.sh"], ids=str)
def test_shell_steps_stop_at_the_first_failure(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "set -euo pipefail"
    assert os.access(path, os.X_OK)


def test_steps_say_nothing_that_a_test_does_not_run() -> None:
    """Each command is a step of ours; an export beside it, or the machine's packages, is all there is."""
    lines = [step["run"] for step in workflow_steps() if "run" in step]
    for job in gitlab_jobs().values():
        lines += [*job.get("before_script", ()), *job["script"]]
    rest = [line for line in lines if not MAKES_THE_MACHINE.match(line) and "export " not in line]
    assert {step for line in rest for step in re.findall(r"steps/(\S+)", line)} == {
        path.name for path in STEPS.iterdir() if path.name not in {"common.sh", "__pycache__"}
    }
    assert all(line.count("docs/examples/ci/steps/") == 1 and "\n" not in line for line in rest)


def test_what_is_not_run_here_is_in_the_guide() -> None:
    guide = GUIDE.read_text().partition("## What was tested")[2]
    actions = {step["uses"].partition("@")[0] for step in workflow_steps() if "uses" in step}
    assert {name for name in re.findall(r"`(\w[\w-]*/[\w/-]+)`", guide) if name in actions} == actions
    assert "`apt-get`" in guide


def test_actions_are_pinned_by_commit() -> None:
    for path in WORKFLOWS:
        used = re.findall(r"uses: (.*)", path.read_text())
        assert used
        assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in used), used
    assert re.fullmatch(r"debian:12-slim@sha256:[0-9a-f]{64}", image())


def image() -> str:
    """The image that GitLab's jobs run in."""
    return str(yaml.safe_load(GITLAB.read_text())["default"]["image"])


def test_an_action_has_one_version() -> None:
    pins: dict[str, set[str]] = {}
    for step in workflow_steps():
        if "uses" in step:
            name, _, commit = step["uses"].partition("@")
            pins.setdefault(name, set()).add(commit)
    assert {name: len(commits) for name, commits in pins.items()} == dict.fromkeys(pins, 1)


def test_code_of_a_pull_request_is_trusted_with_nothing() -> None:
    job = workflow_jobs()[UNTRUSTED]
    assert job["if"] == "github.event_name == 'pull_request'"
    assert job["permissions"] == {"contents": "read"}
    assert "environment" not in job
    assert isinstance(job["runs-on"], str) and job["runs-on"].startswith("ubuntu-")
    assert not [text for text in texts(job) if re.search(r"secrets\.|github\.token", text)]
    assert [step["run"] for step in job["steps"] if "run" in step][-1].count(" --hermetic ") == 1


def test_other_jobs_do_not_run_for_pull_requests() -> None:
    for name, job in workflow_jobs().items():
        if name != UNTRUSTED and not name.startswith("crossmesh-gate-comment/"):
            other_events = re.search(r"event_name == '(push|schedule)'", job.get("if", ""))
            assert other_events or job.get("needs") == "seal", name
    assert "pull_request_target" not in {event for path in WORKFLOWS for event in events(path)}


def events(path: Path) -> list[str]:
    """The events that a workflow runs on."""
    text = path.read_text().partition("\non:\n")[2].partition("\n\n")[0]
    return re.findall(r"^  (\w+):", text, re.MULTILINE)


def test_only_jobs_for_it_have_a_token_that_writes() -> None:
    writes = {
        name: {key for key, value in job["permissions"].items() if value == "write"}
        for name, job in workflow_jobs().items()
    }
    assert {name: keys for name, keys in writes.items() if keys} == {
        "crossmesh-gate-comment/comment": {"pull-requests"},
        "crossmesh-gate-comment/code-scanning": {"security-events"},
        "crossmesh-gate/code-scanning": {"security-events"},
    }
    assert all("\npermissions: {}\n" in path.read_text() for path in WORKFLOWS)


def test_no_script_has_an_expression_in_it() -> None:
    """A branch's name or a title would be run as a part of it."""
    assert not [step["run"] for step in workflow_steps() if "${{" in step.get("run", "")]


def test_checkouts_keep_no_token() -> None:
    checkouts = [step for step in workflow_steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts and all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_the_workflow_that_comments_runs_no_code_of_a_pull_request() -> None:
    steps = workflow_jobs()["crossmesh-gate-comment/comment"]["steps"]
    (checkout,) = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert set(checkout["with"]) == {"persist-credentials"}, "another ref would be the pull request's"
    assert [step["run"] for step in steps if "run" in step] == ["python3 docs/examples/ci/steps/comment.py"]


def test_secrets_are_those_of_environments() -> None:
    for name, job in workflow_jobs().items():
        secret = [text for text in texts(job) if "secrets." in text]
        assert bool(secret) == (name.rpartition("/")[2] in NEEDS_A_STATE), name
        if secret:
            assert job["environment"] == ("production" if name.endswith("/up") else "production-read")


def test_on_gitlab_only_jobs_of_the_default_branch_have_environments_with_secrets() -> None:
    default_branch = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
    for name, job in gitlab_jobs().items():
        protected = all(default_branch in rule["if"] for rule in job["rules"])
        assert protected == (name in NEEDS_A_STATE), name
        if protected:
            assert job["environment"]["name"] == ("production" if name == "up" else "production-read")
    jobs = gitlab_jobs()
    assert "environment" not in jobs["gate"] and jobs["comment"]["environment"]["name"] == "gate-comment"
    assert jobs["up"]["rules"][0]["when"] == "manual" and jobs["up"]["rules"][0]["allow_failure"] is False


def test_caches_are_keyed_by_all_that_decides_the_toolchain() -> None:
    deciding = {"requirements.lock", "toolchain/versions.toml"}
    deciding |= {path.relative_to(ROOT).as_posix() for path in ROOT.glob("toolchain/modules/*/go.sum")}
    assert set(gitlab_jobs()["gate"]["cache"]["key"]["files"]) == deciding
    (cache,) = [
        step for step in workflow_steps() if step.get("uses", "").startswith("actions/cache/restore@")
    ]
    patterns = re.findall(r"'([^']+)'", cache["with"]["key"])
    assert {path.relative_to(ROOT).as_posix() for name in patterns for path in ROOT.glob(name)} == deciding


def test_git_ignores_what_the_steps_leave_behind() -> None:
    """Else the gate would find a checkout with changes, and copy the cache."""
    left = ["results/reports/gate.md", "results/plan/production.plan", "results/cache/toolchain.tar"]
    done = subprocess.run(
        ["git", "-C", str(ROOT), "check-ignore", *left],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.split() == left


def texts(found: Any) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(found, dict):
        for value in found.values():
            yield from texts(value)
    elif isinstance(found, list):
        for value in found:
            yield from texts(value)
    elif isinstance(found, str):
        yield found
