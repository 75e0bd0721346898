"""Validate a part of a document against the typed model and say what is wrong in words of ours.

A value that is wrong is reported and then taken out, so that the rules over several fields (`stacks.rules`)
can still look at the rest of the file, and a person sees all problems in one run.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from stacks.errors import KeyPath
from stacks.model import Model
from stacks.positions import Document
from stacks.wishes import known_as
from stacks.wording import ErrorDetail, explain, suggestion

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Validated(Generic[M]):
    """The typed value (None where too little of it was left), and the key paths in it that were taken out."""

    value: M | None
    pruned: frozenset[KeyPath] = frozenset()

    def intact(self, *path: str | int) -> bool:
        """Whether nothing was taken out at, above or below this path."""
        return not any(cut[: len(path)] == path or path[: len(cut)] == cut for cut in self.pruned)

    def replaced(self, *path: str | int) -> bool:
        """Whether what was taken out, and has a placeholder perhaps, is at or above this path."""
        return any(path[: len(cut)] == cut for cut in self.pruned)


def validate(
    document: Document, at: KeyPath, model: type[M], placeholders: Mapping[str, Any] | None = None
) -> Validated[M]:
    """Validate what lies at `at`, and append to `document.problems` what is wrong.

    `placeholders` stand in for required keys that are missing or wrong, so that what is beside them can be
    looked at. Nobody may be told anything of them: they are not `intact`.
    """
    texts = {path[len(at) :]: text for path, text in document.texts.items() if path[: len(at)] == at}
    there = document.get(at)
    data = {} if there is None else copy.deepcopy(there)
    pruned: set[KeyPath] = set()
    reported = False
    while True:
        try:
            return Validated(_typed(model, data), frozenset(pruned))
        except ValidationError as error:
            findings = [ErrorDetail.of(data, entry, texts) for entry in error.errors(include_url=False)]
        if not reported:
            _report(document, at, model, findings, data)
            reported = True
        known = placeholders or {}
        cuts = {_cut(finding) for finding in findings if not _place(data, finding, known, pruned)}
        if () in cuts:
            return Validated(None, frozenset(pruned))
        for cut in sorted(cuts, key=len, reverse=True):
            _remove(data, cut)
            pruned.add(cut)


def _typed(model: type[M], data: Any) -> M:
    # JSON mode, strict: "22" is no port and `true` no number, while addresses and enumerations are still read
    # from text.
    return model.model_validate_json(json.dumps(data, default=str), strict=True, by_alias=True, by_name=False)


def _report(
    document: Document, at: KeyPath, model: type[Model], findings: list[ErrorDetail], data: Any
) -> None:
    seen: set[KeyPath] = set()
    for finding in findings:
        if finding.path in seen and finding.is_type_error:
            continue  # one error per member of a union; `explain` names all members
        if finding.is_type_error and any(_is_below(other.path, finding.path) for other in findings):
            continue  # of a union, the member that it looks like speaks
        if finding.kind == "missing" and _is_misspelt(finding, findings):
            continue  # one mistake, one problem: the unknown key beside it says what it should be
        if finding.kind == "too_short" and _is_above(finding, findings):
            continue  # entries that are wrong do not count for the validator: they are there
        seen.add(finding.path)
        document.problem((*at, *finding.path), *explain(model, finding, findings, data))


def _is_below(path: KeyPath, above: KeyPath) -> bool:
    return len(path) > len(above) and path[: len(above)] == above


def _is_misspelt(missing: ErrorDetail, findings: list[ErrorDetail]) -> bool:
    """Whether an unknown key in the same mapping looks like the one that is missing."""
    name = str(missing.path[-1])
    return any(
        other.kind == "extra_forbidden"
        and other.path[:-1] == missing.path[:-1]
        and (suggestion(str(other.path[-1]), [name], "") or known_as(str(other.path[-1])) == ("", name))
        for other in findings
    )


def _is_above(short: ErrorDetail, findings: list[ErrorDetail]) -> bool:
    depth = len(short.path)
    return any(len(other.path) > depth and other.path[:depth] == short.path for other in findings)


def _cut(finding: ErrorDetail) -> KeyPath:
    """The path to take out: of a missing key its mapping; in a list the list, so that indexes stay true."""
    path = finding.path[:-1] if finding.kind == "missing" else finding.path
    return tuple(takewhile(lambda part: not isinstance(part, int), path))


def _place(data: Any, finding: ErrorDetail, placeholders: Mapping[str, Any], pruned: set[KeyPath]) -> bool:
    """Put a placeholder where a required key is missing; False where there is none for it."""
    name = finding.path[-1] if finding.path else ""
    if finding.kind != "missing" or name not in placeholders:
        return False
    place = data
    for part in finding.path[:-1]:
        place = place[part]
    place[name] = copy.deepcopy(placeholders[str(name)])
    pruned.add(finding.path)
    return True


def _remove(data: Any, path: KeyPath) -> None:
    for part in path[:-1]:
        if not isinstance(data, dict) or part not in data:
            return  # an ancestor went already
        data = data[part]
    if isinstance(data, dict):
        data.pop(path[-1], None)
