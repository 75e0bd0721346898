"""Values and words on one line."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pytest

from report.formats.text import clip, line_diff, many, names, one_line, percent, value, visible
from report.model import SECRET, UNKNOWN


def test_nothing_that_controls_or_hides_stays_as_it_is() -> None:
    for point in range(sys.maxunicode + 1):
        char = chr(point)
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            assert visible(char).isascii() and visible(char).isprintable(), hex(point)


def test_what_can_be_seen_stays() -> None:
    assert visible("Grüße, 世界 ± ✓ 👍 a\\b") == "Grüße, 世界 ± ✓ 👍 a\\b"
    assert visible("a\x1b[31m\n\ud800") == "a\\x1b[31m\\n\\ud800"


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (None, "not set"),
        (UNKNOWN, "known after up"),
        (SECRET, "[secret]"),
        (3, "3"),
        ("3", '"3"'),
        (True, "true"),
        ("true", '"true"'),
        ("null", '"null"'),
        ("", '""'),
        (" a", '" a"'),
        ("known after up", '"known after up"'),
        ("not set", '"not set"'),
        ("a b", "a b"),
        ("one\ntwo", "one\\ntwo"),
        ({"b": UNKNOWN, "a": [1, None]}, '{"a": [1, null], "b": known after up}'),
        ([], "[]"),
        (1.5, "1.5"),
    ],
)
def test_a_value_is_what_it_looks_like(found: Any, shown: str) -> None:
    assert value(found) == shown


def test_long_values_are_cut() -> None:
    assert value("x" * 500, 10) == "xxxxxxxxx…"
    assert len(value({"a": "x" * 500}, 50)) == 50
    assert clip("abc", 3) == "abc"
    assert one_line("a \n\t b", 50) == "a b"


def test_texts_of_several_lines_are_compared_by_line() -> None:
    assert line_diff("a\nb\nc\n", "a\nB\nc\n") == ["-b", "+B"]
    assert line_diff("--- x\na", "--- y\na") == ["---- x", "+--- y"]
    assert line_diff("a", "b") == []
    assert line_diff(None, "a\nb") == []
    assert line_diff({"a": 1}, "a\nb") == []
    many_lines = "\n".join(str(number) for number in range(30))
    assert line_diff(many_lines, "a\nb")[-1] == "  … 20 more lines"
    assert line_diff("x\n" * 5000, "y\n" * 5000) == []


def test_numbers_and_names_read_well() -> None:
    assert many(1, "node") == "1 node"
    assert many(5000, "node") == "5,000 nodes"
    assert names(["a", "b"]) == "a, b"
    assert names([str(number) for number in range(9)], 2) == "0, 1 and 7 more"
    assert [percent(share) for share in (1, 0.5, 0.1667, 0.0001)] == [
        "100 %",
        "50 %",
        "16.7 %",
        "under 0.1 %",
    ]
