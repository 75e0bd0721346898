"""Where the gate and its peer run: a copy of the project as a git checkout, with stacks of any size."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.declaration import stack_text
from gate.workspace import Workspace, copy_tree, detached

REFERENCE = "lab"
"""The stack of the reference environment; others are generated."""

_AUTHOR = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
_GATE_ONLY = "PULUMI_ENABLE_STREAMING_JSON_PREVIEW"
"""A setting of the gate's own runs of the engine, which no user of plain `pulumi preview` makes."""
_CLONE_NEWNET = 0x40000000


def leave_network() -> None:
    """Go on, with all that is started from here, with no network but loopback. Needs root.

    Declared hosts are then unreachable at once; how long it takes to find out elsewhere is the network's
    doing. Raises `OSError` where it is not allowed. Call it before any thread is started.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"no network namespace of its own: {os.strerror(code)}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, capture_output=True, timeout=30)


def stack_name(clusters: int) -> str:
    """Name of the generated stack with that many clusters."""
    return f"scale-{clusters}"


@dataclass(frozen=True)
class Site:
    """A checkout of the project and what is needed to run commands there."""

    root: Path
    environment: Mapping[str, str]
    """Of `crossmesh`, as a pipeline has it."""

    @classmethod
    def make(cls, project: Path, directory: Path, sizes: Sequence[int]) -> Site:
        """Copy a project as it is now into `directory`, with a generated stack for each of `sizes`."""
        root = directory / "checkout"
        copy_tree(project, root)
        for clusters in sizes:
            path = root / "stacks" / f"Pulumi.{stack_name(clusters)}.yaml"
            path.write_text(stack_text(clusters))
        for arguments in (
            ["init", "--quiet"],
            ["add", "--all"],
            [*_AUTHOR, "commit", "--quiet", "--message", "As it is measured"],
        ):
            subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, timeout=120)
        return cls(root, {**os.environ, "PYTHONPATH": str(root)})

    def prepared(self, stack: str, directory: Path) -> Workspace:
        """A workspace in which plain `pulumi preview` works, made in the way of the gate."""
        made = detached(self.root, directory / "project", directory / "backend", stack)
        environment = {name: value for name, value in made.environment.items() if name != _GATE_ONLY}
        return Workspace(made.directory, made.stack, environment, made.placeholders)
