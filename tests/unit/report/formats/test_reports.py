"""What holds for every report: golden files, schemas, the same bytes for the same input, and speed.

`UPDATE_GOLDEN=1 python -m pytest tests/unit/report/formats` records the golden files anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pytest

from report.examination import Examination
from report.formats import FORMATS, document, junit, markdown, picture, sarif, terminal
from tests.unit.report.formats import samples

Render = Callable[[Sequence[Examination]], str]

RENDERERS: Mapping[str, Render] = {
    "terminal": terminal.render,
    "markdown": markdown.render,
    "json": document.render,
    "sarif": sarif.render,
    "junit": junit.render,
    "svg": picture.render,
}
SAMPLES: Mapping[str, Callable[[], Examination]] = {
    made.__name__: made
    for made in (
        samples.rich,
        samples.empty,
        samples.failed,
        samples.invalid,
        samples.drift,
        samples.unmeasured,
        samples.hostile,
    )
} | {"large": partial(samples.huge, changes=1000)}

every_sample = pytest.mark.parametrize("sample", SAMPLES)


def test_every_format_has_a_renderer() -> None:
    assert tuple(RENDERERS) == FORMATS


@pytest.mark.parametrize(
    ("format", "file"),
    [
        ("terminal", "report.txt"),
        ("markdown", "report.md"),
        ("json", "report.json"),
        ("sarif", "report.sarif"),
        ("junit", "report.xml"),
        ("svg", "report.svg"),
    ],
)
def test_a_rich_examination_is_reported_as_its_golden_file(
    golden: Callable[[str, str], None], format: str, file: str
) -> None:
    golden(file, RENDERERS[format]([samples.rich()]))


@every_sample
def test_json_keeps_to_the_projects_schema(valid_report: Callable[[str], None], sample: str) -> None:
    valid_report(document.render([SAMPLES[sample]()]))


@every_sample
def test_sarif_keeps_to_the_public_schema(valid_sarif: Callable[[str], None], sample: str) -> None:
    valid_sarif(sarif.render([SAMPLES[sample]()]))


@every_sample
def test_junit_keeps_to_the_public_schema(valid_junit: Callable[[str], None], sample: str) -> None:
    valid_junit(junit.render([SAMPLES[sample]()]))


def test_reports_of_several_stacks_keep_to_their_schemas(
    valid_report: Callable[[str], None],
    valid_sarif: Callable[[str], None],
    valid_junit: Callable[[str], None],
) -> None:
    several = [samples.rich(), samples.empty(), samples.failed()]
    valid_report(document.render(several))
    valid_sarif(sarif.render(several))
    valid_junit(junit.render(several))


@pytest.mark.parametrize("format", FORMATS)
@every_sample
def test_the_same_input_gives_the_same_bytes(format: str, sample: str) -> None:
    first, second = (RENDERERS[format]([SAMPLES[sample]()]) for _ in range(2))
    assert first.encode() == second.encode()
    assert first.endswith("\n") and not first.endswith("\n\n")


@pytest.mark.parametrize("format", FORMATS)
def test_no_report_has_a_control_character_of_its_input(format: str) -> None:
    text = RENDERERS[format]([samples.hostile()])
    odd = {char for char in text if not char.isprintable()} - {"\n", "\u200b"}
    assert odd == set()


def test_all_reports_of_a_huge_platform_take_under_two_seconds() -> None:
    huge = samples.huge()
    began = time.process_time()
    for render in RENDERERS.values():
        render([huge])
    assert time.process_time() - began < 2
