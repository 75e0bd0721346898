"""What a new release's file says: as the catalogue's own files, which were written by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import releases
from releases import Needs, Release, Seen
from report.errors import ConfigurationError
from tests.unit.upkeep import conftest as sources
from toolchain.errors import ToolchainError
from upkeep import derive, entry, go_mod
from upkeep.derive import Given, Made


def made(program: str, version: str, like: str, source: Path, given: Given | None = None) -> Made:
    said = go_mod.parse((source / "go.mod").read_text())
    return derive.derive(program, version, releases.release(program, like), source, said, given)


def given_by(release: Release) -> Given:
    return Given(release.support, release.runs_on)


def assert_known(made: Made) -> None:
    """That a release is as the catalogue has it, but for how far it was seen and from what it is built."""
    found, known = made.release, releases.release(made.release.program, made.release.version)
    assert replace(found, seen=known.seen, module=known.module) == known
    assert (found.seen, found.module) == (Seen.READ, f"{found.program}-{found.version}")


@pytest.mark.parametrize("release", releases.every(), ids=lambda release: release.name)
def test_the_text_of_a_release_makes_the_same_release(release: Release, tmp_path: Path) -> None:
    written = tmp_path / release.program / f"{release.version}.toml"
    written.parent.mkdir()
    written.write_text(entry.text(release))
    assert releases.read(written) == release


def test_a_patch_of_kubernetes_is_written_as_the_catalogue_has_it(tmp_path: Path) -> None:
    source = sources.kubernetes(tmp_path / "source")
    known = releases.release("kubernetes", "1.34.9")
    found = made("kubernetes", "1.34.9", "1.34.3", source, Given(runs_on=known.runs_on))
    # What its kubeadm asks for; the catalogue has a later one, which compiles beside its libraries.
    assert found.release.brings == {"coredns": "1.12.1", "etcd": "3.6.5"}
    assert_known(replace(found, release=replace(found.release, brings=known.brings)))
    assert found.taken_over == ("support: until 2026-10-27 (kubernetes.io/releases/1.34)",)


def test_a_minor_of_kubernetes_is_what_its_kubeadm_asks_for_with_what_is_given(tmp_path: Path) -> None:
    source = sources.kubernetes(tmp_path / "source", etcd="3.6.6-0", coredns="v1.13.1")
    known = releases.release("kubernetes", "1.35.3")
    found = made("kubernetes", "1.35.3", "1.34.9", source, given_by(known))
    assert_known(found)
    assert found.taken_over == ()


def test_a_minor_of_istio_is_what_its_go_mod_says_with_what_is_given(tmp_path: Path) -> None:
    source = sources.istio(tmp_path / "source", api="v1.29.0-rc.1.0.20260209142455-7fea5efd57ca")
    known = releases.release("istio", "1.29.1")
    found = made(
        "istio", "1.29.1", "1.28.3", source, Given(known.support, {"kubernetes": known.runs_on["kubernetes"]})
    )
    assert_known(found)


def test_a_patch_of_metallb_has_the_images_of_its_own_manifests(tmp_path: Path) -> None:
    source = sources.metallb(tmp_path / "source", "v0.16.9")
    found = made("metallb", "0.16.9", "0.16.1", source).release
    assert found.images["speaker"] == "quay.io/metallb/speaker:v0.16.9"
    assert found.data["manifests"].version == "0.16.9"
    assert found.runs_on == releases.release("metallb", "0.16.1").runs_on


def test_a_release_of_containerd_has_a_name_of_its_package_and_an_end_that_is_given(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module github.com/containerd/containerd/v2\n\ngo 1.26.3\n")
    known = releases.release("containerd", "2.3.4")
    assert_known(made("containerd", "2.3.4", "2.4.2", tmp_path, given_by(known)))
    with pytest.raises(ConfigurationError) as refused:
        made("containerd", "2.99.0", "2.4.2", tmp_path)
    assert "--until" in refused.value.fix


def test_all_that_nobody_can_read_is_asked_for_at_once(tmp_path: Path) -> None:
    source = sources.kubernetes(tmp_path / "source")
    with pytest.raises(ConfigurationError) as refused:
        made("kubernetes", "1.99.0", "1.35.3", source)
    assert "--until" in refused.value.fix
    assert "--runs-on containerd=" in refused.value.fix


def test_the_end_of_a_minor_that_the_catalogue_knows_beside_its_releases_is_taken_over(
    tmp_path: Path,
) -> None:
    needs = {"containerd": Needs(("1.7+",), "its makers")}
    found = made(
        "kubernetes", "1.33.5", "1.34.3", sources.kubernetes(tmp_path / "source"), Given(runs_on=needs)
    )
    assert str(found.release.support.until) == "2026-06-28"
    assert found.taken_over == ("support: until 2026-06-28 (kubernetes.io/releases/patch-releases)",)


def test_what_is_given_comes_before_what_would_be_taken_over(tmp_path: Path) -> None:
    needs = Needs(("2.3+",), "its makers")
    source = sources.kubernetes(tmp_path / "source")
    found = made("kubernetes", "1.34.10", "1.34.9", source, Given(runs_on={"containerd": needs}))
    assert found.release.runs_on["containerd"] == needs
    assert not any("containerd" in words for words in found.taken_over)


def test_gateway_api_that_is_another_one_has_no_words_of_the_earlier_one_s(tmp_path: Path) -> None:
    source = sources.istio(tmp_path / "source", gateway="v1.5.1")
    assert made("istio", "1.28.9", "1.28.3", source).release.runs_on["gateway-api"] == Needs(
        ("1.5",), "its go.mod"
    )


def test_a_module_of_another_minor_of_istio_is_refused(tmp_path: Path) -> None:
    source = sources.istio(tmp_path / "source", api="v1.29.1")
    with pytest.raises(ToolchainError, match=re.escape("of Istio 1.29")):
        made("istio", "1.28.9", "1.28.3", source)


@pytest.mark.parametrize(("tag", "name"), [("main", "controller"), ("v0.16.9", "operator")])
def test_manifests_of_metallb_that_are_not_those_of_the_release_are_refused(
    tag: str, name: str, tmp_path: Path
) -> None:
    source = sources.metallb(tmp_path / "source", tag, name=name)
    with pytest.raises(ToolchainError, match="expected are controller and speaker"):
        made("metallb", "0.16.9", "0.16.1", source)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('PauseVersion = "3.10.1"', "PauseVersion = pause()"),
        ('CoreDNSVersion = "v1.12.1"', 'CoreDNSVersion = "latest"'),
        ("SupportedEtcdVersion = map", "OtherVersions = map"),
        (':  "3.6.5-0",', ':  "3.6.4-0",'),
    ],
)
def test_a_kubeadm_that_is_written_in_another_way_is_looked_at_by_somebody(before: str, after: str) -> None:
    text = sources.CONSTANTS.format(etcd="3.6.5-0", coredns="v1.12.1", pause="3.10.1", last="3.6.5-0")
    assert derive.constants(text)["DefaultEtcdVersion"] == "3.6.5-0"
    assert before in text
    with pytest.raises(ToolchainError, match=r"constants\.go"):
        derive.constants(text.replace(before, after))


@pytest.mark.parametrize(
    ("program", "version", "like"),
    [
        ("kubernetes", "1.34.8", "1.34.9"),
        ("kubernetes", "1.34.10", "1.34.9"),
        ("kubernetes", "1.34.1", "1.34.3"),
        ("kubernetes", "1.0.1", releases.versions("kubernetes")[0]),
        ("metallb", "0.99.0", releases.versions("metallb")[-1]),
    ],
)
def test_the_nearest_release_is_of_the_same_minor_or_before_it(program: str, version: str, like: str) -> None:
    assert derive.nearest(program, version).version == like


def test_a_go_mod_is_read_with_blocks_single_lines_and_comments() -> None:
    said = go_mod.parse(
        "module example.org/x // of nobody\n\ngo 1.24.0\n\ngodebug (\n\tdefault=go1.24\n)\n\n"
        "tool example.org/y\n\nrequire (\n\texample.org/a v1.2.3 // indirect\n\texample.org/b v0.1.0\n)\n\n"
        "require example.org/c v2.0.0\n\nreplace example.org/a v1.2.3 => example.org/fork v1.2.4\n\n"
        "replace (\n\texample.org/b => ./staging/b\n)\n"
    )
    assert said == go_mod.GoMod(
        "1.24.0",
        ("default=go1.24",),
        {"example.org/a": "v1.2.3", "example.org/b": "v0.1.0", "example.org/c": "v2.0.0"},
        {"example.org/a v1.2.3": "example.org/fork v1.2.4", "example.org/b": "./staging/b"},
    )
    with pytest.raises(ValueError, match="no `go` line"):
        go_mod.parse("module example.org/x\n")
