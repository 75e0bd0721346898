"""The whole list, its summary, and what it ends with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from access.kubeconfig import KubeconfigError
from live import side_by_side
from live.hardening import listed
from live.hardening.model import Entry, State, Verdict
from live.hardening.points import OF_CLUSTERS, POINTS
from report.errors import ConfigurationError
from report.exit_codes import ExitCode
from tests.unit.live.drift.support import identity, state_of
from tests.unit.operations.support import STACK


def entry(state: State, number: int = 0, at: str = "h", region: str = "eu") -> Entry:
    return Entry(region, at, POINTS[number], Verdict(state, "it is so"), "mend it")


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([], ExitCode.CLEAN),
        ([State.HOLDS, State.NOT_APPLICABLE], ExitCode.CLEAN),
        ([State.HOLDS, State.UNKNOWN], ExitCode.NOT_MEASURABLE),
        ([State.FAILS, State.UNKNOWN], ExitCode.UNHEALTHY),
    ],
)
def test_the_code_tells_what_does_not_hold_from_what_is_not_known(
    states: list[State], code: ExitCode
) -> None:
    assert listed.exit_code([entry(state) for state in states]) is code


def test_the_summary_counts_each_state() -> None:
    states = [State.HOLDS, State.HOLDS, State.FAILS, State.UNKNOWN, State.NOT_APPLICABLE]
    assert listed.summary([entry(state) for state in states]) == (
        "2 hold, 1 do not, 1 not known, 1 do not apply"
    )


def test_what_is_mended_is_what_does_not_hold_or_could_not_be_seen() -> None:
    assert entry(State.HOLDS).mend == entry(State.NOT_APPLICABLE).mend == ""
    assert entry(State.FAILS).mend == POINTS[0].fix
    assert entry(State.UNKNOWN).mend == "mend it"
    own = Entry("eu", "h", POINTS[0], Verdict(State.UNKNOWN, "not read", "see it"), "mend it")
    assert own.mend == "see it"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    regions: list[Any] = []

    def look(stack: Any, wanted: Any) -> list[Entry]:
        regions.append(list(wanted))
        return [
            entry(State.HOLDS, 20, region="us"),
            entry(State.HOLDS, 9),
            entry(State.HOLDS, 2),
            entry(State.HOLDS, 5, at="a"),
        ]

    monkeypatch.setattr(listed, "read_stack", lambda file: STACK)
    monkeypatch.setattr(listed, "read_state", lambda name: state_of([]))
    monkeypatch.setattr(listed.clusters, "unseen", lambda *why: [])
    monkeypatch.setattr(listed.machines, "look", look)
    return regions


def test_all_regions_are_listed_by_place_and_number(asked: list[Any]) -> None:
    found = [(one.region, one.at, one.point.number) for one in listed.read("lab")]
    assert found == [
        ("eu", "a", POINTS[5].number),
        ("eu", "h", POINTS[2].number),
        ("eu", "h", POINTS[9].number),
        ("us", "h", POINTS[20].number),
    ]
    assert asked == [["eu", "us"]]


def test_one_region_may_be_asked_for_and_has_to_be_declared(asked: list[Any]) -> None:
    listed.read("lab", "us")
    assert asked == [["us"]]
    with pytest.raises(ConfigurationError, match="no region 'mars'; it has eu, us"):
        listed.read("lab", "mars")


def test_hosts_and_clusters_are_in_one_list(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def cluster(region: str, kubeconfig: str) -> Iterator[Any]:
        if kubeconfig == "bad":
            raise KubeconfigError("cannot be read", fix="give another")
        yield SimpleNamespace(region=region)

    def look(cluster: Any, *, adopted: bool) -> list[Entry]:
        assert not adopted
        return [Entry(cluster.region, "cluster", OF_CLUSTERS[0], Verdict(State.HOLDS, "it is so"))]

    monkeypatch.setattr(side_by_side, "Cluster", cluster)
    monkeypatch.setattr(listed.clusters, "look", look)
    monkeypatch.setattr(
        listed.machines,
        "look",
        lambda stack, regions: [entry(State.HOLDS, region=region) for region in regions],
    )
    found = listed.look(STACK, state_of([identity("eu")]), ["eu", "us"])
    assert [(one.region, one.at) for one in found if one.state is State.HOLDS] == [
        ("eu", "cluster"),
        ("eu", "h"),
        ("us", "h"),
    ]
    missing = [one for one in found if one.region == "us" and one.at == "cluster"]
    assert len(missing) == len(OF_CLUSTERS)
    assert {(one.verdict.there, one.mend) for one in missing} == {
        ("it was not brought up", "run `pulumi up --stack lab`")
    }
    broken = listed.look(STACK, state_of([identity("eu", kubeconfig="bad")]), ["eu"])
    assert {one.mend for one in broken if one.at == "cluster"} == {"give another"}
