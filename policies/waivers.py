"""Waivers: leave to break a rule, with owner, reason and end, in a file that is reviewed like code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from report.model import Place, Waiver
from report.urns import names_of
from stacks.errors import KeyPath, Problem, StackFileError
from stacks.positions import Document, parse

ALL = "*"
"""The pattern of all stacks, which stands where none is named."""
NEVER_WAIVED = frozenset({"declaration", "engine", "preflight", "waiver"})
"""Families of rules that say whether anything could be examined at all, and what hosts refuse: `up` knows no
waivers, and is told by the host's own `accept`."""

_RULE = re.compile(r"^([a-z]+|pack:[A-Za-z0-9._-]+)/\S+$")
_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_SHAPE = "a list of waivers, each with rule, resource, owner, reason and expires"
_NO_LIST = (f"the file is {_SHAPE}", "begin each with `- rule:`")


def _iso_date(value: Any) -> Any:
    if type(value) is date or (isinstance(value, str) and _ISO.match(value)):
        return value
    raise ValueError("is no date")


def _waivable(value: str) -> str:
    family = _RULE.match(value)
    if family is None or family.group(1) in NEVER_WAIVED:
        raise ValueError("names no rule that can be waived")
    return value


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, str_strip_whitespace=True)

    rule: Annotated[str, AfterValidator(_waivable)]
    resource: str = Field(min_length=1)
    stack: str = Field(default=ALL, min_length=1)
    owner: str = Field(min_length=2)
    reason: str = Field(min_length=15)
    expires: Annotated[date, Field(strict=False), BeforeValidator(_iso_date)]


_RULES: dict[str, tuple[str, str]] = {
    "rule": (
        f"a rule's id, its family in full; not of {', '.join(sorted(NEVER_WAIVED))}",
        "write for example policy/images-pinned, or schema/*",
    ),
    "resource": ("a pattern of URNs, TYPE::NAME or names", "write the resource's name; * for every one"),
    "stack": ("a pattern of stacks' names", "write a stack's name, or leave it out for all of them"),
    "owner": ("who answers for it", "name a team or a person"),
    "reason": (
        "why the rule does not hold there, in a sentence",
        "say what makes it safe until then, or what it waits for",
    ),
    "expires": ("the last day on which it holds, as YYYY-MM-DD", "write for example 2027-05-31"),
}


def read(path: Path, root: Path) -> tuple[tuple[Waiver, ...], tuple[Problem, ...]]:
    """The waivers of a file, and what is wrong with it; no waivers where there is no file.

    A waiver with a problem is left out, the others hold. `root`: what file names are relative to.
    """
    if not path.is_file():
        return (), ()
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    try:
        document = parse(path.read_text(encoding="utf-8"), path)
    except (StackFileError, UnicodeDecodeError) as error:
        first = error.problems[0] if isinstance(error, StackFileError) else None
        line, got = (first.line, first.got) if first else (1, "bytes that are no UTF-8")
        return (), (Problem(line, (), got, f"the file is YAML: {_SHAPE}", "mend its syntax there"),)
    if document.data is None:
        return (), ()
    if not isinstance(document.data, list):
        return (), (Problem(1, (), _word(document.data), *_NO_LIST),)
    waivers = []
    problems = list(document.problems)
    broken = {problem.path[0] for problem in problems if problem.path}
    for index, given in enumerate(document.data):
        try:
            entry = _Entry.model_validate(given)
        except ValidationError as error:
            problems += _problems(error, index, given, document)
            continue
        if index not in broken:
            fields = entry.model_dump()
            waivers.append(Waiver(**fields, place=Place(name, document.line((index,)))))
    # Of two problems of one value the second says what is wanted there.
    distinct = {problem.path: problem for problem in problems}.values()
    return tuple(waivers), tuple(sorted(distinct, key=lambda problem: (problem.line, str(problem.path))))


def _problems(error: ValidationError, index: int, given: Any, document: Document) -> Iterable[Problem]:
    for found in error.errors(include_url=False):
        path: KeyPath = (index, *found["loc"])
        key = str(found["loc"][0]) if found["loc"] else ""
        rule, fix = _RULES.get(key, _NO_LIST)
        got = _word(given.get(key) if key in _RULES else given)
        if found["type"] == "missing":
            got, rule = "nothing", f"a waiver has {key}: {rule}"
        elif found["type"] == "extra_forbidden":
            got, rule, fix = f"the key {key}", f"keys of a waiver: {', '.join(_RULES)}", "remove or rename it"
        yield Problem(document.line(path), path, got, rule, fix)


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else str(value) or "nothing"


def is_for(waiver: Waiver, stack: str) -> bool:
    """Whether a waiver means this stack."""
    return fnmatchcase(stack, waiver.stack)


def covers(waiver: Waiver, rule: str, urn: str, stack: str) -> bool:
    """Whether a waiver means this rule's finding on this resource of that stack, whatever the day."""
    if not fnmatchcase(rule, waiver.rule) or not is_for(waiver, stack):
        return False
    return means(waiver, urn)


def means(waiver: Waiver, urn: str) -> bool:
    """Whether a waiver is for a resource, whatever the rule and the stack."""
    return any(fnmatchcase(name, waiver.resource) for name in names_of(urn))


def waiver_of(waivers: Sequence[Waiver], rule: str, urn: str, stack: str, today: date) -> Waiver | None:
    """The waiver that holds today for a rule's finding on a resource: of several, the one that ends last."""
    holding = [waiver for waiver in waivers if today <= waiver.expires and covers(waiver, rule, urn, stack)]
    return max(holding, key=lambda waiver: waiver.expires, default=None)
