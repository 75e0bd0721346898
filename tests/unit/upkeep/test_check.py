"""`python -m releases check`: what is newer, from a list or from the network, and what nobody could tell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import releases
from report.errors import ConfigurationError
from report.exit_codes import ExitCode
from tests.unit.upkeep.conftest import FakeGo
from upkeep import newer
from upkeep.command import main
from upkeep.newer import MINORS, PATCHES
from upkeep.programs import PROGRAMS

NEWEST = {program: releases.versions(program)[-1] for program in PROGRAMS}


def later(version: str, by: int = 1) -> str:
    """The patch that many behind a version."""
    *line, patch = version.split(".")
    return ".".join([*line, str(int(patch) + by)])


def check(*arguments: str, given: str | None = None) -> Result:
    listed = [] if given is None else ["--from", "-"]
    return CliRunner().invoke(main, ["check", *listed, "--today", "2026-06-01", *arguments], input=given)


def newer_in(result: Result) -> dict[str, list[str]]:
    """The newer releases that JSON told, by program."""
    return {
        one["program"]: [version for line in one["lines"] for version in line["newer"]]
        for one in json.loads(result.stdout)
    }


def test_a_list_of_lines_is_held_against_the_catalogue() -> None:
    after = later(NEWEST["kubernetes"])
    result = check(
        given=f"# of its makers\nkubernetes {after}\nkubernetes v{NEWEST['kubernetes']}\n\nistio 1.0.9\n"
    )
    assert result.exit_code == ExitCode.UNEXPECTED_CHANGES
    (row,) = [line for line in result.stdout.splitlines() if after in line]
    assert row.startswith(f"Kubernetes  {releases.minor(after)}")


def test_a_list_as_json_tells_the_same() -> None:
    after = later(NEWEST["istio"])
    result = check("--json", given=json.dumps({"istio": [after, "1.99.0-rc.1"]}))
    assert result.exit_code == ExitCode.UNEXPECTED_CHANGES
    assert newer_in(result) == {"containerd": [], "istio": [after], "kubernetes": [], "metallb": []}


def test_nothing_newer_is_well() -> None:
    result = check(
        "kubernetes", given=f"kubernetes {NEWEST['kubernetes']}\nkubernetes 1.0.0\nkubernetes 1.38.0-beta.0"
    )
    assert result.exit_code == ExitCode.CLEAN


def test_each_minor_of_the_catalogue_says_until_when_it_is_mended() -> None:
    result = check("istio", "--json", given="")
    (found,) = json.loads(result.stdout)
    first = found["lines"][0]
    assert first["has"][0] == "1.28.3"
    assert (first["state"], first["until"]) == ("ends soon", "2026-07-01")


@pytest.mark.parametrize(
    "listed",
    [
        "etcd 3.6.5",
        "kubernetes newest",
        "kubernetes",
        "kubernetes 1.34.9 and later",
        '{"kubernetes": 1}',
        '{"etcd": ["3.6.5"]}',
        "{",
    ],
)
def test_a_list_that_is_none_is_refused_with_its_line(listed: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        newer.given(listed)
    assert "the list" in str(refused.value)
    assert check(given=listed).exit_code == ExitCode.USAGE


def served(program: str, versions: Sequence[str]) -> dict[str, str]:
    module = PROGRAMS[program].told_by
    return {f"{module}@v{version}": f"v{version}" for version in versions}


def test_a_list_of_the_proxy_that_names_the_catalogue_s_releases_is_taken_for_whole(go: FakeGo) -> None:
    after = later(NEWEST["kubernetes"])
    listed = [f"v{version}" for version in (*releases.versions("kubernetes"), after, "1.99.0-alpha.1")]
    go.has(lists={"k8s.io/kubernetes": listed})
    result = check("kubernetes", "--json")
    assert newer_in(result) == {"kubernetes": [after]}
    assert go.asked_for() == []


def test_where_the_list_lacks_a_release_of_the_catalogue_versions_are_asked_for_one_by_one(
    go: FakeGo,
) -> None:
    has = NEWEST["kubernetes"]
    number = int(releases.minor(has).split(".")[1])
    there = [
        later(has, PATCHES),
        later(has, 2 * PATCHES),
        f"1.{number + MINORS}.0",
        f"1.{number + 2 * MINORS}.3",
    ]
    listed = f"v1.{number + 1}.5"
    go.has(lists={"k8s.io/kubernetes": [listed]}, served=served("kubernetes", [has, *there]))
    result = check("kubernetes", "--json")
    assert result.exit_code == ExitCode.UNEXPECTED_CHANGES
    assert set(newer_in(result)["kubernetes"]) == {*there, listed.removeprefix("v")}
    assert len(go.asked_for()) == len(set(go.asked_for())), "nothing is asked for twice"
    assert f"k8s.io/kubernetes@v1.{number + 3 * MINORS}.0" in go.asked_for()
    assert f"k8s.io/kubernetes@v1.{number + 3 * MINORS + 1}.0" not in go.asked_for()


def test_istio_s_releases_are_told_by_its_api_whose_tags_are_versions(go: FakeGo) -> None:
    after = later(NEWEST["istio"], 2)
    go.has(served=served("istio", [NEWEST["istio"], after]))
    assert newer_in(check("istio", "--json")) == {"istio": [after]}


def test_a_proxy_that_has_not_even_the_catalogue_s_release_tells_nothing(go: FakeGo) -> None:
    result = check("metallb")
    assert result.exit_code == ExitCode.NOT_MEASURABLE
    assert "MetalLB could not be asked for" in result.stderr
    assert "not known" in result.stdout


def test_a_network_that_is_down_is_not_taken_for_a_version_that_is_not_there(go: FakeGo) -> None:
    go.has(down="k8s.io/kubernetes@v1: dial tcp: lookup proxy.example: no such host")
    result = check("kubernetes")
    assert result.exit_code == ExitCode.NOT_MEASURABLE
    assert "no such host" in result.stderr


def test_what_could_not_be_asked_for_hides_nothing_newer_of_another_program(go: FakeGo) -> None:
    after = later(NEWEST["metallb"])
    go.has(served=served("metallb", [NEWEST["metallb"], after]))
    result = check("istio", "metallb", "--json")
    assert result.exit_code == ExitCode.UNEXPECTED_CHANGES
    assert newer_in(result) == {"istio": [], "metallb": [after]}


def test_no_repository_is_looked_into_where_there_is_a_proxy(go: FakeGo) -> None:
    go.has(served=served("metallb", [NEWEST["metallb"]]))
    check("metallb")
    assert {call["GOPROXY"] for call in go.calls if call["arguments"][0] == "list"} == {
        "https://proxy.example"
    }


def test_a_list_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"metallb {later(NEWEST['metallb'])}\n")
    result = CliRunner().invoke(main, ["check", "--from", str(tmp_path / "list")])
    assert result.exit_code == ExitCode.UNEXPECTED_CHANGES
