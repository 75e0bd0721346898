"""The JSON report: all that an examination holds. Its schema is docs/reference/gate-report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from report import schema
from report.examination import Examination, Producer, Verb
from report.exit_codes import ExitCode, worst
from report.formats.text import plain
from report.model import (
    SECRET,
    UNKNOWN,
    Against,
    Cause,
    Change,
    Finding,
    Identity,
    Layer,
    Notice,
    Op,
    Rule,
    Topology,
)

FILE = Path(__file__).parents[2] / "docs" / "reference" / "gate-report.schema.json"
"""Where `reference` is kept."""

_ENCODER = json.JSONEncoder(sort_keys=True, default=plain)


@dataclass(frozen=True)
class Tool:
    """What wrote the report."""

    name: Literal["crossmesh"]
    versions: list[str]
    """Versions that produced the report; one, unless reports were put together."""


@dataclass(frozen=True)
class Markers:
    """Texts in values that are no values."""

    unknown: str
    """The text that stands, wherever a value may, for one that is known only when the change is applied."""
    secret: str
    """The text that stands for a secret."""


@dataclass(frozen=True)
class LastWord:
    """The verdict."""

    name: str
    """The exit code as a stable word, for example `needs-approval`."""
    words: str
    """Why, in one sentence."""


@dataclass(frozen=True)
class StackReport:
    """One stack's examination."""

    stack: str
    verb: Verb
    """The command that examined it."""
    exit_code: ExitCode
    verdict: LastWord
    against: Against
    causes: tuple[Cause, ...]
    """Of the doctor: what everything that is not well comes down to, what most follows from first."""
    counts: dict[Op, int]
    """How many resources have each operation."""
    changes: tuple[Change, ...]
    """Every resource that does not stay as it is, the worst first."""
    same: tuple[Identity, ...]
    """Every resource that stays, without its inputs: they are no news."""
    notices: tuple[Notice, ...]
    """What the engine and the providers said."""
    layers: tuple[Layer, ...]
    """What the change means, layer by layer."""
    rules: tuple[Rule, ...]
    """Every rule that was applied."""
    findings: tuple[Finding, ...]
    """What the rules said. A rule that found nothing has one entry with the status `pass`."""
    topology: Topology
    versions: Producer
    sealed: str
    """SHA-256 of the sealed plan; empty if none was asked for."""


@dataclass(frozen=True)
class Report:
    """Everything that a command found out about one or several stacks. The same input gives the same bytes.
    Keys may be added within a version, so readers pass over those that they do not know.
    """

    __pydantic_config__ = schema.CONFIG

    stacks: list[StackReport]
    """The stacks, in order of their names."""
    exit_code: ExitCode
    """Exit code of the command: of several stacks, the worst."""
    tool: Tool
    markers: Markers = Markers(UNKNOWN, SECRET)
    schema_version: Literal[1] = 1
    """Rises when a key goes or its meaning changes; keys may be added without."""


_ADAPTER = TypeAdapter(Report)


def render(examinations: Sequence[Examination]) -> str:
    """The report of several stacks, sorted and a line for each entry: two can be compared by lines."""
    return _lay_out(document(examinations), "") + "\n"


def document(examinations: Sequence[Examination]) -> dict[str, Any]:
    """The same as plain data."""
    report = Report(
        [_stack(examination) for examination in examinations],
        worst([examination.verdict.code for examination in examinations]),
        Tool("crossmesh", sorted({examination.producer.crossmesh for examination in examinations})),
    )
    plain_data: dict[str, Any] = _ADAPTER.dump_python(report, by_alias=True)
    return plain_data


def reference() -> str:
    """The report's JSON schema, as the text of its file."""
    title = "Report of `crossmesh gate`, `drift`, `up` and `doctor`"
    return schema.render(Report, "urn:crossmesh:gate-report:1", title)


def _stack(examination: Examination) -> StackReport:
    code, changes = examination.verdict.code, examination.changes
    return StackReport(
        stack=examination.stack,
        verb=examination.verb,
        exit_code=code,
        verdict=LastWord(code.id, examination.verdict.words),
        against=changes.against,
        causes=examination.causes,
        counts=changes.counts(),
        changes=changes.changes,
        same=changes.same,
        notices=changes.notices,
        layers=examination.layers,
        rules=examination.rules,
        findings=examination.findings,
        topology=examination.topology,
        versions=examination.producer,
        sealed=examination.sealed,
    )


def _lay_out(value: Any, indent: str, depth: int = 0) -> str:
    """Objects down to a stack's parts have a line for each key, their lists one for each entry."""
    deeper = f"{indent} "
    if isinstance(value, dict) and value and depth < 5:
        pairs = (
            f"{deeper}{_ENCODER.encode(key)}: {_lay_out(value[key], deeper, depth + 1)}"
            for key in sorted(value)
        )
        return "{\n" + ",\n".join(pairs) + f"\n{indent}}}"
    if isinstance(value, list | tuple) and value and depth < 5:
        # Only the list of stacks has entries of several lines.
        below = depth + 1 if depth == 1 else 5
        entries = (f"{deeper}{_lay_out(entry, deeper, below)}" for entry in value)
        return "[\n" + ",\n".join(entries) + f"\n{indent}]"
    return _ENCODER.encode(value)
