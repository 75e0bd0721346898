"""Values and words as people's reports show them: on one line, of bounded length, nothing hidden in them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from report.model import UNKNOWN, Op

KNOWN_AFTER_UP = "known after up"
"""What stands for a value that the engine cannot know before the change is applied."""
NOT_SET = "not set"
"""What stands for a property that is not there."""

MARKS = {Op.CREATE: "+", Op.UPDATE: "~", Op.REPLACE: "±", Op.DELETE: "−", Op.SAME: "="}
"""One character for each operation, so that nothing rests on colour alone."""

_DIFF_LINES = 12
_DIFF_SOURCE = 2000
"""Lines of a text beyond which it is not compared line by line."""


def visible(text: str) -> str:
    """The text with everything unprintable (controls, bidirectional marks, …) escaped, as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )


def block(text: str) -> str:
    """Words of others for machines' reports: lines stay lines, and it is at most 4000 characters."""
    return clip("\n".join(visible(line.expandtabs(4)) for line in text.splitlines()), 4000)


def clip(text: str, limit: int) -> str:
    """The text, cut to at most `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def one_line(text: str, limit: int = 300) -> str:
    """Words of others on one line: runs of white space are one space, the rest as `visible`."""
    # Only so much of it is looked at as can be shown.
    return clip(visible(" ".join(text[: limit * 4].split())), limit)


def value(value: Any, limit: int = 120) -> str:
    """A value of a property on one line. A text stands as it is unless it could be taken for another."""
    if value is None:
        return NOT_SET
    if isinstance(value, str):
        if value == UNKNOWN:
            return KNOWN_AFTER_UP
        head = value[: limit + 1]
        return clip(visible(head if _is_plain(head) else compact(head)), limit)
    return clip(visible(compact(value).replace(f'"{UNKNOWN}"', KNOWN_AFTER_UP)), limit)


def compact(value: Any) -> str:
    """A value as JSON on one line, its keys sorted, readable."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=plain, separators=(", ", ": "))


def plain(value: Any) -> Any:
    """What JSON has no type for, as something that it has one for."""
    return dict(value) if isinstance(value, Mapping) else str(value)


def line_diff(old: Any, new: Any) -> list[str]:
    """Lines that go (`-`) and come (`+`) between two texts of several lines, at most a dozen; else none."""
    if not isinstance(old, str) or not isinstance(new, str) or "\n" not in old.strip() + new.strip():
        return []
    before, after = old.splitlines(), new.splitlines()
    if max(len(before), len(after)) > _DIFF_SOURCE:
        return []
    entries = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
    lines = [clip(visible(entry.expandtabs(4)), 160) for entry in entries if entry[0] in "+-"]
    more = len(lines) - _DIFF_LINES
    return [*lines[:_DIFF_LINES], f"  … {many(more, 'more line')}"] if more > 0 else lines


def many(number: int, noun: str) -> str:
    """`1 change`, `5,000 changes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def names(items: Sequence[str], most: int = 6) -> str:
    """`a, b, c and 12 more`."""
    shown = ", ".join(one_line(name, 80) for name in items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most:,} more"


def percent(share: float) -> str:
    """A share between 0 and 1: `50 %`, `2.5 %`, `under 0.1 %`."""
    if 0 < share < 0.001:
        return "under 0.1 %"
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def _is_plain(text: str) -> bool:
    """Whether a text without quotes can be taken for nothing but a text."""
    if text != text.strip() or text in ("", KNOWN_AFTER_UP, NOT_SET):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return True
    return False
