"""The last word: on a change, and where nothing could be examined."""

from __future__ import annotations

from collections.abc import Sequence

from report.errors import OperationsError
from report.examination import Examination, Producer, Verb, Verdict
from report.exit_codes import ExitCode
from report.formats.text import many
from report.model import Against, ChangeSet, Finding, Layer, Op, Risk, Rule, Status

ENGINE = Rule(
    "engine/preview",
    "The engine can tell what the change does",
    "The program, the providers and the state must allow a preview. Mend what the message names.",
)


def verdict(
    changes: ChangeSet,
    layers: Sequence[Layer],
    findings: Sequence[Finding],
    strict: bool,
    expect_no_changes: bool,
) -> Verdict:
    """The code, by `exit_codes.WORST_FIRST`, and why in one sentence."""
    failed = [finding for finding in findings if finding.stops]
    engine = [finding for finding in failed if finding.rule.startswith("engine/")]
    if engine:
        first = engine[0].message.strip().splitlines()[0]
        if all(finding.rule == "engine/credentials" for finding in engine):
            return Verdict(ExitCode.AUTHENTICATION, f"A cluster refuses the stack's credentials: {first}")
        return Verdict(ExitCode.PREVIEW_FAILED, f"The engine could not preview the change: {first}")
    if failed:
        rules = sorted({finding.rule for finding in failed})
        return Verdict(
            ExitCode.POLICY, f"{many(len(failed), 'finding')} against the change: {', '.join(rules)}."
        )
    unapproved = [
        change
        for change in changes.changes
        if change.risk is Risk.DESTRUCTIVE and not change.approved and not change.pending
    ]
    if unapproved:
        names = [change.resource.name for change in unapproved]
        shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        return Verdict(
            ExitCode.NEEDS_APPROVAL,
            f"{many(len(unapproved), 'destructive change')} to be approved (--approve): {shown}.",
        )
    if expect_no_changes and changes.changes:
        return Verdict(
            ExitCode.UNEXPECTED_CHANGES, f"{many(len(changes.changes), 'change')} where none was expected."
        )
    unseen = sum(len(layer.not_measurable) for layer in layers)
    unseen += sum(finding.status is Status.NOT_MEASURABLE for finding in findings)
    if strict and unseen:
        return Verdict(ExitCode.NOT_MEASURABLE, f"{many(unseen, 'thing')} could not be measured (--strict).")
    also = f" {many(unseen, 'thing')} could not be measured." if unseen else ""
    others = sum(change.pending and change.risk is Risk.DESTRUCTIVE for change in changes.changes)
    if others:
        also += f" {many(others, 'destructive change')} would be made without this change as well."
    if not changes.changes:
        return Verdict(ExitCode.CLEAN, f"Nothing changes.{also}")
    counts = ", ".join(
        f"{number} to {op}" for op, number in changes.counts().items() if number and op != Op.SAME
    )
    return Verdict(ExitCode.CLEAN, f"Nothing stands against the change: {counts}.{also}")


def stopped(
    stack: str,
    verb: Verb,
    error: OperationsError,
    producer: Producer,
    *,
    rule: Rule = ENGINE,
    sealed: str = "",
) -> Examination:
    """The answer of a command that could not begin with a stack: other stacks' answers are not lost for it.

    rule: what was not met. sealed: SHA-256 of the plan that was to be applied.
    """
    return Examination(
        stack=stack,
        verb=verb,
        verdict=Verdict(ExitCode(error.exit_code), _in_one_line(error.message)),
        changes=ChangeSet(Against.NOTHING, (), ()),
        layers=(),
        rules=(rule,),
        findings=(Finding(rule.id, Status.FAIL, error.message, fix=error.fix),),
        producer=producer,
        sealed=sealed,
    )


BROKEN = (OperationsError, OSError, UnicodeError)
"""What ends an examination: its own errors, and those of the machine, the checkout or a file that went."""


def in_words(stack: str, error: Exception) -> OperationsError:
    """One of `BROKEN` as an error that says of which stack it was."""
    return error if isinstance(error, OperationsError) else OperationsError(f"stack {stack!r}: {error}")


def _in_one_line(words: str) -> str:
    """The first line of a message; with the next one, where the first only says that something follows."""
    first, *rest = [line.strip() for line in words.splitlines() if line.strip()] or [""]
    return f"{first} {rest[0]}" if first.endswith(":") and rest else first
