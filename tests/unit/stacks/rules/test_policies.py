"""Each rule over policies of the global load balancer, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from stacks.load import load_stack
from tests.unit.stacks.bad import BALANCING, Bad, Write, assert_refused, bad
from tests.unit.stacks.conftest import changed

POLICY = "globalLoadBalancer.policy"


def policy(text: str, **case: str) -> Bad:
    """A policy for all hosts. Of `{}` in its path and line, the file has the text alone."""
    return balancer(f"policy: {text}", **case)


def balancer(text: str, path: str, got: str, rule: str, fix: str, line: str = "", others: int = 0) -> Bad:
    return bad(
        (BALANCING, f"    globalLoadBalancer:\n      {text}\n"),
        path=path,
        line=line or text.partition("\n")[0],
        got=got,
        rule=rule,
        fix=fix,
        others=others,
    )


def place(text: str, more: str = "") -> str:
    """A policy with a place, and perhaps a second one."""
    return f"policy:\n        geography:\n          here: {text}\n" + (
        f"          there: {more}\n" if more else ""
    )


CASES: dict[str, Bad] = {
    "weight of an unknown region": policy(
        "{weights: {eu: 1, us: 1, cloud: 0, ap: 1}}",
        path=f"{POLICY}.weights.ap",
        got="the unknown region 'ap'",
        rule="regions there are: cloud, eu, us",
        fix="take it out",
    ),
    "failover to an unknown region": policy(
        "{failover: [eu, clod]}",
        path=f"{POLICY}.failover[1]",
        got="the unknown region 'clod'",
        rule="regions there are",
        fix="did you mean 'cloud'?",
    ),
    "a region twice in a failover": policy(
        "{failover: [eu, us, eu]}",
        path=f"{POLICY}.failover[2]",
        got="eu again",
        rule="in a list once",
        fix="take it out here",
    ),
    "place of an unknown region": balancer(
        place("{prefixes: [10.1.0.0/16], regions: [ap]}"),
        path=f"{POLICY}.geography.here.regions[0]",
        got="the unknown region 'ap'",
        rule="regions there are",
        fix="take it out",
        line="here:",
    ),
    "a region that stands in for itself": balancer(
        place("{prefixes: [10.1.0.0/16], regions: [eu], failover: [eu]}"),
        path=f"{POLICY}.geography.here.failover[0]",
        got="eu",
        rule="stand in for those of the place",
        fix="out of one of the two lists",
        line="here:",
    ),
    "drained region that is unknown": balancer(
        "drained: [clod]",
        path="globalLoadBalancer.drained[0]",
        got="the unknown region 'clod'",
        rule="regions there are",
        fix="did you mean 'cloud'?",
    ),
    "all regions drained": balancer(
        "drained: [eu, us, cloud]",
        path="globalLoadBalancer.drained",
        got="all regions",
        rule="one region or more",
        fix="leave one of them in service",
    ),
    "a region without a weight": policy(
        "{weights: {eu: 1, us: 1}}",
        path=f"{POLICY}.weights",
        got="no weight for cloud",
        rule="each region has a weight; 0 for one that stands by",
        fix="add cloud: 0",
    ),
    "weights that sum to nothing": policy(
        "{weights: {eu: 0, us: 0, cloud: 0}}",
        path=f"{POLICY}.weights",
        got="weights that sum to 0",
        rule="one region has a weight or more",
        fix="write one above 0",
    ),
    "weights for everybody, and an order": policy(
        "{weights: {eu: 1, us: 1, cloud: 1}, failover: [eu, us]}",
        path=f"{POLICY}.failover",
        got="`failover` that changes no answer",
        rule="each key changes what some client is answered",
        fix="nobody stands by",
    ),
    "an empty policy for all": policy(
        "{}", path=POLICY, got="an empty policy", rule="a policy says something", fix="take it out"
    ),
    "prefixes that overlap": balancer(
        place("{prefixes: [10.0.0.0/8], regions: [eu]}", "{prefixes: [10.2.0.0/16], regions: [us]}"),
        path=f"{POLICY}.geography.there.prefixes[0]",
        got="10.2.0.0/16, which overlaps 10.0.0.0/8 (line ",
        rule="prefixes neither repeat nor overlap",
        fix="divide the larger one",
        line="there:",
    ),
    "a prefix twice": balancer(
        place("{prefixes: [10.1.0.0/16, 10.1.0.0/16], regions: [eu]}"),
        path=f"{POLICY}.geography.here.prefixes[1]",
        got="10.1.0.0/16, again",
        rule="neither repeat nor overlap",
        fix="take one of the two out",
        line="here:",
    ),
    "a continent that there is not": balancer(
        place("{continents: [EMEA], regions: [eu]}"),
        path=f"{POLICY}.geography.here.continents[0]",
        got="EMEA",
        rule="one of: AF, AN, AS, EU, NA, OC, SA",
        fix="write",
        line="here:",
    ),
    "a country that there is not": balancer(
        "geoipDatabase: /var/lib/GeoIP/countries.mmdb\n      " + place("{countries: [UK], regions: [eu]}"),
        path=f"{POLICY}.geography.here.countries[0]",
        got="UK",
        rule="a country of ISO 3166-1",
        fix="write GB",
        line="here:",
    ),
    "a country in two places": balancer(
        "geoipDatabase: /var/lib/GeoIP/countries.mmdb\n      "
        + place("{countries: [DE], regions: [eu]}", "{countries: [DE], regions: [us]}"),
        path=f"{POLICY}.geography.there.countries[0]",
        got="DE again (line ",
        rule="countries are of one place",
        fix="take it out here",
        line="there:",
    ),
    "a place without clients": balancer(
        place("{regions: [eu]}"),
        path=f"{POLICY}.geography.here",
        got="a place without clients",
        rule="which clients are of it",
        fix="add `prefixes`",
        line="here:",
    ),
    "a continent without a database": balancer(
        place("{continents: [EU], regions: [eu]}"),
        path=f"{POLICY}.geography.here",
        got="no `geoipDatabase`",
        rule="in which country an address is",
        fix="or say it by `prefixes`",
        line="here:",
    ),
    "a database for nothing": balancer(
        "geoipDatabase: /var/lib/GeoIP/countries.mmdb",
        path="globalLoadBalancer.geoipDatabase",
        got="/var/lib/GeoIP/countries.mmdb",
        rule="no place names one",
        fix="take it out",
    ),
    "a database where gdnsd does not look": balancer(
        "geoipDatabase: /home/geo/countries.mmdb\n      " + place("{countries: [DE], regions: [eu]}"),
        path="globalLoadBalancer.geoipDatabase",
        got="/home/geo/countries.mmdb",
        rule="gdnsd's unit of systemd sees nothing below /home",
        fix="below /var/lib/GeoIP",
    ),
    "a policy of a host that nobody exposes": balancer(
        "hostPolicies: {shop.example.tset: {failover: [us]}}",
        path="globalLoadBalancer.hostPolicies.shop.example.tset",
        got="shop.example.tset",
        rule="the name servers answer: back.example.test, shop.example.test",
        fix="did you mean 'shop.example.test'?",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_policy_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)


def test_good_policies_are_taken(write: Write) -> None:
    text = """\
    globalLoadBalancer:
      geoipDatabase: /var/lib/GeoIP/GeoLite2-Country.mmdb
      drained: [cloud]
      policy: {failover: [us, eu]}
      hostPolicies:
        back.example.test: {}
        shop.example.test:
          weights: {eu: 3, us: 1, cloud: 0}
          failover: [cloud]
          geography:
            site: {prefixes: [10.1.0.0/16], regions: [us]}
            north: {countries: ["NO"], continents: [AN], regions: [eu], failover: [us]}
"""
    stack = load_stack(write(changed((BALANCING, text))), require_secrets=True)
    balancer = stack.environment.global_load_balancer
    assert balancer is not None and balancer.host_policies["shop.example.test"].geography[
        "north"
    ].countries == ("NO",)
