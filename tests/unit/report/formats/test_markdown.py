"""The comment on a merge request: the worst first, never too long, and nobody's text is more than text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from report.examination import Examination
from report.exit_codes import ExitCode
from report.formats import markdown
from report.formats.markdown import marker
from report.formats.mermaid import MOST_PARTS
from report.model import Change, Finding, Layer, Notice, Op, Part, PropertyChange, Risk, Row, Status, Topology
from tests.unit.report.formats import reading, samples


def headings(text: str) -> list[str]:
    """Headings of a comment, in order."""
    return [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]


def with_changes(changes: Sequence[Change]) -> Examination:
    """An examination with these changes and nothing else."""
    empty = samples.empty()
    return replace(empty, changes=replace(empty.changes, changes=tuple(changes)))


def destructive(number: int, text: str = "") -> list[Change]:
    """So many destructive changes."""
    return [
        samples.delete(
            "kubernetes:core/v1:Namespace", f"name-{n:05}{text}", risk=Risk.DESTRUCTIVE, why="it goes"
        )
        for n in range(number)
    ]


def test_the_marker_comes_first_and_names_the_command() -> None:
    assert marker() == "<!-- crossmesh-gate -->"
    assert markdown.render([samples.rich()]).splitlines()[0] == marker()
    assert markdown.render([samples.drift()]).splitlines()[0] == marker("drift") == "<!-- crossmesh-drift -->"


def test_the_worst_stands_first() -> None:
    assert headings(markdown.render([samples.rich()])) == [
        "⛔ crossmesh gate: refused by rules",
        "Stack lab",
        "Destructive changes (2)",
        "Changes that traffic may notice (2)",
        "Findings (4)",
        "Layers that change (3)",
        "Not measurable (1)",
    ]
    text = markdown.render([samples.rich()])
    assert text.index("not approved") < text.index("(approved)")


def test_every_stack_has_its_verdict_in_the_table() -> None:
    text = markdown.render([samples.rich(), samples.empty(), samples.failed()])
    assert "| **lab** | **refused by rules** (5) | 4 | 3 | 1 | 1 | 2 |" in text
    assert "| **staging** | **clean** (0) | 0 | 0 | 0 | 0 | 0 |" in text
    assert "| **production** | **preview failed** (4) | ? | ? | ? | ? | ? |" in text
    assert text.splitlines()[1] == "## ⛔ crossmesh gate: preview failed"


def test_nothing_to_say_is_short() -> None:
    text = markdown.render([samples.empty()])
    assert headings(text) == ["✅ crossmesh gate: clean"]


def test_all_entries_are_there_while_there_is_room() -> None:
    text = markdown.render([with_changes(destructive(60))])
    assert text.count("`name-") == 60
    assert "other reports" not in text and "Destructive changes (60)" in text


def test_changes_beyond_many_are_told_by_what_they_have_in_common() -> None:
    text = markdown.render([with_changes(destructive(2000))])
    assert "Destructive changes (2,000)" in text
    assert "− delete 1,940 × `Namespace` `name-00060`" in text
    assert len(text) < markdown.CHARACTERS / 2


def test_too_many_entries_are_cut_whole_and_counted() -> None:
    empty = samples.empty()
    layer = Layer("dns", "DNS", tuple(Row(f"row-{number:05}", "a", "b") for number in range(9000)))
    text = markdown.render([replace(empty, layers=(layer,))])
    shown = text.count("`row-")
    assert f"- … {9000 - shown:,} more lines of layers: see the other reports" in text
    assert markdown.CHARACTERS - 300 < len(text) <= markdown.CHARACTERS
    assert [f"row-{number:05}" in text for number in range(9000)] == [
        number < shown for number in range(9000)
    ]


def test_what_is_less_bad_is_cut_first() -> None:
    long = [
        samples.change(
            Op.UPDATE, "a:b:C", f"name-{n}", [PropertyChange(f"p{m}", "x" * 300, "y") for m in range(10)]
        )
        for n in range(60)
    ]
    changes = [*(replace(change, risk=Risk.DESTRUCTIVE, why="it goes") for change in long), *long[:1]]
    failure = Finding("policy/a", Status.FAIL, "this stops it")
    notices = (Notice("info", "a word"), Notice("info", "another"))
    examination = with_changes(changes)
    examination = replace(
        examination, changes=replace(examination.changes, notices=notices), findings=(failure,)
    )
    several = [replace(examination, stack=f"stack-{number}") for number in range(2)]
    text = markdown.render(several)
    assert text.count("this stops it") == 2
    assert text.count("`name-") > 30
    assert "**Not shown here: 2 ordinary changes, 4 messages of the engine**; see the other reports" in text


def test_one_stack_leaves_room_for_the_failures_of_another() -> None:
    text = markdown.render([with_changes(destructive(2000)), samples.rich()])
    assert "asset-mgr-ms-svc is exposed and has 1 replica" in text
    assert "| **lab** |" in text


def test_hundreds_of_stacks_fit() -> None:
    several = [replace(samples.rich(), stack=f"stack-{number}") for number in range(400)]
    text = markdown.render(several)
    assert len(text) <= markdown.CHARACTERS
    assert "**Not shown here: " in text


def test_wide_characters_are_counted_in_bytes() -> None:
    text = markdown.render([with_changes(destructive(2000, "🙂" * 60))])
    assert len(text.encode()) <= markdown.BYTES
    assert "🙂" in text


def test_text_of_others_is_text() -> None:
    text = markdown.render([samples.hostile()])
    reading.check(text)
    titles = [token.content for token in reading.tokens(text) if token.type == "inline"]
    assert sum("Destructive changes" in title for title in titles) == 1
    assert text.count(marker()) == text.count("`<!-- crossmesh-gate -->") + 1 or "\n<!--" not in text[1:]


@pytest.mark.parametrize(
    "text",
    [
        "<!-- crossmesh-gate -->",
        "</details>",
        "@team",
        "a@b.example",
        "#12",
        "octo/repo#12",
        "!7",
        "GH-7",
        ":tada:",
        "https://evil.example",
        "www.evil.example",
        "[a](b)",
        "![a](b)",
        "**a**",
        "_a_",
        "~~a~~",
        "`a`",
        "``",
        "a | b",
        "\\",
        "\\|",
        "&lt;",
        "$x$ $y$",
        "# a",
        "- a",
        "1. a",
        "> a",
        "---",
        "```",
        "\n\n# a",
        "\r\n- a",
        "<b>a</b>",
        "<https://evil.example>",
        "+",
        " ",
        "",
    ],
)
def test_each_trick_stays_a_text(text: str) -> None:
    plain = markdown.render([samples.hostile("x")])
    tricked = markdown.render([samples.hostile(text)])
    reading.check(tricked)

    def structure(comment: str) -> list[str]:
        kinds = ("heading_open", "table_open", "tr_open", "td_open", "html_block", "fence")
        return [token.type for token in reading.tokens(comment) if token.type in kinds]

    # Texts of several lines are compared line by line, in blocks of their own.
    assert [kind for kind in structure(tricked) if kind != "fence"] == [
        kind for kind in structure(plain) if kind != "fence"
    ]


def test_code_shows_exactly_what_it_holds() -> None:
    for name in ("a|b", "a`b", "``", "\\|", "<!-- x -->", "@team", "&lt;", "*a*", "a  b"):
        text = markdown.render([with_changes([samples.delete("a:b:C", name, risk=Risk.DESTRUCTIVE)])])
        shown = [token.content for token in reading.tokens(text) if token.type == "code_inline"]
        assert name in shown


def test_values_are_told_from_what_is_not_known() -> None:
    text = markdown.render([samples.rich()])
    assert "`stringData.us`: `[secret]` → `known after up`" in text
    assert "`metadata.annotations`: `not set` → " in text


def test_changes_that_are_alike_are_told_once() -> None:
    label = [PropertyChange("metadata.labels.version", "1", "2")]
    changes = [
        samples.change(Op.UPDATE, "kubernetes:core/v1:ConfigMap", f"map-{n}", label) for n in range(3000)
    ]
    text = markdown.render([with_changes(changes)])
    assert "update 3,000 × `ConfigMap` `map-0`" in text and "and 2,988 more" in text
    assert "<summary>3,000 ordinary changes</summary>" in text


def test_waivers_are_folded_and_told_once() -> None:
    rich = samples.rich()
    waived = next(found for found in rich.findings if found.status is Status.WAIVED)
    several = tuple(replace(waived, urn=samples.urn("a:b:C", f"c-{number}")) for number in range(10))
    text = markdown.render([replace(rich, findings=several)])
    assert "<details><summary>10 waived findings</summary>" in text
    assert text.count("BIRD sets routes of its host") == 1
    assert "`policy/no-privileged`, waived by network team until 2026-12-31: BIRD" in text
    assert "`a:b:C::c-0`" in text and "and 2 more" in text


def test_small_topologies_are_drawn() -> None:
    assert "```mermaid\nflowchart LR\n" in markdown.render([samples.rich()])
    many = tuple(Part(str(number), "region", "x") for number in range(MOST_PARTS + 1))
    assert "mermaid" not in markdown.render([replace(samples.empty(), topology=Topology(many))])


def test_labels_of_the_drawing_hold_no_markup() -> None:
    text = markdown.render([samples.hostile()])
    drawn = text[text.index("```mermaid") :].splitlines()
    for line in drawn[2 : drawn.index("```")]:
        assert "<script" not in line and "click" not in line.split("[")[0]


def test_every_code_has_its_headline() -> None:
    for code in ExitCode:
        verdict = replace(samples.empty().verdict, code=code)
        text = markdown.render([replace(samples.empty(), verdict=verdict)])
        assert text.splitlines()[1].startswith(("## ✅ ", "## ⚠️ ", "## ⛔ "))
