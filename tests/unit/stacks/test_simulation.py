"""Every state of the regions is gone through, and how long a change takes follows from what is declared."""

from __future__ import annotations

import time
from typing import Any

import pytest

from stacks import simulation
from stacks.model import HealthCheck
from stacks.simulation import State, answers_in, convergence, single_states, verify
from tests.unit.stacks.routing_cases import environment

SHOP = "shop.example.org"


def answers(state: State, policy: dict[str, Any], **balancer: Any) -> dict[tuple[str, str], str]:
    declared = environment(["ap", "eu", "us"], {"shop": SHOP}, {SHOP: policy}, **balancer)
    return {(row.clients, row.servers): row.answer for row in answers_in(declared, [state])}


def test_clients_of_each_place_are_told_apart() -> None:
    policy = {"failover": ["eu"], "geography": {"site": {"prefixes": ["10.1.0.0/16"], "regions": ["us"]}}}
    assert answers(State(), policy) == {("site", "all"): "us", ("everybody else", "all"): "eu"}
    down = State(down=frozenset({"us"}))
    assert answers(down, policy) == {("site", "all"): "eu", ("everybody else", "all"): "eu"}


def test_over_a_partition_servers_answer_by_what_each_of_them_sees() -> None:
    cut = State(partitioned=frozenset({"eu"}))
    assert answers(cut, {"failover": ["eu", "us"]}) == {
        ("everybody", "outside"): "us",
        ("everybody", "eu"): "eu",
    }


def test_what_is_drained_is_answered_by_nobody_though_nothing_else_is_healthy() -> None:
    state = State(down=frozenset({"ap", "us"}))
    assert answers(state, {"failover": ["eu", "us"]}, drained=["eu"]) == {("everybody", "all"): "us"}
    (row,) = answers_in(
        environment(["eu", "us"], {"shop": SHOP}, {}, drained=["eu"]), [State(down=frozenset({"us"}))]
    )
    assert (row.answer, row.healthy) == ("us", False)


def test_the_states_that_are_shown_are_each_region_by_itself() -> None:
    words = [str(state) for state in single_states(environment(["eu", "us"], {}, {}))]
    assert words[:4] == ["all up", "eu down", "eu drained", "eu partitioned"]
    assert [str(state) for state in single_states(environment(["eu"], {}, {}))] == [
        "all up",
        "eu down",
        "eu partitioned",
    ]


def test_all_states_of_ten_regions_are_gone_through_in_seconds() -> None:
    regions = [f"r{number}" for number in range(10)]
    policy = {
        "weights": {region: number for number, region in enumerate(regions)},
        "geography": {"site": {"prefixes": ["10.1.0.0/16"], "regions": regions[2:5], "failover": ["r9"]}},
    }
    begun = time.process_time()
    found = verify(environment(regions, {"shop": SHOP}, {}, policy=policy))
    # Up, down or drained: 3 to the 10, but for all drained, for two kinds of clients.
    assert found == simulation.Verified(2 * (3**10 - 1), ())
    assert time.process_time() - begun < 20


def test_more_regions_are_not_gone_through() -> None:
    with pytest.raises(ValueError, match="11 regions"):
        verify(environment([f"r{number}" for number in range(11)], {}, {}))


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([{"eu"}], "a region that is down is answered while another one is healthy"),
        ([], "an answer is empty"),
        ([{"eu", "us"}], "a drained region is answered"),
    ],
)
def test_an_order_that_leaves_somebody_out_or_in_is_found(
    monkeypatch: pytest.MonkeyPatch, groups: list[set[str]], words: str
) -> None:
    monkeypatch.setattr(simulation, "groups", lambda *_: groups)
    problems = verify(environment(["eu", "us"], {}, {})).problems
    assert any(problem.endswith(words) for problem in problems), problems


def test_the_bound_follows_from_interval_threshold_timeout_and_ttl() -> None:
    check = HealthCheck(interval=3, timeout=2, down_threshold=4, up_threshold=2)
    lost, back = convergence(check, 30), convergence(check, 30, up=True)
    assert (lost.seen, lost.cached, back.seen) == (3 * 4 + 2, 30, 3 * 2 + 2)
    assert lost.total == pytest.approx(14 + 1.02 + 1 + 30)


def test_one_that_is_held_out_is_as_if_down_until_it_is_the_only_one_left() -> None:
    held, policy = frozenset({"eu"}), {"failover": ["eu", "us"]}
    assert answers(State(held=held), policy) == {("everybody", "all"): "us"}
    alone = State(held=held, down=frozenset({"us", "ap"}))
    assert answers(alone, policy) == {("everybody", "all"): "eu"}
    assert answers(State(held=held, down=frozenset({"us"})), policy, drained=["ap"]) == {
        ("everybody", "all"): "eu"
    }
    declared = environment(["eu", "us"], {}, {}, healthCheck={"holdDown": 60})
    assert "eu held" in map(str, single_states(declared))


def test_a_region_comes_back_after_its_time_or_the_probes_whichever_is_later() -> None:
    held = HealthCheck(interval=3, timeout=2, up_threshold=2, hold_down=60)
    assert convergence(held, 30, up=True).seen == 60 + 3 + 2 * 2
    assert convergence(held, 30).seen == convergence(HealthCheck(interval=3, timeout=2), 30).seen
    assert (
        convergence(HealthCheck(interval=3, timeout=2, up_threshold=20, hold_down=5), 30, up=True).seen == 62
    )


def test_what_holds_regions_is_in_states_only_where_it_is_declared() -> None:
    assert HealthCheck().settings.keys() == {"interval", "timeout", "down_threshold", "up_threshold"}
    by_hand = HealthCheck.model_validate({"return": "byHand", "returned": {"eu": 1}})
    assert HealthCheck(**by_hand.settings) == by_hand
