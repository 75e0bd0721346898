"""What the runbooks about regions see of a platform, and what they make of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from access.envoy import Passed
from access.errors import Unanswered
from access.host_lock import Pass
from access.programs import Executed
from live import prober
from report.errors import CancelledError, ConfigurationError, OperationsError
from runbooks import drive
from runbooks.regions import judging, site, traffic
from runbooks.regions.evacuation import EVACUATE
from runbooks.regions.returning import RETURN_REGION
from runbooks.regions.site import RegionSite
from runbooks.regions.traffic import Probers, Sample, Window, between
from stacks.load import load_stack
from tests.unit.live.checks.support import GATEWAYS, name_server, platform_of
from tests.unit.live.support import shown
from tests.unit.operations.support import HOST
from tests.unit.runbooks.regions_world import EDGES, REFERENCE, WEIGHTED, World, stack_file
from tests.unit.stacks.routing_cases import environment

PLACES = {"shop": "shop.example.org"}


class Idle:
    """An engine with nothing to do."""

    def __init__(self) -> None:
        self.ups: list[Pass] = []

    def differs(self) -> list[Any]:
        return []

    def left(self) -> list[str]:
        return []

    def up(self, shown: Pass, tell: Any) -> None:
        self.ups.append(shown)


def opened(directory: Path, platform: Any = None, **balancer: Any) -> RegionSite:
    stack = load_stack(stack_file(directory, balancer))
    platform = platform or SimpleNamespace(stack=stack, outputs=None, clusters={})
    return RegionSite(
        stack=stack, engine=Idle(), control=(), platform=platform, region="eu", passed=lambda: Pass("a1")
    )


def test_a_change_is_written_in_one_step_and_brought_about_by_the_run_s_own_pass(tmp_path: Path) -> None:
    found, told = opened(tmp_path, **WEIGHTED), list[str]()
    found.tell = told.append
    engine: Any = found.engine
    assert found.weights() == {"policy": 70}
    found.declare(drained=True, weights={"policy": 18})
    assert found.drained and found.weights() == {"policy": 18}
    assert engine.ups == [Pass("a1")]
    assert told == [
        "Pulumi.test.yaml has now: globalLoadBalancer.drained: ['eu']; "
        "globalLoadBalancer.policy.weights.eu: 18"
    ]
    # What is so, and brought about, is left alone.
    found.declare(drained=True, weights={"policy": 18})
    assert len(engine.ups) == 1
    found.lost = lambda: "the lock is another's now"
    with pytest.raises(CancelledError):
        found.declare(drained=False, weights={})
    assert found.drained


def test_what_was_never_drained_is_not_written_down_as_nothing(tmp_path: Path) -> None:
    found = opened(tmp_path)
    before = found.stack.path.read_text()
    found.declare(drained=False, weights={})
    assert found.stack.path.read_text() == before


def test_a_declaration_that_would_not_hold_is_not_written(tmp_path: Path) -> None:
    found = opened(tmp_path, drained=["us"])
    with pytest.raises(OperationsError, match="the declaration cannot be changed") as refused:
        found.declare(drained=True, weights={})
    assert "globalLoadBalancer.drained: ['us', 'eu']" in refused.value.fix
    assert not found.drained


def test_each_name_server_is_asked_for_each_host(tmp_path: Path) -> None:
    with name_server(["127.0.0.1", "127.0.0.2"]) as one, name_server(["127.0.0.2"]) as other:
        found = opened(tmp_path, platform_of([one, other], GATEWAYS))
        assert found.hosts == [HOST]
        assert found.still_answered() == f"{one} answers {HOST} with eu"
    with name_server([]) as none:
        found = opened(tmp_path, platform_of([none], GATEWAYS))
        assert found.still_answered() == f"{none} does not answer {HOST}: no record"


def test_since_when_a_name_server_answers_is_asked_of_its_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Mapping[str, Any]] = {
        EDGES[0]: {"state": "active", "seconds": 12.5},
        EDGES[1]: {"state": "active", "seconds": 3},
    }

    def ask(host: str, way: Any, source: bytes, order: Any, **_: Any) -> Mapping[str, Any]:
        compile(source, host, "exec")
        assert order == {"unit": "gdnsd.service"}
        return told[host]

    monkeypatch.setattr(site.ssh, "ask", ask)
    found = opened(tmp_path)
    assert found.answering() == {EDGES[0]: 12.5, EDGES[1]: 3.0}
    told[EDGES[1]] = {"state": "failed", "seconds": 3}
    with pytest.raises(OperationsError, match=r"us-edge-1: gdnsd\.service is failed"):
        found.answering()


def test_a_region_is_healthy_where_its_prober_sees_it_and_its_name_server_answers_by_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer: Executed = shown({"10.101.1.200": "UP/5", "10.101.2.200": "UP/5"})
    monkeypatch.setattr(prober.ssh, "run", lambda *_, **__: answer)
    found = opened(tmp_path)
    assert found.seen() == dict.fromkeys(EDGES, frozenset({"eu", "us"}))
    answer = shown({"10.101.1.200": "DOWN/5", "10.101.2.200": "UP/5"})
    assert found.seen() == dict.fromkeys(EDGES, frozenset({"us"}))
    # Told to be up, and seen down; up, and nobody looks any more; up, and not taken over.
    answer = shown({"10.101.1.200": "UP!/5", "10.101.2.200": "UP/5"}, {"10.101.1.200": "DOWN/5"})
    assert found.seen()[EDGES[0]] == frozenset({"us"})
    answer = shown({"10.101.1.200": "UP/5"}, age=60.0)
    assert found.seen()[EDGES[0]] == frozenset()
    answer = shown({"10.101.1.200": "DOWN/5"}, seen={"10.101.1.200": True})
    assert found.seen()[EDGES[0]] == frozenset()


def test_probers_ask_each_address_of_a_region_from_each_edge_host(tmp_path: Path) -> None:
    platform = platform_of([], {"eu": ["127.0.0.1", "127.0.0.2"], "us": ["127.0.0.3"]})
    probers = opened(tmp_path, platform).probers
    assert probers == Probers(4, 2)
    # In 10 s, each asks six times at most.
    assert probers.most(10) == 24


def counted(at: float, **counts: tuple[int, int]) -> Sample:
    return Sample(at, {("pod", name, "10.0.0.1:80"): Passed(*count) for name, count in counts.items()})


def test_a_window_tells_what_came_by_service_the_most_first() -> None:
    window = between(
        counted(5.0, shop=(100, 1), wiki=(10, 0), idle=(7, 0)),
        counted(15.0, shop=(150, 3), wiki=(200, 0), idle=(7, 0), new=(4, 0)),
        Probers(2, 2.0),
    )
    assert window == Window(10.0, {"shop": 50, "wiki": 190, "new": 4}, 2, 12)
    assert str(window) == (
        "244 requests in 10 s (wiki 190, shop 50, new 4), 2 of them failed, of which name servers ask 12 at "
        "most"
    )
    assert not window.quiet
    assert Window(10.0, {"shop": 12}, 0, 12).quiet
    assert not Window(10.0, {"shop": 13}, 0, 12).quiet


def test_what_comes_while_counters_are_asked_for_may_be_probes_too() -> None:
    first = Sample(5.0, counted(5.0, shop=(0, 0)).counts, took=3.0)
    assert between(first, counted(15.0, shop=(14, 0)), Probers(2, 2.0)).quiet
    assert not between(counted(5.0, shop=(0, 0)), counted(15.0, shop=(14, 0)), Probers(2, 2.0)).quiet


def test_a_pod_that_has_started_anew_counts_from_nothing() -> None:
    window = between(counted(0.0, shop=(500, 9)), counted(10.0, shop=(3, 1)), Probers(2, 2.0))
    assert (window.total, window.errors) == (3, 1)


def test_few_failures_say_nothing() -> None:
    assert not Window(10.0, {"shop": 4}, 3, 12).fails(5)
    assert Window(10.0, {"shop": 40}, 4, 12).fails(5)
    assert not Window(10.0, {"shop": 80}, 4, 12).fails(5)


def test_gateways_that_run_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def pod(name: str, phase: str) -> Any:
        return SimpleNamespace(metadata=SimpleNamespace(name=name), status=SimpleNamespace(phase=phase))

    document = {
        "cluster_statuses": [
            {
                "name": "outbound|80||shop.web.svc.cluster.local",
                "host_statuses": [{"stats": [{"name": "rq_total", "value": "4"}]}],
            }
        ]
    }
    listed = SimpleNamespace(items=[pod("a", "Running"), pod("b", "Pending")])
    cluster: Any = SimpleNamespace(
        core=SimpleNamespace(list_namespaced_pod=lambda namespace, label_selector: listed),
        execute=lambda *asked: Executed(0, json.dumps(document), ""),
    )
    counts = traffic.sample(cluster).counts
    assert {key[:2]: passed for key, passed in counts.items()} == {("a", "shop.web"): Passed(4, 0)}


def test_of_three_regions_two_are_spared_one_after_the_other_and_the_third_is_not() -> None:
    regions = ["ap", "eu", "us"]
    every = {"one": frozenset(regions), "two": frozenset(regions)}
    place = {"shop.example.org": {"geography": {"here": {"prefixes": ["10.0.0.0/8"], "regions": ["eu"]}}}}
    found = environment(regions, PLACES, place)
    assert judging.sparing(found, "eu", every) == []
    found = judging.with_drained(found, ["eu"])
    assert judging.sparing(found, "us", every) == []
    without_ap = {edge: healthy - {"ap"} for edge, healthy in every.items()}
    first, second = judging.sparing(found, "us", without_ap)
    assert "us is the last healthy region in the eyes of one" in first.what
    assert "shop.example.org, here: ap; shop.example.org, everybody else: ap" in second.what
    (last,) = judging.sparing(judging.with_drained(found, ["eu", "ap"]), "us", every)
    assert last.what == "us is the last region in service: names would lead nowhere"


def test_without_a_word_of_any_name_server_nothing_is_spared() -> None:
    (problem,) = judging.sparing(environment(["eu", "us"], PLACES, {}), "eu", {})
    assert problem.blocks and problem.what == "no name server says what it sees"


def test_whom_a_change_leads_elsewhere_is_told_and_not_all_of_many() -> None:
    hosts = {f"h{number:02}": f"h{number:02}.example.org" for number in range(20)}
    found = environment(["eu", "us"], hosts, {"h00.example.org": {"failover": ["us", "eu"]}})
    told = judging.led_elsewhere(found, judging.with_drained(found, ["eu"]))
    # The first host is led to `us` already.
    assert told[0] == "h01.example.org: eu, us -> us"
    assert told[-1] == "and 7 more; all by `crossmesh simulate`"


def test_a_region_and_numbers_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "stack_file", lambda name: REFERENCE)
    for book in (EVACUATE, RETURN_REGION):
        values = book.values({"region": "mars"})
        with pytest.raises(ConfigurationError, match="no region mars"), book.opened("lab", values):
            raise AssertionError
    assert site.number("seconds", "30", 0, 60) == 30
    for text in ("soon", "-1", "61", "nan"):
        with pytest.raises(ConfigurationError, match=f"seconds={text} is out of bounds"):
            site.number("seconds", text, 0, 60)


def test_an_environment_whose_names_are_answered_by_others_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stack_file(tmp_path, {})
    document = yaml.safe_load(path.read_text())
    declared = document["config"]["crossmesh:environment"]
    del declared["globalLoadBalancer"]
    for region in declared["regions"].values():
        del region["edges"]
    path.write_text(yaml.safe_dump(document))
    monkeypatch.setattr(site, "stack_file", lambda name: path)
    with (
        pytest.raises(ConfigurationError, match="its names are answered by others"),
        EVACUATE.opened("test", EVACUATE.values({"region": "eu"})),
    ):
        raise AssertionError


def test_values_are_fixed_when_a_run_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.at(tmp_path, **WEIGHTED)
    monkeypatch.setattr(drive.journals, "home", lambda stack: tmp_path / "journal")
    drive.run(RETURN_REGION, world, {"region": "eu", "weights": ""}, "test", "eu", world.log.append)
    (past,) = drive.journals.read(tmp_path / "journal")[:1]
    assert past.data["values"] == {"region": "eu", "weights": "policy=70"}


def test_what_is_waited_for_is_told_and_ends_with_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, told = opened(tmp_path), list[str]()
    found.tell = told.append
    clock = [0.0]
    monkeypatch.setattr(
        site,
        "time",
        SimpleNamespace(
            monotonic=lambda: clock[0], sleep=lambda seconds: clock.__setitem__(0, clock[0] + seconds)
        ),
    )
    found.rest(70, "answers run out")
    assert clock == [70.0]
    assert told == [f"waiting for {left} s: answers run out" for left in (70, 40, 10)]
    found.lost = lambda: "the lock is another's now" if clock[0] > 80 else ""
    with pytest.raises(CancelledError):
        found.rest(70, "answers run out")
    assert clock[0] < 90


def test_the_doctor_s_own_checks_of_names_are_asked_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: Any, **__: Any) -> Executed:
        raise Unanswered("the edge host does not answer")

    monkeypatch.setattr(prober.ssh, "run", silent)
    with name_server([]) as none:
        results = opened(tmp_path, platform_of([none], GATEWAYS)).names_checked()
    assert all(result.broken for result in results)
    assert {str(result.check.id).partition("/")[0] for result in results} == {
        "name-server",
        "health-view",
        "name-servers-agree",
    }
    (first, *_) = judging.of_doctor(results, "names")
    assert first.what.startswith("name-server/") and "no record" in first.what
