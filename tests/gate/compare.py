"""Where the gate's answer is not what a change's expectations say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from report.examination import Examination
from report.model import Change, Finding, Place, Risk, Status
from report.urns import types
from tests.gate.cases import Expected, ExpectedChange, ExpectedFinding, ExpectedRow

E = TypeVar("E", ExpectedFinding, ExpectedChange)
F = TypeVar("F", Finding, Change)


def differences(
    expected: Expected, standing: Sequence[ExpectedFinding], found: Examination, root: Path
) -> list[str]:
    """One line for each difference. standing: findings that the base has by itself; root: the project."""
    lines = []
    if found.verdict.code is not expected.exit:
        lines.append(f"exit code {int(found.verdict.code)} instead of {int(expected.exit)}")
    if expected.verdict not in found.verdict.words:
        lines.append(f"verdict without {expected.verdict!r}: {found.verdict.words}")
    lines += _findings(expected.findings, standing, found, root)
    if expected.changes is not None:
        lines += _changes(expected.changes, found)
    for row in expected.rows:
        lines += _row(row, found)
    return lines


def names(urn: str) -> tuple[str, ...]:
    """What a pattern may mean a resource by: URN, `TYPE::NAME`, `KIND::NAME`."""
    if not urn:
        return ("",)
    type_, name = types(urn)[-1], urn.rpartition("::")[2]
    return urn, f"{type_}::{name}", f"{type_.rpartition(':')[2]}::{name}"


def _findings(
    expected: Iterable[ExpectedFinding],
    standing: Sequence[ExpectedFinding],
    found: Examination,
    root: Path,
) -> list[str]:
    said = [finding for finding in found.findings if finding.status is not Status.PASS]

    def fits(wanted: ExpectedFinding, finding: Finding) -> bool:
        return (
            fnmatchcase(finding.rule, wanted.rule)
            and finding.status is wanted.status
            and finding.severity is wanted.severity
            and _means(wanted.resource, finding.urn)
            and wanted.message in finding.message
            and wanted.fix in finding.fix
            and wanted.at in _line(root, finding.place)
        )

    missing, others = _matched(expected, said, fits)
    extra = [finding for finding in others if not any(fits(known, finding) for known in standing)]
    lines = [f"missing finding ({number} more): {_words(wanted)}" for wanted, number in missing]
    return lines + [f"unexpected finding: {finding_words(finding, root)}" for finding in extra]


def _changes(expected: Iterable[ExpectedChange], found: Examination) -> list[str]:
    def fits(wanted: ExpectedChange, change: Change) -> bool:
        blast = change.blast
        risky = change.risk is wanted.risk if wanted.risk else change.risk is not Risk.DESTRUCTIVE
        values = {entry.path: entry.new for entry in change.properties}
        return (
            change.op is wanted.op
            and _means(wanted.resource, change.urn)
            and risky
            and wanted.why in change.why
            and wanted.approved is change.approved
            and _same(wanted.clusters, blast.clusters)
            and _same(wanted.nodes, blast.nodes)
            and _same(wanted.hosts, blast.hosts)
            and _same(wanted.traffic, blast.traffic)
            and wanted.properties.items() <= values.items()
        )

    missing, others = _matched(expected, found.changes.changes, fits)
    lines = [f"missing change ({number} more): {_words(wanted)}" for wanted, number in missing]
    return lines + [f"unexpected change: {change_words(change)}" for change in others]


def _row(wanted: ExpectedRow, found: Examination) -> list[str]:
    def holds(text: str | None, part: str | None) -> bool:
        return text is None if part is None else text is not None and part in text

    rows = [row for layer in found.layers if layer.id == wanted.layer for row in layer.rows if row.changed]
    named = [row for row in rows if fnmatchcase(row.key, wanted.key)]
    if any(holds(row.before, wanted.before) and holds(row.after, wanted.after) for row in named):
        return []
    there = "; ".join(f"{row.key}: {row.before!r} -> {row.after!r}" for row in rows) or "nothing"
    return [f"missing row: {_words(wanted)}; in that layer there changes: {there}"]


def _matched(
    expected: Iterable[E], found: Sequence[F], fits: Callable[[E, F], bool]
) -> tuple[list[tuple[E, int]], list[F]]:
    """What is expected and missing, with how often, and what is there and was not expected."""
    left = list(found)
    missing = []
    for wanted in expected:
        fitting = [index for index, entry in enumerate(left) if fits(wanted, entry)]
        taken = set(fitting if wanted.times is None else fitting[: wanted.times])
        lacking = (1 if wanted.times is None else wanted.times) - len(taken)
        if lacking > 0:
            missing.append((wanted, lacking))
        left = [entry for index, entry in enumerate(left) if index not in taken]
    return missing, left


def _means(pattern: str, urn: str) -> bool:
    if not pattern or not urn:
        return pattern == urn
    return any(fnmatchcase(name, pattern) for name in names(urn))


def _same(wanted: Any, found: Any) -> bool:
    return wanted is None or wanted == found


def _line(root: Path, place: Place | None) -> str:
    if place is None:
        return ""
    lines = (root / place.file).read_text(encoding="utf-8").splitlines()
    return lines[place.line - 1] if place.line <= len(lines) else ""


def _words(wanted: ExpectedFinding | ExpectedChange | ExpectedRow) -> str:
    found = wanted.model_dump(mode="json", exclude_unset=True, by_alias=True)
    return ", ".join(f"{key}: {value}" for key, value in found.items())


def finding_words(finding: Finding, root: Path) -> str:
    """A finding in the corpus' own terms."""
    resource = names(finding.urn)[-1]
    return (
        f"rule: {finding.rule}, status: {finding.status}, severity: {finding.severity}, "
        f"resource: {resource}, message: {finding.message!r}, fix: {finding.fix!r}, "
        f"at: {_line(root, finding.place).strip()!r}"
    )


def change_words(change: Change) -> str:
    """A change in the corpus' own terms."""
    blast = change.blast
    changed = ", ".join(f"{entry.path}: {entry.old!r} -> {entry.new!r}" for entry in change.properties)
    return (
        f"op: {change.op}, resource: {names(change.urn)[-1]}, risk: {change.risk}, why: {change.why!r}, "
        f"approved: {change.approved}, clusters: {list(blast.clusters)}, nodes: {list(blast.nodes)}, "
        f"hosts: {list(blast.hosts)}, traffic: {blast.traffic}, properties: {changed[:300]}"
    )
