"""Who answers which names is one value: declared by the component, read from a preview or a state."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from report.model import UNKNOWN
from stacks.answers import INPUT, Answers, Server, record_type
from stacks.model import HealthCheck
from stacks.routing import EVERYBODY, described
from tests.unit.stacks.routing_cases import environment

ANSWERS = Answers(
    zone="example.com",
    names=("shop.example.com",),
    ttl=5,
    targets={"eu": ["192.0.2.151", "198.51.100.118"], "us": ["lb-1.cloud.example.org"]},
    servers={"e1": Server("192.0.2.7", "eu")},
    health=HealthCheck(interval=2, timeout=1, down_threshold=3, up_threshold=2),
)


def test_what_is_declared_is_what_is_read() -> None:
    assert Answers.from_inputs({INPUT: ANSWERS.to_inputs()}) == ANSWERS


def test_numbers_that_became_floats_on_their_way_are_whole_again() -> None:
    inputs = ANSWERS.to_inputs()
    inputs["ttl"] = 5.0
    inputs["health"] = {key: float(value) for key, value in inputs["health"].items()}
    assert repr(Answers.from_inputs({INPUT: inputs})) == repr(ANSWERS)


def test_a_target_that_is_not_known_yet_stays_what_the_engine_marks_it_with() -> None:
    later = replace(ANSWERS, targets={"eu": [UNKNOWN]})
    assert Answers.from_inputs({INPUT: later.to_inputs()}) == later


def test_a_state_of_before_there_were_further_zones_is_read() -> None:
    inputs = ANSWERS.to_inputs()
    del inputs["further_zones"]
    assert Answers.from_inputs({INPUT: inputs}) == ANSWERS


def test_a_state_of_before_a_region_had_several_addresses_is_read() -> None:
    inputs = ANSWERS.to_inputs()
    inputs["targets"] = {"eu": "192.0.2.200", "us": UNKNOWN}
    answers = Answers.from_inputs({INPUT: inputs})
    assert answers is not None and answers.targets == {"eu": ["192.0.2.200"], "us": [UNKNOWN]}


def test_a_zone_s_own_name_is_answered_with_addresses_alone() -> None:
    """DNS allows no alias there. What is not known yet may become one."""
    answers = replace(ANSWERS, further_zones=("example.net",), targets={**ANSWERS.targets, "ap": [UNKNOWN]})
    for name in answers.zones:
        assert answers.targets_of(name) == {"eu": ["192.0.2.151", "198.51.100.118"], "ap": [UNKNOWN]}
    for name in ("shop.example.com", "*.example.com"):
        assert answers.targets_of(name) == answers.targets


def test_policies_go_with_the_answers_and_leave_a_state_without_any_as_it_was() -> None:
    declared = environment(
        ["eu", "us"],
        {"shop": "shop.example.org"},
        {},
        policy={
            "weights": {"eu": 3, "us": 1},
            "geography": {"site": {"prefixes": ["10.1.0.0/16"], "regions": ["us"]}},
        },
    )
    answers = Answers.of(declared, {"eu": ["192.0.2.1"], "us": ["192.0.2.2"]})
    inputs = answers.to_inputs()
    assert Answers.from_inputs({INPUT: json.loads(json.dumps(inputs))}) == answers
    assert described(answers.tiers_of("shop.example.org", "10.1.0.0/16")) == "us; then eu"
    assert described(answers.tiers_of("shop.example.org", EVERYBODY)) == "eu 75%, us 25%"
    assert inputs.keys() - ANSWERS.to_inputs().keys() == {"routings"}
    assert described(ANSWERS.tiers_of("shop.example.com", EVERYBODY)) == "eu, us"


def test_a_drained_region_is_no_target() -> None:
    declared = environment(["eu", "us"], {"shop": "shop.example.org"}, {}, drained=["us"])
    answers = Answers.of(declared, {"eu": ["192.0.2.1"], "us": ["192.0.2.2"]})
    assert answers.targets_of("shop.example.org") == {"eu": ["192.0.2.1"]}


def test_a_component_without_answers_has_none() -> None:
    assert Answers.from_inputs({}) is None


@pytest.mark.parametrize(("target", "expected"), [("192.0.2.1", "A"), ("lb-1.cloud.example.org", "CNAME")])
def test_a_host_name_is_answered_as_another_name(target: str, expected: str) -> None:
    assert record_type(target) == expected


def test_the_component_declares_what_its_hosts_are_told(up: Any) -> None:
    component = up.one("crossmesh:components:GlobalLoadBalancer", "global-load-balancer")
    answers = Answers.from_inputs(component.inputs)
    assert answers is not None
    edges = [entry for entry in up.of("crossmesh:hosts:HostPhase") if entry.inputs["phase"] == "edge"]
    assert {entry.inputs["host"] for entry in edges} == set(answers.servers)
    for entry in edges:
        variables = entry.inputs["variables"]
        assert variables["gdnsd_domain"] == answers.zone
        assert variables["gdnsd_zones"] == {answers.zone: list(answers.names)}
        assert variables["gdnsd_gateways"] == answers.targets
        assert variables["gdnsd_name_servers"] == {
            name: server.address for name, server in answers.servers.items()
        }
