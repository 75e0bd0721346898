"""Read a Markdown comment as a platform would, to see what it makes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from report.formats.markdown import marker

OWN_HTML = re.compile(
    r"<!-- crossmesh-(?:gate|drift) -->|</?details>|<details><summary>[\w, ]+</summary>|</?sub>"
)
SHORTHAND = re.compile(r"[@#!~%&$]\w|://|\bwww\.\w|\b[gG][hH]-\d|:[\w+-]+:")
"""What platforms turn into mentions, references, links and pictures of faces."""


def tokens(text: str) -> list[Token]:
    """Everything that is read in a comment, inline parts after the block that holds them."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])

    def flat(found: list[Token]) -> Iterator[Token]:
        for token in found:
            yield token
            yield from flat(token.children or [])

    return list(flat(parser.parse(text)))


def check(text: str) -> None:
    """Nothing in a comment is more than text but what the report itself means to be more."""
    assert text.startswith(f"{marker()}\n")
    for token in tokens(text):
        if token.type in ("html_block", "html_inline"):
            for piece in token.content.strip().splitlines():
                assert OWN_HTML.fullmatch(piece), piece
        elif token.type == "text":
            assert not SHORTHAND.search(token.content), token.content
        assert token.type not in ("link_open", "image", "em_open", "s_open", "blockquote_open"), token
        assert token.type not in ("code_block", "hr", "ordered_list_open"), token
        if token.type == "fence":
            assert token.info in ("diff", "mermaid")
