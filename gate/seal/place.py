"""Where a sealed plan is applied: in the project itself, with the engine kept from writing into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from access import engine
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
    environment = engine.environment(root)
    for name in _UNWANTED:
        environment.pop(name, None)
    with TemporaryDirectory(prefix="crossmesh-up-") as name:
        source = stack_path(stack, root)
        workspace = Workspace(root, stack, environment)
        place = InPlace(workspace, Path(name) / source.name, Path(name) / "plan.json")
        place.config_file.write_bytes(source.read_bytes())
        yield place
