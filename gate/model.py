"""What a gate is asked for, what it judges, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from gate.workspace import Workspace
from report.examination import Examination, Producer
from report.model import Against, ChangeSet, Notice
from stacks.load import Stack


@dataclass(frozen=True)
class GateOptions:
    """What a gate is asked for, the same for all its stacks."""

    today: date
    """Waivers end by it."""
    produced_by: Producer
    base: str | None = None
    """A commit. Without a state it is what is compared with; with one it tells what is pending anyway."""
    packs: tuple[Path, ...] = ()
    """Directories of the user's policy packs."""
    approve: tuple[str, ...] = ()
    """Patterns of destructive changes that are meant."""
    strict: bool = False
    """Whether what is not measurable stops the change."""
    expect_no_changes: bool = False
    hermetic: bool = False
    """Whether the state's backend is left alone."""
    plan: bool = False
    """Whether the engine's plan is wanted, for a seal."""
    timeout: float = 1800
    """Seconds for each run of the engine."""


@dataclass(frozen=True)
class GateResult:
    """What came out for one stack: the answer, and the engine's plan if it was asked for."""

    examination: Examination
    plan: bytes | None = None


@dataclass(frozen=True)
class Prepared:
    """Where a stack is previewed, and what it is compared with."""

    workspace: Workspace
    against: Against
    notices: tuple[Notice, ...] = ()
    before: Stack | None = None
    """The declaration at the base."""
    pending: ChangeSet | None = None
    """What the base itself would change of the state."""
    issuers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of resources that were worked out, the certificates and authorities that they rest on."""
