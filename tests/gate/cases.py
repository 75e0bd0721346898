"""The corpus: changes to an environment in twos, a bad one beside a good one, and what the gate must say.

One file per pair, `corpus/<family>/<slug>.yaml`. `README.md` beside the families describes the format.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from report.exit_codes import ExitCode
from report.model import Op, Risk, Severity, Status

CORPUS = Path(__file__).resolve().parent / "corpus"
BASES = CORPUS / "bases"
TODAY = datetime.date(2026, 6, 1)
"""The day on which the gate is run, where a change names no other."""

Side = Literal["bad", "good"]
SIDES: tuple[Side, ...] = ("bad", "good")
Kind = Literal[
    "add region",
    "remove node",
    "change CIDR",
    "upgrade",
    "new host",
    "weights",
    "certificate",
    "policy",
    "image",
    "rename",
]
"""The kinds of change that teams make to a running environment."""

_WITHOUT_CHANGES = (ExitCode.USAGE, ExitCode.PREVIEW_FAILED)
"""The gate knows of no change, or not of all, when it ends like this."""


class Strict(BaseModel):
    """Base of every part: immutable, unknown keys refused, camelCase in files."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


M = TypeVar("M", bound=Strict)


class Replacement(Strict):
    """Text in a file that is replaced; it must stand there exactly once."""

    file: str
    """Path relative to the project's root."""
    old: str
    new: str


class Edits(Strict):
    """What is done to a copy of the project, in the order of these fields.

    Keys of the stack file are written as its errors write them: `regions.eu.cluster`, `ingresses.x.paths[0]`,
    `crossmesh:ledger.nodes`.
    """

    rename: dict[str, str] = Field(default_factory=dict)
    """Key and its new name; its place among its neighbours stays."""
    delete: tuple[str, ...] = ()
    set: dict[str, Any] = Field(default_factory=dict)
    replace: tuple[Replacement, ...] = ()
    write: dict[str, str] = Field(default_factory=dict)
    """Files with their whole text."""
    append: dict[str, str] = Field(default_factory=dict)
    """Files with what is added at their end."""


class Gate(Strict):
    """How the gate is asked."""

    approve: tuple[str, ...] = ()
    strict: bool = False
    expect_no_changes: bool = False
    today: datetime.date = TODAY
    packs: tuple[str, ...] = ()
    """Directories of policy packs, relative to the project's root."""


class ExpectedFinding(Strict):
    """One finding, or several alike."""

    rule: str
    status: Status = Status.FAIL
    severity: Severity = Severity.ERROR
    resource: str = ""
    """Of which resource: a pattern for its URN, `TYPE::NAME` or `KIND::NAME`; empty for no resource."""
    message: str = ""
    """What its message holds."""
    fix: str = ""
    """What its fix holds."""
    at: str = ""
    """What stands on the line that it points at."""
    times: int | None = 1
    """How many there are; None for one or more."""


class ExpectedChange(Strict):
    """One change, or several alike. Without a risk it may be any but destructive."""

    op: Op
    resource: str
    """A pattern, as that of findings."""
    times: int | None = 1
    risk: Risk | None = None
    why: str = ""
    approved: bool = False
    clusters: tuple[str, ...] | None = None
    nodes: tuple[str, ...] | None = None
    hosts: tuple[str, ...] | None = None
    traffic: float | None = None
    properties: dict[str, Any] = Field(default_factory=dict)
    """Properties that change, with their new values."""


class ExpectedRow(Strict):
    """One row of a layer's table that changes. Texts are held by those of the row; None: not there."""

    layer: str
    key: str
    before: str | None
    after: str | None


class Expected(Strict):
    """What the gate must answer."""

    exit: ExitCode
    verdict: str
    """What the verdict's words hold."""
    findings: tuple[ExpectedFinding, ...] = ()
    """All that is no pass and that the base does not have."""
    changes: tuple[ExpectedChange, ...] | None = None
    """All changes."""
    rows: tuple[ExpectedRow, ...] = ()
    """Some of the changed rows."""

    @model_validator(mode="after")
    def _complete(self) -> Expected:
        if (self.changes is None) != (self.exit in _WITHOUT_CHANGES):
            raise ValueError(f"`changes` are to be listed, unless the exit code is one of {_WITHOUT_CHANGES}")
        return self


class Change(Edits):
    """One change: what is done, how the gate is asked, and what it must answer."""

    gate: Gate = Gate()
    expect: Expected


class Release(Strict):
    """Versions that a later release of the project supports; this one supports one of each program."""

    supported: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Versions by program, each a file of the catalogue."""
    runs_on_kubernetes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Versions of Kubernetes that all releases of a program run on, by the program."""


class Pair(Strict):
    """A bad change and the good one that differs from it as little as possible."""

    title: str
    why: str
    """Which mistake this is, and what it would cost."""
    kind: Kind | None = None
    base: str = "reference"
    release: Release = Release()
    both: Edits = Edits()
    """What is done to the project before the edits of either."""
    bad: Change
    good: Change

    @model_validator(mode="after")
    def _in_order(self) -> Pair:
        if self.bad.expect.exit is ExitCode.CLEAN or self.good.expect.exit is not ExitCode.CLEAN:
            raise ValueError("the bad one must not end with 0, the good one must")
        return self

    def side(self, side: Side) -> Change:
        """One of the two."""
        return self.bad if side == "bad" else self.good


class Base(Strict):
    """An environment that changes are made to."""

    title: str
    stack: str
    """Its stack's name: the file is `stacks/Pulumi.<stack>.yaml` of the project."""
    edits: Edits = Edits()
    """What is done to the project first."""
    standing: tuple[ExpectedFinding, ...] = ()
    """What rules say of it as it is, warnings and notes: changes need not repeat them."""


@dataclass(frozen=True)
class Case:
    """One side of a pair, with the pair's name: `<family>/<slug>`."""

    name: str
    side: Side
    pair: Pair

    @property
    def change(self) -> Change:
        """What is done and expected."""
        return self.pair.side(self.side)

    @property
    def id(self) -> str:
        """The name of its test."""
        return f"{self.name}-{self.side}"


@cache
def pairs() -> dict[str, Pair]:
    """All pairs by name, sorted. Raises `ValueError` naming the file of one that is not in the format."""
    found = {}
    for path in sorted(CORPUS.glob("*/*.yaml")):
        if path.parent != BASES:
            found[path.relative_to(CORPUS).with_suffix("").as_posix()] = _read(path, Pair)
    return found


@cache
def bases() -> dict[str, Base]:
    """All bases by name, sorted."""
    return {path.stem: _read(path, Base) for path in sorted(BASES.glob("*.yaml"))}


def cases() -> Iterator[Case]:
    """Both sides of all pairs."""
    for name, pair in pairs().items():
        for side in SIDES:
            yield Case(name, side, pair)


def _read(path: Path, model: type[M]) -> M:
    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {error}") from error
