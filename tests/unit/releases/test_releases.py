"""The catalogue: what it says of each release, and that what rests on it says the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

import releases
import toolchain
from toolchain.manifest import manifest

Write = Callable[[str, str], None]

ALL = releases.every()


LEAST = 'seen = "read"\n[support]\nsource = "the shop"\n'


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file of a catalogue of the test's own."""
    monkeypatch.setattr(releases, "ROOT", tmp_path)

    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    return write


def test_there_is_a_release_of_each_program() -> None:
    assert {entry.program for entry in ALL} == {"containerd", "gateway-api", "istio", "kubernetes", "metallb"}


@pytest.mark.parametrize(
    ("program", "instead"), [("containerd", releases.DISTRIBUTION), ("gateway-api", releases.OWNER)]
)
def test_what_others_bring_has_no_default_release(program: str, instead: str) -> None:
    assert releases.default(program) == instead
    assert program not in {entry.program for entry in releases.defaults()}
    assert program in {entry.program for entry in releases.others()}


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: f"{entry.program} {entry.version}")
def test_images_have_tags_and_data_are_the_toolchain_s(entry: releases.Release) -> None:
    assert all(re.fullmatch(r"[^:@]+:v?\d[^:@]*", image) for image in entry.images.values())
    for data in entry.data.values():
        assert manifest().entry(data.name, data.version).version == data.version == entry.version


def test_versions_come_in_the_order_of_their_numbers(write: Write) -> None:
    for version in ("1.9.0", "1.10.0", "1.9.12"):
        write(f"shop/{version}.toml", LEAST)
    assert releases.versions("shop") == ("1.9.0", "1.9.12", "1.10.0")
    assert releases.versions("unknown") == ()


def test_an_unknown_release_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(releases.UnknownReleaseError, match=r"istio 1\.0\.0 .*: 1\.28\.3"):
        releases.release("istio", "1.0.0")


@pytest.mark.parametrize(
    "text",
    [
        "images = [",
        "imagse = {}\n" + LEAST,
        LEAST.replace("source", "sorce"),
        LEAST + 'until = "2026-07-01"\n',
        LEAST + "until = 2026-07-01\nlast = 2026-07-02\n",
        LEAST.replace("read", "believed"),
        LEAST.partition("\n")[2],
        LEAST.partition("\n")[0],
        LEAST + 'runs_on.till = "x"\n',
        LEAST + '[runs_on.till]\nversions = ["1.2"]\n',
        LEAST + '[runs_on.till]\nversions = []\nsource = "shop"\n',
        LEAST + '[runs_on.till]\nversions = ["1.x"]\nsource = "shop"\n',
        LEAST + '[runs_on.till]\nversions = ["1.2"]\nsource = "shop"\nwhy = ""\n',
    ],
)
def test_a_malformed_file_is_named(text: str, write: Write) -> None:
    write("shop/1.0.0.toml", text)
    with pytest.raises(ValueError, match=r"shop/1\.0\.0\.toml"):
        releases.release("shop", "1.0.0")


def test_a_release_supports_the_minor_versions_that_it_names() -> None:
    istio = releases.release("istio", "1.28.3")
    assert istio.supports("kubernetes", "1.34.3")
    assert not istio.supports("kubernetes", "1.35.0")
    assert not istio.supports("openshift", "4.20")


@pytest.mark.parametrize(
    ("spans", "held", "others"),
    [
        (["1.30", "1.31"], ["1.30", "1.30.0", "1.31.12"], ["1.29.9", "1.32.0", "1.3", "2.30.1"]),
        (["1.7.28", "2.2+"], ["1.7.28", "1.7.30", "2.2.0", "2.10.0"], ["1.7.9", "1.8.0", "2.1.9"]),
        (["2.1.3+"], ["2.1.3", "2.1.4", "2.2.0", "3.0.0"], ["2.1.2", "2.0.9"]),
        (["1.13 to 1.35"], ["1.13.0", "1.20", "1.35.99"], ["1.12.9", "1.36.0", "2.20.0"]),
    ],
)
def test_what_a_release_runs_with_is_said_by_minor_versions_patches_and_spans(
    spans: list[str], held: list[str], others: list[str]
) -> None:
    needs = releases.Needs(tuple(spans), "the shop")
    assert [version for version in (*held, *others) if needs.hold(version)] == held
    assert needs.oldest == spans[0].split()[0].rstrip("+")


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.name)
def test_each_release_says_who_mends_it_with_what_it_runs_and_how_far_it_was_seen(
    entry: releases.Release,
) -> None:
    assert entry.support.source
    assert all(needs.source for needs in entry.runs_on.values())
    assert {entry.program, *entry.runs_on} <= releases.NAMES.keys()
    if releases.default(entry.program) == entry.version:
        assert entry.seen is releases.Seen.BROUGHT_UP, "each test run brings up the defaults"


@pytest.mark.parametrize(
    ("today", "state"),
    [
        ("2026-04-01", releases.State.MENDED),
        ("2026-04-02", releases.State.ENDING),
        ("2026-07-01", releases.State.ENDING),
        ("2026-07-02", releases.State.ENDED),
    ],
)
def test_a_release_is_spoken_of_from_90_days_before_its_end(today: str, state: releases.State) -> None:
    assert releases.Support("the shop", date(2026, 7, 1)).state(date.fromisoformat(today)) is state
    assert releases.Support("the shop").state(date.fromisoformat(today)) is releases.State.UNSTATED


def test_releases_that_do_not_go_together_are_told_with_what_would() -> None:
    clashes = list(releases.clashes({"istio": "1.28.3", "kubernetes": "1.36.0", "metallb": "0.15.2"}))
    assert [str(clash) for clash in clashes] == [
        "Kubernetes 1.36.0 with Istio 1.28.3",
        "Kubernetes 1.36.0 with MetalLB 0.15.2",
    ]
    assert clashes[1].rule == "MetalLB 0.15 runs on Kubernetes 1.13 to 1.35"
    assert "1.34.3" in releases.suitable("kubernetes", {"istio": "1.28.3", "kubernetes": "1.36.0"})
    assert releases.suitable("istio", {"kubernetes": "1.12"}) == ()


def test_past_the_end_of_a_list_a_pair_is_open_and_past_what_breaks_it_is_not() -> None:
    late, broken = releases.clashes({"istio": "1.28.3", "kubernetes": "1.36.0", "metallb": "0.15.2"})
    assert "not run here" in late.beyond
    assert not broken.beyond
    (early,) = releases.clashes({"istio": "1.28.3", "kubernetes": "1.29"})
    assert not early.beyond


@pytest.mark.parametrize(
    ("versions", "version", "after"),
    [
        (("1.30", "1.31"), "1.32.0", True),
        (("1.30", "1.31"), "1.32", True),
        (("1.30", "1.31"), "1.31.9", False),
        (("1.30", "1.31"), "1.29", False),
        (("1.13 to 1.35",), "1.36", True),
        (("1.13 to 1.35",), "1.35.9", False),
        (("1.7.28", "2.1.5", "2.2+"), "2.0.1", False),
        (("1.7.28", "2.2+"), "9.0", False),
    ],
)
def test_a_list_ends_before_minor_versions_that_are_later_than_all_of_it(
    versions: tuple[str, ...], version: str, after: bool
) -> None:
    assert releases.Needs(versions, "its makers").end_before(version) is after


def test_of_what_is_not_known_no_release_says_that_it_clashes() -> None:
    assert list(releases.clashes({"istio": "0.1.0", "kubernetes": "1.36.0", "metallb": None})) == []
    assert list(releases.clashes({"istio": "1.28.3", "kubernetes": None})) == []


def test_the_toolchain_has_the_default_releases_and_what_they_bring() -> None:
    for program in ("istio", "kubernetes", "metallb"):
        assert toolchain.version(program) == releases.default(program)
    for program, version in releases.release("kubernetes", releases.default("kubernetes")).brings.items():
        assert toolchain.version(program) == version
