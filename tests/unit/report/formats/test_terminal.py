"""The terminal's report stays readable, whatever its size and its texts."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from report.formats import terminal
from report.model import Risk
from tests.unit.report.formats import samples


def test_the_verdict_comes_last_and_the_worst_of_them_at_the_very_end() -> None:
    lines = terminal.render([samples.rich(), samples.drift(), samples.empty()]).splitlines()
    assert [line.partition(":")[0] for line in lines[-3:]] == ["staging", "lab", "lab"]
    assert lines[-1] == "lab: refused by rules (exit code 5). 1 finding against the change: policy/replicas."


def test_what_is_destructive_comes_first() -> None:
    text = terminal.render([samples.rich()])
    order = [
        text.index(words) for words in ("Destructive", "traffic may notice", "Ordinary", "Findings", "DNS")
    ]
    assert order == sorted(order)


def test_thousands_of_changes_are_a_few_lines() -> None:
    lines = terminal.render([samples.huge()]).splitlines()
    assert len(lines) < 500
    assert any(line.startswith("  + create  2,000 × ServiceAccount ") for line in lines)
    assert any(line.startswith("  ~ update  2,000 × ConfigMap ") for line in lines)
    assert any(line.startswith("  ~ update  880 × Deployment ") for line in lines)
    assert any(line.startswith("  − delete  60 × StatefulSet ") for line in lines)
    assert "  … 460 more findings of policy/replicas (the JSON report has all)" in lines


def test_few_ordinary_changes_are_told_one_by_one() -> None:
    text = terminal.render([samples.rich()])
    assert "+ create  ConfigMap ap-settings-1\n" in text


def test_what_was_not_compared_is_not_called_unchanged() -> None:
    text = terminal.render([samples.failed()])
    assert "what changes is not known" in text and "stay" not in text


def test_what_has_happened_is_told_as_that() -> None:
    assert "1 updated, 1 deleted; 0 stay" in terminal.render([samples.drift()])


def test_nothing_in_a_value_moves_the_cursor() -> None:
    text = terminal.render([samples.hostile()])
    assert "\x1b" not in text and "\\x1b[31mred" in text


def test_lines_are_whole_where_there_is_no_terminal() -> None:
    long = samples.delete("a:b:C", "x" * 100, risk=Risk.DESTRUCTIVE, why="y " * 100)
    examination = replace(samples.empty(), changes=replace(samples.empty().changes, changes=(long,)))
    assert any(len(line) > terminal.WIDTH for line in terminal.render([examination]).splitlines())


def test_a_narrow_terminal_wraps() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=50, color_system=None)
    lines = terminal.render([samples.rich()], console).splitlines()
    assert max(len(line) for line in lines) < 80
