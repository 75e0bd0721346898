"""Drift told beside a change: whoever reviews one learns what `up` will meet."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from gate import run as gate
from gate.verdict import verdict
from live.drift import judge, run
from live.drift.model import IDENTITY, LayerId
from live.drift.run import Interrupted, Say
from report.errors import OperationsError
from report.exit_codes import ExitCode
from report.formats.text import many
from report.model import Against, Examination, Finding, Rule, Severity

_NOT_JUDGED = (ExitCode.USAGE, ExitCode.AUTHENTICATION, ExitCode.PREVIEW_FAILED)
_RULES = judge.rules(tuple(LayerId))


def with_drift(
    root: Path,
    gated: Examination,
    options: gate.Options,
    live: run.Options,
    say: Say,
    stopped: threading.Event,
) -> Examination:
    """A gate's answer, with what has drifted. Drift is a warning there: the change is not to blame for it.

    options: what the gate was asked for. live: how to look at what is live.

    That a cluster or host is another one, or refuses the credentials, stays an error: `up` would be refused.
    What was not judged is returned as it is. Raises `Interrupted` once `stopped` is set.
    """
    if gated.verdict.code in _NOT_JUDGED:
        return gated
    if gated.changes.against is not Against.STATE:
        return _unknown(gated, "the backend knows no such stack, so nothing was applied to it", options)
    try:
        found = run.drift(root, gated.stack, live, say, stopped)
    except Interrupted:
        raise
    except OperationsError as error:
        return _unknown(gated, error.format_message(), options)
    layers = tuple(replace(layer, id=f"drift-{layer.id}") for layer in found.layers)
    made = replace(gated, layers=(*gated.layers, *layers))
    made = _judged(made, found.rules, map(_less, found.findings), options)
    if found.changes.changes:
        words = f"{made.verdict.words} {many(len(found.changes.changes), 'resource')} drifted."
        return replace(made, verdict=replace(made.verdict, words=words))
    return made


def _less(finding: Finding) -> Finding:
    ours = finding.rule != IDENTITY.id and finding.severity is Severity.ERROR
    return replace(finding, severity=Severity.WARNING) if ours else finding


def _unknown(gated: Examination, why: str, options: gate.Options) -> Examination:
    return _judged(gated, _RULES, judge.unseen(_RULES, why), options)


def _judged(
    gated: Examination, rules: Iterable[Rule], findings: Iterable[Finding], options: gate.Options
) -> Examination:
    found = tuple(sorted((*gated.findings, *findings), key=gate.order))
    word = verdict(gated.changes, gated.layers, found, options.strict, options.expect_no_changes)
    applied = tuple(sorted((*gated.rules, *rules), key=lambda rule: rule.id))
    return replace(gated, rules=applied, findings=found, verdict=word)
