"""Drift told beside a change: whoever reviews one learns what `up` will meet."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from live.drift import judge, run
from live.drift.model import IDENTITY
from report.errors import CancelledError, OperationsError
from report.examination import Examination
from report.exit_codes import ExitCode
from report.formats.text import many
from report.model import Against, Finding, Layer, Rule, Severity
from report.progress import Say
from report.verdict import verdict

_NOT_JUDGED = (ExitCode.USAGE, ExitCode.AUTHENTICATION, ExitCode.PREVIEW_FAILED)
_RULES = judge.rules()


def with_drift(
    root: Path,
    gated: Examination,
    options: run.DriftOptions,
    say: Say,
    stopped: threading.Event,
    *,
    expect_no_changes: bool = False,
) -> Examination:
    """A gate's answer, with what has drifted. Drift is a warning there: the change is not to blame for it.

    options: how to look at what is live. expect_no_changes: whether the gate was told so.

    That a cluster or host is another one, or refuses the credentials, stays an error: `up` would be refused.
    What was not judged is returned as it is. Raises `CancelledError` once `stopped` is set.
    """
    if gated.verdict.code in _NOT_JUDGED:
        return gated

    def judged(
        rules: Iterable[Rule], findings: Iterable[Finding], layers: Iterable[Layer] = ()
    ) -> Examination:
        together = tuple(sorted((*gated.findings, *findings), key=Finding.order))
        word = verdict(gated.changes, gated.layers, together, options.strict, expect_no_changes)
        applied = tuple(sorted((*gated.rules, *rules), key=lambda rule: rule.id))
        return replace(gated, rules=applied, findings=together, verdict=word, layers=(*gated.layers, *layers))

    if gated.changes.against is not Against.STATE:
        why = "the backend knows no such stack, so nothing was applied to it"
        return judged(_RULES, judge.unseen(_RULES, why))
    try:
        drifted = run.drift(root, gated.stack, options, say, stopped)
    except CancelledError:
        raise
    except OperationsError as error:
        return judged(_RULES, judge.unseen(_RULES, error.format_message()))
    layers = (replace(layer, id=f"drift-{layer.id}") for layer in drifted.layers)
    answer = judged(drifted.rules, map(_less, drifted.findings), layers)
    if drifted.changes.changes:
        words = f"{answer.verdict.words} {many(len(drifted.changes.changes), 'resource')} drifted."
        return replace(answer, verdict=replace(answer.verdict, words=words))
    return answer


def _less(finding: Finding) -> Finding:
    ours = finding.rule != IDENTITY.id and finding.severity is Severity.ERROR
    return replace(finding, severity=Severity.WARNING) if ours else finding
