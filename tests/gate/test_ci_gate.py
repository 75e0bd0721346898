"""The pipelines' jobs with the real `crossmesh`, in clones, on a merge request that takes a host away."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gate.workspace import copy_tree
from report.exit_codes import ExitCode
from report.formats.markdown import marker
from tests.gate.ci_forges import MERGE_REQUEST, PROJECT, TOKEN, running
from tests.gate.ci_pipelines import ROOT, github, gitlab

GONE = "berlin-edge-2"
"""An edge host of the staging environment."""
REPORTS = ("gate.json", "gate.md", "gate.sarif", "gate.xml", "gate-staging.svg")


@dataclass(frozen=True)
class Repository:
    """The project in a repository as a forge has it: the target branch, and a merge request's branch."""

    directory: Path
    base: str
    head: str
    home: Path

    @property
    def machine(self) -> dict[str, str]:
        """A machine that has the toolchain in its cache, and nothing of the user's."""
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            # The same interpreter has the same environment of packages in the cache.
            "PYTHON": str(Path(sys.base_prefix) / "bin" / "python3.11"),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
            "XDG_STATE_HOME": str(self.home / "state"),
        }

    def clone(self, target: Path, commit: str) -> Path:
        """A checkout of one commit, with history and without a branch, as runners make it."""
        git(self.directory.parent, "clone", "--quiet", "--no-checkout", str(self.directory), str(target))
        git(target, "checkout", "--quiet", "--detach", commit)
        return target


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "core.hooksPath=/dev/null")
    command = ["git", "-C", str(directory), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The project as it is now on the target branch, without one host on the other."""
    directory = tmp_path_factory.mktemp("forge") / "project"
    directory.mkdir()
    copy_tree(ROOT, directory)
    git(directory, "init", "--quiet", "--initial-branch", "main")
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", "The target branch")
    base = git(directory, "rev-parse", "HEAD")
    git(directory, "checkout", "--quiet", "-b", "change")
    stack = directory / "stacks" / "Pulumi.staging.yaml"
    lines = stack.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.strip().startswith(f"{GONE}:")]
    assert len(kept) == len(lines) - 1
    stack.write_text("".join(kept))
    git(directory, "commit", "--quiet", "--all", "--message", "Take an edge host away")
    return Repository(directory, base, git(directory, "rev-parse", "HEAD"), tmp_path_factory.mktemp("home"))


def read_reports(checkout: Path) -> dict[str, str]:
    """The reports by name. Each is what its ending says, and git sees none of them."""
    found = {name: (checkout / "results" / "reports" / name).read_text() for name in REPORTS}
    assert found["gate.md"].startswith(marker("gate")) and len(found["gate.md"]) <= 60_000
    json.loads(found["gate.json"])
    assert json.loads(found["gate.sarif"])["version"] == "2.1.0"
    for name in ("gate.xml", "gate-staging.svg"):
        ElementTree.fromstring(found[name])
    assert git(checkout, "status", "--porcelain") == ""
    return found


@pytest.mark.timeout(300)
def test_a_merge_request_that_takes_a_host_away_needs_approval(
    repository: Repository, tmp_path: Path
) -> None:
    """GitLab's job, on the branch as it is."""
    checkout = repository.clone(tmp_path / "checkout", repository.head)
    # The archive would be one of the whole toolchain, and one stack has the change.
    script = gitlab("gate").but(TOOLCHAIN_ARCHIVE="", STACKS="staging")
    machine = {
        **repository.machine,
        "GITLAB_CI": "true",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": repository.base,
        "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "",
    }
    done = script.run(checkout, machine, timeout=280)
    assert done.returncode == ExitCode.NEEDS_APPROVAL, f"{done.stdout}\n{done.stderr}"
    assert "Crossmesh-Approve: PATTERN" in done.stderr
    reports = read_reports(checkout)
    assert GONE in reports["gate.md"] and GONE in done.stdout
    with running("gitlab") as forge:
        machine |= {"CI_API_V4_URL": forge.url, "COMMENT_TOKEN": TOKEN}
        machine |= {"CI_MERGE_REQUEST_PROJECT_ID": PROJECT, "CI_MERGE_REQUEST_IID": MERGE_REQUEST}
        assert gitlab("comment").run(checkout, machine).returncode == 0
        assert [comment["body"] for comment in forge.comments] == [reports["gate.md"]]


@pytest.mark.timeout(300)
def test_one_that_says_so_passes(repository: Repository, tmp_path: Path) -> None:
    """GitHub's job, on the merge that GitHub makes, over all stacks of the example."""
    directory = repository.directory
    message = f"It is meant\n\nCrossmesh-Approve: {GONE}*"
    git(directory, "checkout", "--quiet", "-B", "approved", repository.head)
    git(directory, "commit", "--quiet", "--allow-empty", "--message", message)
    git(directory, "checkout", "--quiet", "-B", "merged", repository.base)
    git(directory, "merge", "--quiet", "--no-ff", "--message", "Merge", "approved")
    checkout = repository.clone(tmp_path / "checkout", git(directory, "rev-parse", "HEAD"))
    summary = tmp_path / "summary"
    machine = {**repository.machine, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    for script in github("crossmesh-gate/gate", {}):
        done = script.run(checkout, machine, timeout=280)
        assert done.returncode == ExitCode.CLEAN, f"{done.stdout}\n{done.stderr}"
    reports = read_reports(checkout)
    assert summary.read_text() == reports["gate.md"]
    assert (checkout / "results" / "reports" / "gate-production.svg").is_file()
    stacks = {found["stack"] for found in json.loads(reports["gate.json"])["stacks"]}
    assert stacks == {"staging", "production"}


@pytest.mark.parametrize("job", ["up", "drift"])
def test_other_jobs_refuse_what_is_not_theirs(repository: Repository, tmp_path: Path, job: str) -> None:
    """A plan that is none, and a stack that the backend does not know."""
    checkout = repository.clone(tmp_path / "checkout", repository.base)
    plan = checkout / "results" / "plan" / "production.plan"
    plan.parent.mkdir(parents=True)
    plan.write_text("{}")
    context = {
        "secrets.PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "secrets.PULUMI_CONFIG_PASSPHRASE": "passphrase",
        "needs.seal.outputs.sha256": hashlib.sha256(b"{}").hexdigest(),
    }
    scripts = github(f"crossmesh-gate/{job}", context)
    assert len(scripts) == 2
    for script in scripts:
        done = script.run(checkout, {**repository.machine, "GITHUB_ACTIONS": "true"})
    assert done.returncode == {"up": ExitCode.STALE, "drift": ExitCode.STACK_NOT_FOUND}[job], done.stderr
    assert f"::error title=crossmesh ended with exit code {done.returncode}::" in done.stdout
    assert (checkout / "results" / "reports" / f"{job}.md").read_text().startswith("<!-- crossmesh-")
