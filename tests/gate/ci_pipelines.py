"""The CI examples as their forges read them: which steps a job runs, with which variables."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples" / "ci"
STEPS = EXAMPLES / "steps"
WORKFLOWS = sorted((EXAMPLES / "github").glob("*.yml"))
GITLAB = EXAMPLES / "gitlab" / ".gitlab-ci.yml"
MAKES_THE_MACHINE = re.compile(r"apt-get ")
"""Lines that bring packages to a fresh machine. They need root and a network; tests leave them out."""

_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
_KEYWORDS = frozenset({"default", "include", "stages", "variables", "workflow"})


@dataclass(frozen=True)
class Script:
    """Commands that a job runs in one shell, and the variables that the example gives them."""

    commands: str
    variables: Mapping[str, str]

    def but(self, **variables: str) -> Script:
        """The same with some variables set otherwise."""
        return Script(self.commands, {**self.variables, **variables})

    def run(
        self, directory: Path, environment: Mapping[str, str], *, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run them as the forge does. `environment`: what the machine and the forge set besides."""
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self.commands],
            cwd=directory,
            env={**environment, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def workflow_jobs() -> dict[str, dict[str, Any]]:
    """Jobs of the GitHub workflows by `file/job`."""
    return {
        f"{path.stem}/{name}": job
        for path in WORKFLOWS
        for name, job in yaml.safe_load(path.read_text())["jobs"].items()
    }


def workflow_steps() -> list[dict[str, Any]]:
    """Every step of every job of the GitHub workflows."""
    return [step for job in workflow_jobs().values() for step in job["steps"]]


def github(job: str, context: Mapping[str, str]) -> list[Script]:
    """The scripts of a job. `context` has the value of each expression that they use, and of no other."""
    found = workflow_jobs()[job]
    scripts = []
    for step in found["steps"]:
        if "run" in step:
            variables = {**found.get("env", {}), **step.get("env", {})}
            scripts.append(
                Script(step["run"], {name: _expand(str(value), context) for name, value in variables.items()})
            )
    return scripts


def _expand(text: str, context: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda match: context[match[1]], text)


def gitlab_jobs() -> dict[str, dict[str, Any]]:
    """Jobs of the GitLab pipeline, with what they extend."""
    read: dict[str, Any] = yaml.safe_load(GITLAB.read_text())
    jobs = {}
    for name, job in read.items():
        if name in _KEYWORDS or name.startswith("."):
            continue
        base = read[job["extends"]] if "extends" in job else {}
        variables = {**read["variables"], **base.get("variables", {}), **job.get("variables", {})}
        jobs[name] = {**base, **job, "variables": variables}
    return jobs


def gitlab(job: str) -> Script:
    """The script of a job, but for what brings packages to a fresh machine."""
    found = gitlab_jobs()[job]
    lines: Sequence[str] = [*found.get("before_script", ()), *found["script"]]
    commands = "\n".join(line for line in lines if not MAKES_THE_MACHINE.match(line))
    return Script(commands, {name: str(value) for name, value in found["variables"].items()})
