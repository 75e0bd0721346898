"""Pairs of releases that an operator takes upon himself: which may be, and entries that take nothing."""

from __future__ import annotations

import pytest

import releases
from stacks.errors import Problem, StackFileError, render_path
from stacks.load import load_stack
from stacks.pairs import unlisted
from tests.unit.stacks.bad import ISTIO, Write
from tests.unit.stacks.conftest import changed

SOURCES = "    sources:\n"
US = "        machineNetwork: 192.0.2.64/26\n"
SECRET = "          kubeconfigSecret: cloudKubeconfig\n"
LATER = f"{{istio: {ISTIO}, kubernetes: 1.36.3}}"
AT = "    versions: {kubernetes: 1.36.3, containerd: 2.4.2}\n"


def written(versions: str, pairs: str) -> tuple[str, str]:
    return SOURCES, f"{versions}    unlistedPairs: [{pairs}]\n{SOURCES}"


def problems(write: Write, *changes: tuple[str, str]) -> list[Problem]:
    with pytest.raises(StackFileError) as caught:
        load_stack(write(changed(*changes)))
    return caught.value.problems


def test_a_kubernetes_after_the_end_of_a_list_is_taken_by_an_entry_that_names_both(write: Write) -> None:
    environment = load_stack(write(changed(written(AT, LATER)))).environment
    ((clash, taken),) = unlisted(environment, "eu")
    assert str(clash) == f"Kubernetes 1.36.3 with Istio {ISTIO}"
    assert taken == ("unlistedPairs", "0")


def test_an_entry_lapses_when_a_release_moves_on(write: Write) -> None:
    moved = AT.replace("1.36.3", "1.37.1")
    refused, useless = sorted(problems(write, written(moved, LATER)), key=lambda one: one.line)
    assert refused.got == f"Kubernetes 1.37.1 with Istio {ISTIO}"
    assert "unlistedPairs[0]" in render_path(useless.path)
    assert useless.got == LATER
    assert useless.rule.startswith(f"no region that it is for has both: cloud has Istio {ISTIO}, Kubernetes ")
    assert useless.fix.startswith("remove it, or name")


def test_a_region_may_go_first_with_entries_of_its_own(write: Write) -> None:
    own = f"        versions: {{kubernetes: 1.36.3, containerd: 2.4.2}}\n        unlistedPairs: [{LATER}]\n"
    environment = load_stack(write(changed((US, US + own)))).environment
    assert [taken for _, taken in unlisted(environment, "us")] == [("regions", "us", "unlistedPairs", "0")]
    assert not list(unlisted(environment, "eu"))


def test_a_region_that_wants_none_has_the_pair_refused(write: Write) -> None:
    (found,) = problems(write, written(AT, LATER), (US, f"{US}        unlistedPairs: []\n"))
    assert found.got == f"Kubernetes 1.36.3 with Istio {ISTIO}"


def test_an_adopted_cluster_s_kubernetes_is_named_as_it_is_declared(write: Write) -> None:
    version = (SECRET, f'{SECRET}          kubernetesVersion: "1.36"\n')
    (refused,) = problems(write, version)
    entry = f'{{istio: {ISTIO}, kubernetes: "1.36"}}'
    assert f"`unlistedPairs: [{entry}]`" in refused.fix
    environment = load_stack(write(changed(version, written("", entry)))).environment
    assert [taken for _, taken in unlisted(environment, "cloud")] == [("unlistedPairs", "0")]


@pytest.mark.parametrize(
    ("pairs", "rule"),
    [
        (
            f"{{istio: {ISTIO}, kubernetes: {releases.default('kubernetes')}}}",
            "its makers list the pair (istio.io",
        ),
        (f'{{istio: {ISTIO}, kubernetes: "1.29"}}', "an earlier one was left out by its makers"),
        (f"{{istio: {ISTIO}, kubernetes: latest}}", "a version of Kubernetes is 1.36.3"),
        ("{istio: 1.27.9, kubernetes: 1.36.3}", "supported versions of istio: 1."),
        (f"{{istio: {ISTIO}, kubernetes: 1.37.1}}", "no region that it is for has both"),
    ],
)
def test_an_entry_that_takes_nothing_is_refused_at_its_line(pairs: str, rule: str, write: Write) -> None:
    (found,) = problems(write, written("", pairs))
    assert render_path(found.path) == "unlistedPairs[0]"
    assert rule in found.rule
    assert found.fix == "remove it, or name the two of a region"


def test_an_entry_that_is_there_twice_is_refused_once(write: Write) -> None:
    (found,) = problems(write, written(AT, f"{LATER}, {LATER}"))
    assert (render_path(found.path), found.rule) == ("unlistedPairs[1]", "it is there already")


def test_an_entry_that_every_region_overrides_is_for_none(write: Write) -> None:
    regions = [
        ("        machineNetwork: 192.0.2.0/26\n", "eu"),
        (US, "us"),
        ("        machineNetwork: 10.20.0.0/16\n", "cloud"),
    ]
    own = [(network, f"{network}        unlistedPairs: []\n") for network, _ in regions]
    (found,) = problems(write, written("", LATER), *own)
    assert found.rule == "no region that it is for has both: each has a list of its own"


def test_what_is_known_to_break_is_for_nobody_to_take(write: Write) -> None:
    breaking = AT.replace("containerd", "metallb: 0.15.2, containerd")
    (found,) = problems(write, written(breaking, LATER))
    assert found.got == "Kubernetes 1.36.3 with MetalLB 0.15.2"
    assert "unlistedPairs" not in found.fix


def test_a_list_whose_end_may_be_passed_is_one_that_an_entry_can_name() -> None:
    open_ended = {
        (release.program, other)
        for release in releases.every()
        for other, needs in release.runs_on.items()
        if needs.beyond
    }
    assert open_ended == {("istio", "kubernetes")}
