"""A small repository with the steps of the CI examples, and a stand-in for the `crossmesh` command."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.gate.ci_pipelines import ROOT, Script

_MAKEFILE = """\
toolchain:
	@echo toolchain >>made
	@for name in toolchain venv; do mkdir -p "$${XDG_CACHE_HOME:-$$HOME/.cache}/crossmesh/$$name"; done

env:
	@echo 'export PATH=$(CURDIR)/bin:$$PATH'
"""
_CROSSMESH = """\
#!/usr/bin/env bash
printf '%s\\0' "$@" >arguments
env -0 >environment
for argument; do
    case $argument in markdown=*) echo "the report" >"${argument#*=}" ;; esac
    case $argument in *.plan) echo "the plan" >"$argument" ;; esac
done
exit "${CODE:-0}"
"""


@dataclass(frozen=True)
class Checkout:
    """A checkout in which steps run."""

    root: Path

    def commit(self, message: str) -> str:
        """Add a commit with the message as it is; returns its id."""
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.cleanup=verbatim")
        self.git(*identity, "commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str) -> str:
        """Run git; returns what it printed."""
        command = ["git", "-C", str(self.root), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout

    def run(self, script: Script, **machine: str) -> subprocess.CompletedProcess[str]:
        """Run a job's script here."""
        base = {"PATH": os.environ["PATH"], "HOME": str(self.root / "home"), "LC_ALL": "C.UTF-8"}
        return script.run(self.root, {**base, **machine})

    @property
    def arguments(self) -> list[str]:
        """What `crossmesh` was called with."""
        return (self.root / "arguments").read_text().split("\0")[:-1]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that `crossmesh` was called with."""
        pairs = (self.root / "environment").read_text().split("\0")[:-1]
        return dict(pair.split("=", 1) for pair in pairs)

    @property
    def approved(self) -> list[str]:
        """The patterns that `crossmesh` was given."""
        return [word.partition("=")[2] for word in self.arguments if word.startswith("--approve=")]


def make(directory: Path) -> Checkout:
    """A repository with the steps and a `crossmesh` that writes down what it is asked for."""
    made = Checkout(directory)
    (directory / "docs").symlink_to(ROOT / "docs")
    (directory / "Makefile").write_text(_MAKEFILE)
    (directory / "bin").mkdir()
    program = directory / "bin" / "crossmesh"
    program.write_text(_CROSSMESH)
    program.chmod(0o755)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.commit("first")
    return made
