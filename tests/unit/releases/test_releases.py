"""The catalogue: what it says of each release, and that what rests on it says the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import releases
import toolchain
from toolchain.manifest import manifest

Write = Callable[[str, str], None]

ALL = [
    releases.release(directory.name, version)
    for directory in sorted(releases.ROOT.iterdir())
    if directory.is_dir()
    for version in releases.versions(directory.name)
]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file of a catalogue of the test's own."""
    monkeypatch.setattr(releases, "ROOT", tmp_path)

    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    return write


def test_there_is_a_release_of_each_program() -> None:
    assert {entry.program for entry in ALL} == {"istio", "kubernetes", "metallb"}


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: f"{entry.program} {entry.version}")
def test_images_have_tags_and_data_are_the_toolchain_s(entry: releases.Release) -> None:
    assert all(re.fullmatch(r"[^:@]+:v?\d[^:@]*", image) for image in entry.images.values())
    pinned = manifest().data
    assert all(pinned[data.name].version == data.version for data in entry.data.values())


def test_versions_come_in_the_order_of_their_numbers(write: Write) -> None:
    for version in ("1.9.0", "1.10.0", "1.9.12"):
        write(f"shop/{version}.toml", "")
    assert releases.versions("shop") == ("1.9.0", "1.9.12", "1.10.0")
    assert releases.versions("unknown") == ()


def test_an_unknown_release_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(releases.UnknownReleaseError, match=r"istio 1\.0\.0 .*: 1\.28\.3"):
        releases.release("istio", "1.0.0")


@pytest.mark.parametrize("text", ["imagse = {}", "images = ["])
def test_a_malformed_file_is_named(text: str, write: Write) -> None:
    write("shop/1.0.0.toml", text)
    with pytest.raises(ValueError, match=r"shop/1\.0\.0\.toml"):
        releases.release("shop", "1.0.0")


def test_a_release_supports_the_minor_versions_that_it_names() -> None:
    istio = releases.release("istio", "1.28.3")
    assert istio.supports("kubernetes", "1.34.3")
    assert not istio.supports("kubernetes", "1.35.0")
    assert not istio.supports("openshift", "4.20")


def test_the_toolchain_has_the_default_releases_and_what_they_bring() -> None:
    for program in ("istio", "kubernetes", "metallb"):
        assert toolchain.version(program) == releases.default(program)
    for program, version in releases.release("kubernetes", releases.default("kubernetes")).brings.items():
        assert toolchain.version(program) == version
