"""What a policy means: the order of regions for clients of each place."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.model import GeographyPlace, RoutingPolicy
from stacks.routing import DEFAULT, EVERYBODY, Routing, answered, described, order, routings
from tests.unit.stacks.routing_cases import environment

REGIONS = ["ap", "eu", "us"]
SHOP, WIKI = "shop.example.org", "wiki.example.org"
HOSTS = {"shop": SHOP, "wiki": WIKI}


@pytest.mark.parametrize(
    ("policy", "place", "words"),
    [
        ({}, None, "ap, eu, us"),
        ({"failover": ["us", "eu"]}, None, "us; then eu; then ap"),
        ({"failover": ["us"]}, None, "us; then ap, eu"),
        ({"weights": {"eu": 3, "us": 1, "ap": 0}}, None, "eu 75%, us 25%; then ap"),
        ({"weights": {"eu": 1, "us": 0, "ap": 0}}, None, "eu; then ap, us"),
        ({"weights": {"eu": 1, "us": 0, "ap": 0}, "failover": ["us"]}, None, "eu; then us; then ap"),
        ({}, {"regions": ["eu"]}, "eu; then ap, us"),
        ({"failover": ["us", "ap"]}, {"regions": ["eu"]}, "eu; then us; then ap"),
        ({"failover": ["us"]}, {"regions": ["eu"], "failover": ["ap"]}, "eu; then ap; then us"),
        ({"weights": {"eu": 3, "us": 1, "ap": 1}}, {"regions": ["eu", "us"]}, "eu 75%, us 25%; then ap"),
        ({"weights": {"eu": 3, "us": 1, "ap": 1}}, {"regions": ["ap"]}, "ap; then eu 75%, us 25%"),
        ({"weights": {"eu": 3, "us": 1, "ap": 0}}, {"regions": ["ap"]}, "ap; then eu 75%, us 25%"),
        ({"weights": {"eu": 3, "us": 1, "ap": 0}}, {"regions": ["eu", "ap"]}, "eu; then us; then ap"),
    ],
)
def test_clients_are_led_by_place_then_weight_then_failover(
    policy: dict[str, Any], place: dict[str, Any] | None, words: str
) -> None:
    where = GeographyPlace.model_validate(place) if place else None
    assert described(order(RoutingPolicy.model_validate(policy), where, REGIONS)) == words


def test_what_is_drained_is_in_no_order() -> None:
    policy = RoutingPolicy(weights={"eu": 3, "us": 1, "ap": 0})
    assert described(order(policy, None, REGIONS, ["eu"])) == "us; then ap"
    assert described(order(policy, None, REGIONS, ["eu", "us"])) == "ap"


@pytest.mark.parametrize(
    ("healthy", "words"),
    [
        ({"eu", "us", "ap"}, "eu 75%, us 25%"),
        ({"us", "ap"}, "us"),
        ({"ap"}, "ap"),
        (set(), "eu 75%, us 25%"),
    ],
)
def test_the_first_tier_with_a_healthy_region_is_answered_and_of_it_the_healthy(
    healthy: set[str], words: str
) -> None:
    tiers = order(RoutingPolicy(weights={"eu": 3, "us": 1, "ap": 0}), None, REGIONS)
    assert str(answered(tiers, healthy)) == words


def test_a_host_has_its_own_policy_or_that_of_all_or_none() -> None:
    failover = {"failover": ["us"]}
    assert routings(environment(REGIONS, HOSTS, {})) == ()
    (own,) = routings(environment(REGIONS, HOSTS, {SHOP: failover}))
    assert (own.name, own.hosts) == ("shop", (SHOP,))
    every, other = routings(environment(REGIONS, HOSTS, {SHOP: {}}, policy=failover))
    assert (every.name, every.hosts, described(every.tiers)) == (DEFAULT, (WIKI,), "us; then ap, eu")
    assert (other.hosts, described(other.tiers)) == ((SHOP,), "ap, eu, us")


def test_drained_regions_are_answered_for_no_host_with_a_policy_or_without() -> None:
    found = routings(environment(REGIONS, HOSTS, {SHOP: {"failover": ["us"]}}, drained=["us"]))
    assert {each.hosts: described(each.tiers) for each in found} == {(WIKI,): "ap, eu", (SHOP,): "ap, eu"}


PLACES = {
    "site": {"prefixes": ["10.1.0.0/16"], "regions": ["us"]},
    "north": {"countries": ["NO"], "regions": ["ap"]},
    "europe": {"continents": ["EU"], "regions": ["eu"]},
}


@pytest.fixture
def placed() -> Routing:
    (routing,) = routings(environment(REGIONS, HOSTS, {SHOP: {"geography": PLACES}}))
    return routing


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("10.1.0.0/16", "site"),
        ("10.1.7.0/24", "site"),
        ("10.0.0.0/8", EVERYBODY),
        ("NO", "north"),
        ("DE", "europe"),
        ("US", EVERYBODY),
        ("AS", EVERYBODY),
        ("continent EU", "europe"),
        ("continent AS", EVERYBODY),
        (EVERYBODY, EVERYBODY),
    ],
)
def test_a_prefix_goes_before_a_country_and_a_country_before_its_continent(
    placed: Routing, kind: str, place: str
) -> None:
    assert placed.place_of(kind) == place


def test_the_kinds_of_clients_that_a_policy_tells_apart(placed: Routing) -> None:
    assert placed.kinds == ("10.1.0.0/16", "NO", "continent EU", EVERYBODY)
