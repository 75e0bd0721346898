"""Text of others within Markdown: it shows what it is, and is nothing else.

Names and values stand in code spans, where nothing is interpreted. Sentences stand as text in which
everything is escaped that Markdown, HTML, or the platforms' own shorthands (mentions, references, emoji, bare
links) would make something of. Both are on one line.
"""

from __future__ import annotations

import re

from report.formats.text import clip, one_line, visible

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|~#&$]")
_SHORTHAND = re.compile(r"[@#!~%&$](?=[\w\"*])|:(?=//|[\w+-]+:)|(?<=[wW]{3})\.|[gG][hH](?=-\d)")
_APART = "\u200b"
"""A space of no width: it ends what the platforms would take for one of their shorthands."""
_TICKS = re.compile("`+")


def code(text: str, limit: int = 200) -> str:
    """A name or a value in a code span."""
    return _span(clip(visible(text[: limit + 1]), limit))


def prose(text: str, limit: int = 600) -> str:
    """A sentence as plain text."""
    apart = _SHORTHAND.sub(lambda found: f"{found.group(0)}{_APART}", one_line(text, limit))
    return _SPECIAL.sub(lambda found: "&amp;" if found.group(0) == "&" else f"\\{found.group(0)}", apart)


def fenced(lines: list[str], language: str, indent: str) -> str:
    """A block of lines, in a fence that none of them can close."""
    longest = max((len(run) for entry in lines for run in _TICKS.findall(entry)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join(f"{indent}{entry}" for entry in (f"{fence}{language}", *lines, fence))


def _span(text: str) -> str:
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    if not longest:
        return f"`{text}`" if text.strip() else "` `"
    # A space at both ends is taken away again, and keeps ticks of the text from those of the span.
    ticks = "`" * (longest + 1)
    return f"{ticks} {text} {ticks}"
