"""Golden files, and the schemas that reports are held against."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from lxml import etree

from report.formats import document

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests" / "golden" / "gate"
SCHEMAS = ROOT / "tests" / "gate" / "schemas"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with its golden file; UPDATE_GOLDEN=1 writes the file instead."""

    def compare(name: str, text: str) -> None:
        file = GOLDEN / name
        if os.environ.get("UPDATE_GOLDEN") == "1":
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        assert text == file.read_text(), (
            f"{file} differs; look at it, and run with UPDATE_GOLDEN=1 if it is meant"
        )

    return compare


@pytest.fixture(scope="session")
def valid_report() -> Callable[[str], None]:
    """Hold a JSON report against the schema that the project publishes."""
    schema = json.loads(document.FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return _checker(jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()))


@pytest.fixture(scope="session")
def valid_sarif() -> Callable[[str], None]:
    """Hold a SARIF report against the schema that OASIS publishes."""
    schema = json.loads((SCHEMAS / "sarif-schema-2.1.0.json").read_text())
    return _checker(jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker()))


@pytest.fixture(scope="session")
def valid_junit() -> Callable[[str], None]:
    """Hold a JUnit report against the schema that Jenkins' xUnit plugin publishes."""
    schema = etree.XMLSchema(file=str(SCHEMAS / "junit-10.xsd"))

    def check(text: str) -> None:
        schema.assertValid(etree.fromstring(text.encode()))

    return check


def _checker(validator: jsonschema.protocols.Validator) -> Callable[[str], None]:
    def check(text: str) -> None:
        problems = [
            f"{error.json_path}: {error.message:.200}" for error in validator.iter_errors(json.loads(text))
        ]
        assert problems == []

    return check
