"""A region that names lead to again: in steps of weight, watched, killed anywhere, taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from report.errors import ConfigurationError
from runbooks import journal as journals
from runbooks.engine import RunFailedError
from runbooks.history import runs
from runbooks.journal import Outcome
from runbooks.regions import returning
from runbooks.regions.evacuation import EVACUATE
from runbooks.regions.returning import RETURN_REGION
from tests.unit.runbooks.regions_world import EDGES, WEIGHTED, Kill, World, abort, again, go, whats
from tests.unit.runbooks.test_evacuate_region import check_result

OUT: dict[str, Any] = {**WEIGHTED, "drained": ["eu"]}


def returned(world: World) -> bool:
    return not world.drained and world.weights() == world.ends and world.engine.differs() == []


def test_a_region_with_a_weight_gets_a_quarter_of_it_then_half_then_all(tmp_path: Path) -> None:
    world = World.at(tmp_path, **OUT)
    touched = RETURN_REGION.blast(world).touched
    assert "globalLoadBalancer.drained goes from ['eu'] to []" in touched[0]
    assert touched[1] == "its weight in policy goes to 18, 35, 70, one after the other"
    assert RETURN_REGION.preconditions(world) == []
    began = world.now
    go(tmp_path, world, RETURN_REGION)
    assert returned(world)
    assert world.ups == 3
    assert world.shares == [0.0, 0.38, 0.54, 0.7]
    # Each step is watched for 30 s from when no answer of before is kept any more.
    assert world.now - began >= 3 * (30 + 7.02)


def test_without_weights_names_lead_there_at_once(tmp_path: Path) -> None:
    world = World.at(tmp_path, drained=["eu"])
    assert not any("weight" in line for line in RETURN_REGION.blast(world).touched)
    go(tmp_path, world, RETURN_REGION)
    assert returned(world) and world.ups == 1
    assert [line for line in world.log if "so already" in line] == [
        "quarter: so already",
        "half: so already",
    ]


def test_a_host_s_own_policy_has_steps_of_its_own(tmp_path: Path) -> None:
    host = "assetmanagement.greencompute.lab.crossmesh.test"
    world = World.at(
        tmp_path, drained=["eu"], hostPolicies={host: {"weights": {"eu": 1, "us": 3}}}, region="eu"
    )
    assert world.ends == {host: 1}
    go(tmp_path, world, RETURN_REGION)
    # A whole number that is not nothing: there is one step alone.
    assert returned(world) and world.ups == 1


def test_a_region_that_stands_by_has_no_steps(tmp_path: Path) -> None:
    world = World.at(tmp_path, policy={"weights": {"eu": 0, "us": 3}}, drained=["eu"])
    assert world.ends == {}
    go(tmp_path, world, RETURN_REGION)
    assert returned(world) and world.ups == 1


def test_one_that_is_back_changes_nothing(tmp_path: Path) -> None:
    world = World.at(tmp_path, **WEIGHTED)
    assert RETURN_REGION.blast(world).touched == ["nothing: names lead to eu already"]
    go(tmp_path, world, RETURN_REGION)
    assert world.ups == 0


MOST = 30
"""Moments at which a run can be killed; the last of them is beyond its end."""


def test_there_are_so_many_moments(tmp_path: Path) -> None:
    world = World.at(tmp_path, **OUT)
    go(tmp_path, world, RETURN_REGION)
    assert 20 <= world.ticks < MOST


def opened_again(root: Path, world: World) -> World:
    """As another process opens it: by what is declared now, and by the values that the run keeps."""
    (past,) = runs(journals.read(root))
    world.ends = returning._weights(past.values["weights"], world.weights())
    return again(world)


@pytest.mark.parametrize("number", range(1, MOST))
def test_one_that_was_killed_anywhere_goes_on_to_the_weight_of_its_beginning(
    tmp_path: Path, number: int
) -> None:
    world = World.at(tmp_path, **OUT)
    world.kill_at = number
    try:
        go(tmp_path, world, RETURN_REGION)
    except Kill:
        shares = len(world.shares)
        go(tmp_path, opened_again(tmp_path, world), RETURN_REGION)
        # It never goes back on its way.
        assert world.shares[shares - 1 :] == sorted(world.shares[shares - 1 :])
    assert world.weights() == {"policy": 70}
    assert returned(world)


@pytest.mark.parametrize("number", range(1, MOST))
def test_one_that_was_killed_anywhere_can_be_taken_back(tmp_path: Path, number: int) -> None:
    world = World.at(tmp_path, **OUT)
    before = world.environment
    world.kill_at = number
    try:
        go(tmp_path, world, RETURN_REGION)
    except Kill:
        assert abort(tmp_path, opened_again(tmp_path, world), RETURN_REGION) == []
        assert world.drained and world.weights() == {"policy": 70}
        assert world.environment == before
        assert world.engine.differs() == [] and world.share() == 0


class Falling(World):
    """Its region is seen down once names lead to it by half."""

    def rest(self, seconds: float, lacking: str) -> None:
        if self.share() > 0.5:
            self.healthy = dict.fromkeys(EDGES, frozenset({"us"}))
        super().rest(seconds, lacking)


def test_a_region_that_does_not_stay_healthy_is_taken_out_again(tmp_path: Path) -> None:
    world = Falling.at(tmp_path, **OUT)
    with pytest.raises(RunFailedError, match="eu is not healthy in the eyes of eu-edge-1, us-edge-1") as told:
        go(tmp_path, world, RETURN_REGION)
    assert "What run a1 did was taken back" in str(told.value)
    assert world.drained and world.weights() == {"policy": 70}
    assert runs(journals.read(tmp_path))[-1].outcome is Outcome.TAKEN_BACK


class OthersFall(World):
    """The other region is down once names lead to this one, whose requests fail."""

    def rest(self, seconds: float, lacking: str) -> None:
        self.healthy = dict.fromkeys(EDGES, frozenset({"eu"}))
        super().rest(seconds, lacking)


def test_a_region_is_not_taken_out_again_when_it_is_the_last_healthy_one(tmp_path: Path) -> None:
    world = OthersFall.at(tmp_path, drained=["eu"])
    world.failing = 1.0
    with pytest.raises(RunFailedError, match="Taking back whole of run a1 failed too: eu stays"):
        go(tmp_path, world, RETURN_REGION)
    assert not world.drained


def test_requests_that_fail_there_take_it_out_again(tmp_path: Path) -> None:
    world = World.at(tmp_path, **OUT)
    world.failing = 0.06
    with pytest.raises(RunFailedError, match="more than 5 % of requests at the gateways of eu fail: 5"):
        go(tmp_path, world, RETURN_REGION)
    assert world.drained
    world.failing, world.errors = 0.04, 5.0
    go(tmp_path / "second", again(world), RETURN_REGION)
    assert returned(world)


def test_gateways_that_cannot_be_asked_for_a_while_are_no_reason_to_take_it_out(tmp_path: Path) -> None:
    world = World.at(tmp_path, **OUT)
    world.silent = 2
    go(tmp_path, world, RETURN_REGION)
    assert returned(world)
    assert any(line.startswith("requests cannot be counted: ") for line in world.log)


def test_what_the_doctor_finds_stands_against_it_unless_it_is_accepted(tmp_path: Path) -> None:
    world = World.at(tmp_path, **OUT)
    world.doctor = [check_result("its gateway is not ready")]
    world.path.write_text(world.text.replace("ttl: 5", "ttl: 6"))
    assert whats(RETURN_REGION.preconditions(world)) == [
        "name-server/x: its gateway is not ready",
        "not all that is declared was brought about: not as declared: eu-edge-1.edge",
    ]
    world.accepted = {"doctor"}
    assert len(whats(RETURN_REGION.preconditions(world))) == 1


def test_a_region_that_a_name_server_sees_down_or_holds_out_is_not_led_to(tmp_path: Path) -> None:
    world = World.at(tmp_path, **OUT)
    world.healthy[EDGES[0]] = frozenset({"us"})
    (problem,) = RETURN_REGION.preconditions(world)
    assert problem.blocks and problem.what == "eu is not healthy in the eyes of eu-edge-1"
    assert "`returned` of `healthCheck`" in problem.fix


def test_weights_at_the_end_are_those_that_are_given(tmp_path: Path) -> None:
    world = World.at(tmp_path, **OUT)
    world.ends = returning._weights("policy=40", world.weights())
    go(tmp_path, world, RETURN_REGION)
    assert world.weights() == {"policy": 40}
    assert RETURN_REGION.fixed(world) == {"weights": "policy=40"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("other=3", "other is no policy that gives the region a weight"),
        ("policy=0", "weight of policy=0 is out of bounds"),
        ("policy=many", "weight of policy=many is out of bounds"),
        ("70", "70 is no policy"),
    ],
)
def test_weights_that_are_none_are_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        returning._weights(text, {"policy": 70})


def test_out_and_back_leaves_the_declaration_as_it_was(tmp_path: Path) -> None:
    world = World.at(tmp_path, **WEIGHTED)
    before = world.stack.environment
    go(tmp_path / "out", world, EVACUATE)
    go(tmp_path / "back", again(world), RETURN_REGION)
    assert world.environment == before
