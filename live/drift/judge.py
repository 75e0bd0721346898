"""From what the layers found to one answer: resources that drifted, findings and the last word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from live.drift import COLUMNS
from live.drift.model import IDENTITY, Comparison, Drifted, Record
from live.state import State
from report.examination import Verdict
from report.exit_codes import ExitCode, worst
from report.formats.text import many
from report.model import Against, Change, ChangeSet, Finding, Op, Rule, Severity, Status

LAYERS = tuple(column.COMPARISON.layer for column in COLUMNS)
"""What can be looked at, in the order of reports."""

_WORDS = {Op.UPDATE: "changed", Op.DELETE: "gone", Op.CREATE: "left over"}
_WHY = {Op.UPDATE: "it is not as it was applied", Op.DELETE: "it is gone", Op.CREATE: "nobody declares it"}
EMPTY = "The state is empty: nothing was applied to the stack, so there is nothing to look at"


def change_set(state: State, seen: Iterable[Record]) -> ChangeSet:
    """Resources that drifted, each once; `old` is as applied and `new` as live. All others stay."""
    resources = {found.urn: found for found in state.resources}
    drifted: dict[str, Drifted] = {}
    for layer in seen:
        for entry in layer.drifted:
            drifted[entry.urn] = _together(drifted.get(entry.urn), entry)
    changes = []
    for urn, entry in sorted(drifted.items()):
        old = resources[urn].resource() if urn in resources else None
        new = None if entry.op is Op.DELETE else entry.live or old
        changes.append(Change(entry.op, urn, old, new, entry.properties))
    same = tuple(resource.resource() for urn, resource in sorted(resources.items()) if urn not in drifted)
    return ChangeSet(Against.STATE, tuple(changes), same)


def told(changes: ChangeSet) -> ChangeSet:
    """The same with words that say what has happened; those of a gate say what is about to."""
    return replace(changes, changes=tuple(replace(change, why=_WHY[change.op]) for change in changes.changes))


def comparisons(layers: Sequence[str] = LAYERS) -> list[Comparison]:
    """The comparisons of some layers, in the order of reports."""
    return [column.COMPARISON for column in COLUMNS if column.COMPARISON.layer in layers]


def rules(layers: Sequence[str] = LAYERS) -> tuple[Rule, ...]:
    """The rules that were applied."""
    applied = [comparison.rule for comparison in comparisons(layers)]
    if any(comparison.recognises for comparison in comparisons(layers)):
        applied.append(IDENTITY)
    return tuple(sorted(applied, key=lambda rule: rule.id))


def findings(seen: Sequence[Record], applied: Iterable[Rule]) -> tuple[Finding, ...]:
    """All findings, each once, and a pass for each rule that has nothing against it."""
    findings = {finding for layer in seen for finding in layer.findings}
    recognised = any(layer.recognised for layer in seen)
    for rule in applied:
        said = [finding for finding in findings if finding.rule == rule.id]
        if any(finding.severity is not Severity.NOTE for finding in said):
            continue
        # Where nothing could be reached, nobody knows who would have answered.
        if rule is IDENTITY and not recognised and any(map(_is_not_measured, findings)):
            why = "nothing was reached that could be recognised"
            findings.add(Finding(rule.id, Status.NOT_MEASURABLE, why))
        else:
            findings.add(Finding(rule.id, Status.PASS, ""))
    return tuple(sorted(findings, key=Finding.order))


def unseen(applied: Iterable[Rule], why: str, *, fix: str = "") -> tuple[Finding, ...]:
    """The findings where nothing could be looked at: no rule has passed."""
    return tuple(Finding(rule.id, Status.NOT_MEASURABLE, why, fix=fix) for rule in applied)


def verdict(
    changes: ChangeSet,
    seen: Sequence[Record],
    findings: Sequence[Finding],
    strict: bool,
    *,
    empty: bool = False,
) -> Verdict:
    """The code, by `exit_codes.WORST_FIRST`, and why in one sentence. `empty`: nothing was ever applied."""
    failed = [finding for finding in findings if finding.stops]
    strangers = [entry for entry in failed if entry.rule == IDENTITY.id]
    missed = sum(_is_not_measured(entry) for entry in findings)
    also = f" {many(missed, 'thing')} could not be measured." if missed else ""
    clean = EMPTY if empty else "Everything that was looked at is as it was applied"
    first = f"{EMPTY}. " if empty else ""
    words = {
        ExitCode.CLEAN: f"{clean}.{also}",
        ExitCode.NOT_MEASURABLE: f"{first}{many(missed, 'thing')} could not be measured (--strict).",
        ExitCode.UNEXPECTED_CHANGES: f"Drift was found: {_told(changes, strangers)}.{also}",
        ExitCode.TIMEOUT: f"The time ran out before all was looked at.{also}",
        ExitCode.AUTHENTICATION: f"Credentials were refused: {_first(strangers)}",
        ExitCode.TOOL_ERROR: "A comparison broke; what is known of the others stands.",
    }
    codes = [ExitCode.CLEAN]
    codes += [ExitCode.NOT_MEASURABLE] if strict and missed else []
    codes += [ExitCode.UNEXPECTED_CHANGES] if failed else []
    codes += [ExitCode.TIMEOUT] if any(layer.late for layer in seen) else []
    codes += [ExitCode.AUTHENTICATION] if any(layer.refused for layer in seen) else []
    codes += [ExitCode.TOOL_ERROR] if any(layer.broken for layer in seen) else []
    code = worst(codes)
    return Verdict(code, words[code])


def _told(changes: ChangeSet, strangers: Sequence[Finding]) -> str:
    if strangers:
        return _first(strangers).removesuffix(".")
    counts = changes.counts()
    return ", ".join(f"{counts[op]:,} {word}" for op, word in _WORDS.items() if counts[op])


def _first(findings: Sequence[Finding]) -> str:
    return findings[0].message.splitlines()[0] if findings else ""


def _together(one: Drifted | None, other: Drifted) -> Drifted:
    """What two layers say of the same resource."""
    if one is None:
        return other
    properties = {entry.path: entry for entry in (*one.properties, *other.properties)}
    return replace(
        one, properties=tuple(properties[path] for path in sorted(properties)), live=one.live or other.live
    )


def _is_not_measured(finding: Finding) -> bool:
    return finding.status is Status.NOT_MEASURABLE
