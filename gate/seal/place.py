"""Where a sealed plan is applied: in the project itself, with the engine kept from writing into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gate.workspace import Workspace
from stacks.load import stack_path

_UNWANTED = frozenset(
    {
        # A plan is applied up to the first thing that goes wrong.
        "PULUMI_CONTINUE_ON_ERROR",
        # A cluster that does not answer is no cluster that was deleted.
        "PULUMI_K8S_DELETE_UNREACHABLE",
        "PULUMI_RUN_PROGRAM",
    }
)


@dataclass(frozen=True)
class InPlace:
    """The project's root as a workspace, with files of our own beside it for the time of a run."""

    workspace: Workspace
    config_file: Path
    """A copy of the stack's file: the engine writes such files anew."""
    plan_file: Path
    """Where the engine finds its plan."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What each of the engine's commands is told."""
        return "--stack", self.workspace.stack, "--config-file", str(self.config_file)


@contextmanager
def in_place(root: Path, stack: str) -> Iterator[InPlace]:
    """The project as a workspace for `stack`; its own files are gone at the end."""
    environment = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    environment |= {
        "PYTHONPATH": str(root),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
        "PULUMI_EXPERIMENTAL": "true",
    }
    with TemporaryDirectory(prefix="crossmesh-up-") as name:
        source = stack_path(stack, root)
        workspace = Workspace(root, stack, environment)
        place = InPlace(workspace, Path(name) / source.name, Path(name) / "plan.json")
        place.config_file.write_bytes(source.read_bytes())
        yield place
