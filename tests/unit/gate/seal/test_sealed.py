"""The file of a sealed plan: what is in it comes back, and nothing in it can be changed unnoticed."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from gate.seal import sealed
from report.errors import StaleError
from stacks import digests
from tests.unit.gate.seal.support import sealed_plan, secret


def document(content: bytes) -> Any:
    return json.loads(content)


def test_what_was_sealed_is_read_back(tmp_path: Path) -> None:
    plan = sealed_plan()
    digest = sealed.write(tmp_path / "plan", plan)
    content = (tmp_path / "plan").read_bytes()
    assert sealed.decode(content) == plan
    assert digest == digests.of_bytes(content)
    assert [path.name for path in tmp_path.iterdir()] == ["plan"]


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "plan").write_text("older")
    (tmp_path / "plan").chmod(0o644)
    sealed.write(tmp_path / "plan", sealed_plan())
    assert stat.S_IMODE((tmp_path / "plan").stat().st_mode) == 0o600


def test_the_same_plan_gives_the_same_bytes() -> None:
    assert sealed.encode(sealed_plan()) == sealed.encode(sealed.decode(sealed.encode(sealed_plan())))


def test_the_engines_values_come_through_unchanged() -> None:
    values = {"float": 0.1, "large": 5e21, "int": 2**53, "text": "Ä\ud800\u2028", "none": None, "s": secret()}
    plan = {"resourcePlans": {"u": {"state": values}}}
    assert sealed.decode(sealed.encode(sealed_plan(plan=plan))).plan == plan


def test_an_older_file_stays_when_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plan").write_text("older")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        sealed.write(tmp_path / "plan", sealed_plan())
    assert (tmp_path / "plan").read_text() == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["plan"]


def test_no_byte_can_be_flipped_unnoticed() -> None:
    content = sealed.encode(sealed_plan())
    for position in range(len(content)):
        touched = bytearray(content)
        touched[position] ^= 1
        with pytest.raises(StaleError):
            sealed.decode(bytes(touched))


def test_no_part_can_be_cut_off_unnoticed() -> None:
    content = sealed.encode(sealed_plan())
    for length in range(0, len(content), 7):
        with pytest.raises(StaleError, match="cut off"):
            sealed.decode(content[:length])


@pytest.mark.parametrize("more", [b"\n", b" ", b"{}", b"\0"])
def test_nothing_can_be_appended_unnoticed(more: bytes) -> None:
    with pytest.raises(StaleError):
        sealed.decode(sealed.encode(sealed_plan()) + more)


@pytest.mark.parametrize("part", ["bound", "changes", "packs", "plan", "stack", "waivers"])
def test_the_part_that_was_touched_is_named(part: str) -> None:
    found = document(sealed.encode(sealed_plan()))
    found["parts"][part] = "something else"
    with pytest.raises(StaleError, match=rf"its part {part}\b"):
        sealed.decode(digests.canonical(found))


def test_a_part_that_was_sealed_anew_by_itself_is_noticed() -> None:
    found = document(sealed.encode(sealed_plan()))
    found["parts"]["packs"] = ["*"]
    found["digests"]["packs"] = digests.of_value(found["parts"]["packs"])
    with pytest.raises(StaleError, match="its digests"):
        sealed.decode(digests.canonical(found))


def test_a_part_too_many_is_noticed_even_with_its_digest() -> None:
    found = document(sealed.encode(sealed_plan()))
    found["parts"]["more"] = 1
    found["digests"]["more"] = digests.of_value(1)
    found["digest"] = digests.of_value(found["digests"])
    with pytest.raises(StaleError, match="outside of its parts"):
        sealed.decode(digests.canonical(found))


def test_a_part_that_is_missing_is_named() -> None:
    found = document(sealed.encode(sealed_plan()))
    del found["parts"]["plan"]
    with pytest.raises(StaleError, match="plan"):
        sealed.decode(digests.canonical(found))


def test_an_older_or_newer_form_is_said_to_be_one() -> None:
    found = document(sealed.encode(sealed_plan())) | {"version": 1}
    with pytest.raises(StaleError, match="version 1 of the format; what is read here is version 3"):
        sealed.decode(digests.canonical(found))


@pytest.mark.parametrize("content", [b"[]", b"1", b'{"format": "other"}', b'"crossmesh-sealed-plan"'])
def test_another_file_is_said_to_be_no_sealed_plan(content: bytes) -> None:
    with pytest.raises(StaleError, match="no sealed plan"):
        sealed.decode(content)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xff\xfe\x00", b'{"a": NaN}', b"[" * 100_000])
def test_what_is_no_json_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(StaleError, match="cannot be read"):
        sealed.decode(content)


def test_the_words_of_a_refusal_quote_nothing_of_the_file() -> None:
    with pytest.raises(StaleError) as caught:
        sealed.decode(b'{"password": "hunter2')
    assert "hunter2" not in caught.value.message
