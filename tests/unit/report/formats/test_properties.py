"""Whatever texts there are, and however many: the comment keeps its limits and its shape."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from report.examination import Examination
from report.formats import junit, markdown, picture, sarif, terminal
from report.model import Change, Op, PropertyChange, Risk
from tests.unit.report.formats import reading, samples

PIECES = st.sampled_from(
    [
        *[
            "`",
            "``",
            "|",
            "\\",
            "<",
            ">",
            "<!--",
            "-->",
            "@team",
            "#1",
            "*",
            "_",
            "~~",
            "[",
            "](",
            ")",
            "!",
            "&",
            ";",
            "$",
            ":x:",
            "://",
            "www.",
            "GH-1",
            "-",
            "1.",
            "🙂",
            "a",
        ],
        *(" ", "\n", "\r", "\x1b[2J", "\x00", "\u202e", "\ud800"),
    ]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(st.characters(), max_size=40))


def clean(text: str) -> None:
    """No control characters but line ends, and nothing invisible but what keeps shorthands apart."""
    assert {char for char in text if not char.isprintable()} <= {"\n", "\u200b"}


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_any_text_stays_a_text(text: str) -> None:
    examination = samples.hostile(text)
    comment = markdown.render([examination])
    clean(comment)
    reading.check(comment)
    clean(terminal.render([examination]))
    for render in (picture.render, junit.render):
        made = render([examination])
        clean(made)
        ET.fromstring(made)
    sarif.render([examination]).encode("ascii")


@st.composite
def examinations(draw: st.DrawFn) -> Examination:
    """Many changes with long texts."""
    text = draw(st.sampled_from(["a", "🙂", "&", "`", "@a", "\x1b", "ü", "<!-- "])) * draw(
        st.integers(1, 150)
    )
    number = draw(st.integers(0, 250))
    risk = draw(st.sampled_from(list(Risk)))
    properties = [PropertyChange(f"{text}{n}", text, f"{text}\nb\n") for n in range(draw(st.integers(0, 14)))]
    changes: list[Change] = [
        samples.change(Op.UPDATE, f"a:b:{text}", f"{text}{n}", properties, risk=risk, why=text)
        for n in range(number)
    ]
    base = draw(st.sampled_from([samples.rich, samples.empty, samples.failed, samples.hostile]))()
    return replace(base, changes=replace(base.changes, changes=(*base.changes.changes, *changes)))


@given(st.lists(examinations(), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_the_comment_is_never_too_long(several: list[Examination]) -> None:
    comment = markdown.render(several)
    assert len(comment) <= markdown.CHARACTERS
    assert len(comment.encode()) <= markdown.BYTES
    clean(comment)
