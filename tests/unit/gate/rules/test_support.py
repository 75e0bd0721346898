"""Releases past their end, or near it, are spoken of; so are those that were never brought up."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

import releases
from gate.effects.sources import open_sources, place
from gate.rules.change import support
from report.model import Severity
from stacks.load import PROJECT, load_stack, stack_path
from stacks.model import RegionVersions
from tests.unit.gate.rules.support import MENDED, against, at, changes, stack, with_region

Add = Callable[..., None]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """Add a release to the catalogue: the default one of a program by another version, with another word."""
    root = tmp_path / "releases"
    shutil.copytree(releases.ROOT, root, ignore=shutil.ignore_patterns("*.py", "__pycache__"))

    def add(program: str, version: str, head: str, until: str = "2026-08-31") -> None:
        default = (root / program / f"{releases.default(program)}.toml").read_text()
        default = re.sub("until = .*", f"until = {until}", default)
        (root / program / f"{version}.toml").write_text(default.replace('seen = "brought up"', head))
        monkeypatch.setattr(releases, "ROOT", root)

    return add


def test_of_releases_that_are_mended_and_were_brought_up_nothing_is_said() -> None:
    assert against(support.CHECK, changes(), today=MENDED) == []


@pytest.mark.parametrize(
    ("today", "words"),
    [
        (date(2026, 6, 2), ["Istio 1.29.1 nears its end: they mend it until 2026-08-31"]),
        (date(2026, 9, 1), ["Istio 1.29.1 is past its end: its makers mended it until 2026-08-31"]),
        (
            date(2026, 11, 30),
            [
                "Istio 1.29.1 is past its end: its makers mended it until 2026-08-31",
                "Kubernetes 1.35.3 nears its end: they mend it until 2027-02-28",
            ],
        ),
    ],
)
def test_a_release_past_its_end_or_near_it_is_a_warning(today: date, words: list[str]) -> None:
    found = against(support.CHECK, changes(), today=today)
    assert sorted(finding.message for finding in found) == words
    assert {finding.severity for finding in found} == {Severity.WARNING}
    assert not any(finding.stops for finding in found)


def test_a_later_release_that_is_mended_and_goes_with_the_others_is_the_fix(add: Add) -> None:
    of = at(kubernetes="1.34.9", istio="1.28.3")
    add("istio", "1.28.8", 'seen = "brought up"', "2026-07-01")
    add("istio", "1.28.9", 'seen = "brought up"', "2026-07-02")

    def fix(today: date) -> str:
        found = against(support.CHECK, changes(), of=of, today=today)
        return next(one.fix for one in found if one.message.startswith("Istio"))

    assert fix(date(2026, 5, 1)) == "plan an upgrade to 1.28.9 or 1.29.1", "1.30.4 was rendered only"
    assert fix(date(2026, 7, 3)) == "plan an upgrade to 1.29.1"
    assert fix(date(2026, 9, 1)) == "plan an upgrade to 1.30.4, which this project did not bring up"
    assert "no later release" in fix(date(2026, 12, 1))


def test_a_release_that_was_not_brought_up_says_so_where_it_is_declared(add: Add) -> None:
    add("istio", "1.29.9", 'seen = "rendered"')
    first = with_region(stack(), "us", lambda _: {"versions": RegionVersions(istio="1.29.9")})
    (found,) = against(support.CHECK, changes(), of=first, today=MENDED)
    assert found.severity is Severity.NOTE
    assert found.message.startswith(
        "us: Istio 1.29.9 was not brought up by this project: its objects were rendered"
    )
    assert found.declared == ("regions", "us", "versions", "istio")


@pytest.mark.parametrize(
    ("version", "today", "words"),
    [
        ("1.33", date(2026, 8, 1), "Kubernetes 1.33 is past its end: its makers mended it until 2026-06-28"),
        ("1.33.5", date(2026, 6, 1), "Kubernetes 1.33.5 nears its end: they mend it until 2026-06-28"),
        ("1.34.7", date(2026, 8, 1), "Kubernetes 1.34.7 nears its end: they mend it until 2026-10-27"),
        ("1.33", MENDED, ""),
        ("1.39", date(2026, 8, 1), ""),
        (None, date(2026, 8, 1), ""),
    ],
)
def test_of_an_adopted_cluster_s_kubernetes_the_same_is_said_to_be_asked_of_its_owner(
    version: str | None, today: date, words: str
) -> None:
    production = stack("production")
    spec = production.environment.regions["cloud"].cluster
    cluster = spec.model_copy(update={"kubernetes_version": version})
    of = with_region(production, "cloud", lambda _: {"cluster": cluster})
    found = [
        finding
        for finding in against(support.CHECK, changes(), of=of, today=today)
        if "adopted" in finding.message
    ]
    assert [finding.message for finding in found] == (
        [f"cloud: the adopted cluster's {words}"] if words else []
    )
    for finding in found:
        assert finding.severity is Severity.WARNING
        assert finding.fix.startswith("have its owner upgrade it")
        assert finding.declared == ("regions", "cloud", "cluster", "kubernetesVersion")


def test_the_line_is_that_of_the_version_or_else_of_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.lab.yaml"
    text = stack_path("lab").read_text()
    kubernetes, istio = (f"{name}: {releases.default(name)}" for name in ("kubernetes", "istio"))
    assert text.count(f"      {kubernetes}\n") == 1
    path.write_text(text.replace(f"      {kubernetes}\n", ""))
    loaded = load_stack(path)
    found = against(support.CHECK, changes(), of=loaded, today=date(2026, 12, 1))
    placed = place(found, changes(), open_sources(path, PROJECT))
    lines = path.read_text().splitlines()
    where = {finding.message.split()[0]: lines[finding.place.line - 1] for finding in placed if finding.place}
    assert where["Istio"].strip() == istio
    assert where["Kubernetes"].strip() == "versions:"
