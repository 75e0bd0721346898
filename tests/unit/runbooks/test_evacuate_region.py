"""A region taken out of what names lead to: step by step, killed anywhere, taken back, and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.doctor.keys import Key
from live.doctor.model import Check, CheckResult, Evidence
from report.errors import CancelledError
from runbooks import journal as journals
from runbooks.engine import RunFailedError
from runbooks.history import runs
from runbooks.journal import Outcome
from runbooks.regions.evacuation import EVACUATE
from tests.unit.runbooks.regions_world import EDGES, WEIGHTED, Kill, World, abort, again, go, whats


def evacuated(world: World) -> bool:
    return world.drained and world.engine.differs() == [] and world.still_answered() == ""


def test_names_lead_elsewhere_answers_run_out_and_requests_end(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    blast = EVACUATE.blast(world)
    assert blast.confirm == "eu"
    assert "globalLoadBalancer.drained goes from [] to ['eu']" in blast.touched[0]
    assert blast.touched[1].endswith(": eu, us -> us")
    assert EVACUATE.preconditions(world) == []
    go(tmp_path, world, EVACUATE)
    assert evacuated(world)
    assert world.ups == 1
    assert 'drained: ["eu"]' in world.text
    waited = next(line for line in world.log if "may be kept" in line)
    assert "it takes 2.0 s until a name server answers by a change, and the TTL is 5 s" in waited
    # Not one second less than answers may be kept.
    assert all(seconds >= 7.02 for seconds in world.answering().values())
    assert any("commit the stack file" in line for line in world.log)


def test_one_that_is_evacuated_already_changes_nothing(tmp_path: Path) -> None:
    world = World.at(tmp_path, drained=["eu"])
    assert EVACUATE.blast(world).touched == ["nothing of the declaration: eu is drained already"]
    go(tmp_path, world, EVACUATE)
    assert world.ups == 0
    assert [line for line in world.log if "so already" in line] == [
        f"{step.name}: so already" for step in EVACUATE.steps
    ]


def clean_ticks(directory: Path) -> int:
    world = World.at(directory)
    directory.joinpath("journal").mkdir()
    go(directory / "journal", world, EVACUATE)
    return world.ticks


MOST = 12
"""Moments at which a run can be killed; the last of them is beyond its end."""


def test_there_are_so_many_moments(tmp_path: Path) -> None:
    assert 6 <= clean_ticks(tmp_path) < MOST


@pytest.mark.parametrize("number", range(1, MOST))
def test_one_that_was_killed_anywhere_goes_on(tmp_path: Path, number: int) -> None:
    world = World.at(tmp_path)
    world.kill_at = number
    try:
        go(tmp_path, world, EVACUATE)
    except Kill:
        go(tmp_path, again(world), EVACUATE)
    assert evacuated(world)
    assert runs(journals.read(tmp_path))[-1].outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("number", range(1, MOST))
def test_one_that_was_killed_anywhere_can_be_taken_back(tmp_path: Path, number: int) -> None:
    world = World.at(tmp_path, **WEIGHTED)
    world.kill_at = number
    try:
        go(tmp_path, world, EVACUATE)
    except Kill:
        assert abort(tmp_path, again(world), EVACUATE) == []
        assert not world.drained
        assert world.engine.differs() == [] and world.share() == 0.7
        assert runs(journals.read(tmp_path))[-1].outcome is Outcome.TAKEN_BACK


def test_a_region_that_was_drained_before_stays_so_when_the_run_is_taken_back(tmp_path: Path) -> None:
    world = World.at(tmp_path, drained=["eu"])
    world.stubborn, world.seconds = 9, 0.0
    with pytest.raises(RunFailedError, match="still coming"):
        go(tmp_path, world, EVACUATE)
    assert abort(tmp_path, again(world), EVACUATE) == []
    assert world.drained and world.ups == 0


def test_what_still_comes_is_told_by_service_and_the_region_goes_on_to_serve_it(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.stubborn, world.seconds = 9, 0.0
    with pytest.raises(RunFailedError, match="stands where it is") as failed:
        go(tmp_path, world, EVACUATE)
    assert "requests in 10 s (asset-consumer-svc.greencompute 100), of which name servers ask 12" in str(
        failed.value
    )
    assert world.drained
    world.stubborn = 0
    go(tmp_path, again(world), EVACUATE)
    assert evacuated(world)


def test_what_still_comes_can_be_accepted(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.stubborn, world.seconds, world.accepted = 9, 0.0, {"traffic"}
    go(tmp_path, world, EVACUATE)
    assert any(line.startswith("accepted: still coming: ") for line in world.log)


def test_gateways_that_cannot_be_asked_are_no_proof_that_nothing_comes(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.silent, world.seconds = 99, 0.0
    with pytest.raises(RunFailedError, match="what comes cannot be counted"):
        go(tmp_path, world, EVACUATE)


def test_the_last_region_in_service_is_refused(tmp_path: Path) -> None:
    world = World.at(tmp_path, drained=["us"])
    assert EVACUATE.blast(world).touched == ["eu is the last region in service"]
    assert whats(EVACUATE.preconditions(world)) == [
        "eu is the last region in service: names would lead nowhere"
    ]


def test_the_last_healthy_region_is_refused_before_and_in_the_moment_of_the_change(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.healthy = dict.fromkeys(EDGES, frozenset({"eu"}))
    found = whats(EVACUATE.preconditions(world))
    assert len(found) == 2
    assert found[0].startswith("eu is the last healthy region in the eyes of eu-edge-1: without it clients")
    # It was healthy when the run was begun, and is not when the step is.
    with pytest.raises(RunFailedError, match="dns: eu is the last healthy region"):
        go(tmp_path, world, EVACUATE)
    assert world.ups == 0 and not world.drained


def test_name_servers_that_do_not_agree_on_who_stays_are_told(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.healthy = {EDGES[0]: frozenset({"eu", "us"}), EDGES[1]: frozenset({"eu"})}
    found = whats(EVACUATE.preconditions(world))
    assert found[0] == (
        "name servers do not agree on which of us are healthy: eu-edge-1 sees us; us-edge-1 sees none"
    )
    # That the region itself is seen otherwise is what it may be evacuated for.
    world.healthy = {EDGES[0]: frozenset({"eu", "us"}), EDGES[1]: frozenset({"us"})}
    assert EVACUATE.preconditions(world) == []


def check_result(*problems: str) -> CheckResult:
    check = Check(Key("name-server/x"), "names", "x answers", lambda watch: finding, declared=())
    evidence = Evidence("healthy gateways")
    for words in problems:
        evidence.problem(words, "mend it")
    finding = evidence.finding("nothing")
    return CheckResult(check, finding)


def test_what_the_doctor_finds_about_name_servers_stands_against_it_unless_it_is_accepted(
    tmp_path: Path,
) -> None:
    world = World.at(tmp_path)
    world.doctor = [check_result(), check_result("no answer")]
    (problem,) = EVACUATE.preconditions(world)
    assert (problem.what, problem.fix, problem.kind) == ("name-server/x: no answer", "mend it", "names")
    assert problem.blocks
    world.accepted = {"names"}
    (problem,) = EVACUATE.preconditions(world)
    assert not problem.blocks


def test_changes_that_were_not_brought_about_are_not_brought_about_on_the_way(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.path.write_text(world.text.replace("ttl: 5", "ttl: 6"))
    assert whats(EVACUATE.preconditions(world)) == [
        "not all that is declared was brought about: not as declared: eu-edge-1.edge"
    ]


def test_an_up_that_fails_stands_and_goes_on(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.engine.sick = True  # type: ignore[attr-defined]
    with pytest.raises(RunFailedError, match="us-edge-1 does not answer"):
        go(tmp_path, world, EVACUATE)
    world.engine.sick = False  # type: ignore[attr-defined]
    go(tmp_path, again(world), EVACUATE)
    assert evacuated(world)


def test_with_its_locks_lost_nothing_is_changed(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.lost = lambda: "the lock is another's now"
    with pytest.raises(CancelledError, match="another's now"):
        go(tmp_path, world, EVACUATE)
    assert world.ups == 0 and not world.drained
