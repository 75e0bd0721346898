"""Why the engine could not preview a change, in its own and the program's words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from access.engine import Event
from access.errors import REFUSED
from gate.changes import FAILURE, standard_error
from report.model import Finding, Notice, Place, Rule, Status
from report.verdict import ENGINE

CREDENTIALS = Rule(
    "engine/credentials",
    "Clusters accept the stack's credentials",
    "A kubeconfig that has expired or was withdrawn is renewed by whoever gave it.",
)
RULES = (CREDENTIALS, ENGINE)

_SAYS_NOTHING = frozenset({"preview failed", "update failed"})
_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)


def findings(
    notices: Iterable[Notice], events: Iterable[Event], words: str, directory: Path
) -> tuple[Finding, ...]:
    """One finding for each resource that failed, and one for the program.

    words: what the engine wrote outside of its events. directory: where the program is run; the same failure
    has the same words elsewhere.
    """
    by_urn: dict[str, list[str]] = {}
    for notice in notices:
        if notice.severity == "error" and notice.message not in _SAYS_NOTHING:
            by_urn.setdefault(notice.urn, []).append(notice.message)
    found = [_failure("\n".join(said), urn=urn) for urn, said in by_urn.items()]
    # The program's standard error comes line by line; what it wrote before, warnings for example, is not why
    # it failed.
    lines = [line for event in events if (line := standard_error(event))]
    first = next((index for index, line in enumerate(lines) if line.startswith(FAILURE)), 0)
    if lines:
        found.append(_of_program("\n".join(lines[first:]).replace(f"{directory}/", "")))
    if not found:
        found.append(_failure(words or "the preview ended without a result"))
    return tuple(found)


def _of_program(report: str) -> Finding:
    """Of an exception what it says comes first; its place is the innermost line of the project."""
    if _TRACEBACK not in report:
        return _failure(report.removeprefix("error: "))
    # Other files are Python's, or of modules that have none.
    ours = [frame for frame in _FRAME.finditer(report) if not frame["file"].startswith(("/", "<"))]
    place = Place(ours[-1]["file"], int(ours[-1]["line"])) if ours else None
    return _failure(f"{report.strip().splitlines()[-1].strip()}\n{report}", place=place)


def _failure(message: str, *, urn: str = "", place: Place | None = None) -> Finding:
    rule = CREDENTIALS if REFUSED in message else ENGINE
    return Finding(rule.id, Status.FAIL, message, urn=urn, place=place)
