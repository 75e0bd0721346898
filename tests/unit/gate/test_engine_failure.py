"""Why a preview failed is told in words that help, and that are the same on every machine."""

from __future__ import annotations

from pathlib import Path

from gate.engine_failure import findings
from report.model import Notice, Place

DIRECTORY = Path("/tmp/crossmesh-gate-x/head")
URN = "urn:pulumi:lab::crossmesh::crossmesh:tls:Certificate::shop-gateway"


def program(*lines: str) -> list[dict[str, dict[str, str]]]:
    return [{"diagnosticEvent": {"message": f"{line}\n\n", "severity": "info#err"}} for line in lines]


def test_an_exception_is_told_by_its_last_line_and_placed_in_the_project() -> None:
    (found,) = findings(
        [],
        program(
            "error: the program failed:",
            "Traceback (most recent call last):",
            f'  File "{DIRECTORY}/__main__.py", line 24, in main',
            "    build()",
            f'  File "{DIRECTORY}/components/region.py", line 57, in build',
            "    spec.replica",
            '  File "/usr/lib/python3/pydantic/main.py", line 1110, in __getattr__',
            "    raise AttributeError(item)",
            "AttributeError: no attribute 'replica'",
        ),
        "",
        DIRECTORY,
    )
    assert found.message.splitlines()[0] == "AttributeError: no attribute 'replica'"
    assert found.place == Place("components/region.py", 57)
    assert str(DIRECTORY) not in found.message


def test_an_error_that_the_program_explains_itself_is_told_as_it_is() -> None:
    (found,) = findings([], program("error: chart base: helm template failed", "try --debug"), "", DIRECTORY)
    assert found.message == "chart base: helm template failed\ntry --debug"
    assert found.place is None


def test_what_the_program_wrote_before_it_failed_is_not_why() -> None:
    (found,) = findings([], program("DeprecationWarning: hello", "error: no such region"), "", DIRECTORY)
    assert found.message == "no such region"


def test_a_module_without_a_file_is_no_place() -> None:
    lines = [
        "error: it failed:",
        "Traceback (most recent call last):",
        '  File "<frozen runpy>", line 88, in run',
        "ValueError: x",
    ]
    (found,) = findings([], program(*lines), "", DIRECTORY)
    assert found.place is None


def test_a_resource_that_failed_counts_more_than_that_something_failed() -> None:
    notices = [Notice("error", "preview failed"), Notice("error", "it must be less", URN)]
    (found,) = findings(notices, [], "", DIRECTORY)
    assert (found.urn, found.message) == (URN, "it must be less")


def test_warnings_are_no_failures() -> None:
    (found,) = findings([Notice("warning", "not measurable", URN)], [], "error: no plugin", DIRECTORY)
    assert (found.urn, found.message) == ("", "error: no plugin")


def test_an_engine_without_a_word_has_failed_as_well() -> None:
    (found,) = findings([], [], "", DIRECTORY)
    assert found.message == "the preview ended without a result"
