"""Whether edge hosts have and see the same, and what parents of zones say of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from access.delegation import Delegation
from live.agreement import Said, differences, misled
from live.prober import Health, View

EU, US = "192.0.2.1", "192.0.2.2"
UP = View("eu", answered=True, seen_up=True, forced=False, age=1.0, said="200")
DOWN = replace(UP, answered=False, seen_up=False)


def said(eu: View = UP, **changes: object) -> Said:
    health = Health({EU: eu, US: replace(UP, region="us")}, 18.0)
    return replace(Said(health, {"example.org": "aa"}, {"shop.example.org": frozenset({EU, US})}), **changes)  # type: ignore[arg-type]


def found(other: Said) -> list[tuple[str, bool, bool]]:
    return [(each.words, each.wrong, each.passing) for each in differences({"eu-1": said(), "us-1": other})]


def test_those_that_have_and_see_the_same_agree() -> None:
    assert found(said()) == []
    assert list(differences({"eu-1": said()})) == []


@pytest.mark.parametrize(
    ("other", "words", "wrong", "passing"),
    [
        (
            said(zones={"example.org": "bb"}),
            "example.org is not the same zone everywhere: aa on eu-1; bb on us-1",
            True,
            False,
        ),
        (
            said(zones={}),
            "example.org is not the same zone everywhere: aa on eu-1; none on us-1",
            True,
            False,
        ),
        (
            said(replace(UP, answered=False, forced=True)),
            f"the gateway of eu ({EU}) is not forced alike: forced DOWN on us-1; not forced on eu-1",
            True,
            False,
        ),
        (
            said(DOWN),
            f"the gateway of eu ({EU}) is seen differently, so the server that is asked decides: DOWN on "
            "us-1; UP on eu-1",
            False,
            True,
        ),
        (
            said(replace(UP, answered=False, held=True)),
            f"the gateway of eu ({EU}) is held out by some alone: held out on us-1; not held out on eu-1",
            False,
            True,
        ),
        (
            said(answers={"shop.example.org": frozenset({US})}),
            f"shop.example.org is answered differently, though all see the same: {EU}, {US} on eu-1; {US} on "
            "us-1",
            True,
            True,
        ),
        (
            said(health=Health({US: replace(UP, region="us")}, 18.0), answers={}),
            f"us-1 does not know the gateway of eu ({EU}), which others do",
            True,
            False,
        ),
    ],
)
def test_what_differs_is_told_and_who_made_it_so(other: Said, words: str, wrong: bool, passing: bool) -> None:
    assert found(other) == [(words, wrong, passing)]


DECLARED = {"eu-1.example.org": EU, "us-1.example.org": US}
GLUE = {name: (address,) for name, address in DECLARED.items()}


@pytest.mark.parametrize(
    ("delegation", "words", "meets"),
    [
        (Delegation("org", tuple(DECLARED), GLUE), [], []),
        (Delegation("org"), ["example.org is not delegated at org"], [True]),
        (
            Delegation("org", ("eu-1.example.org",), {"eu-1.example.org": (EU,)}),
            ["example.org: us-1.example.org is not named at org: nobody asks it"],
            [False],
        ),
        (
            Delegation("org", ("ns.other.org",), {}),
            [
                "example.org: ns.other.org is named at org, and is no name server of ours: who asks it gets "
                "no answer",
                "example.org: eu-1.example.org is not named at org: nobody asks it",
                "example.org: us-1.example.org is not named at org: nobody asks it",
            ],
            [True, True, True],
        ),
        (
            Delegation("org", tuple(DECLARED), {**GLUE, "eu-1.example.org": ("192.0.2.9",)}),
            [f"example.org: eu-1.example.org has the glue 192.0.2.9 at org, and is at {EU}"],
            [True],
        ),
        (
            Delegation("org", tuple(DECLARED), {"us-1.example.org": (US,)}),
            ["example.org: eu-1.example.org is named at org without its address, which only it could give"],
            [True],
        ),
    ],
)
def test_a_delegation_that_leads_astray_is_told(
    delegation: Delegation, words: list[str], meets: list[bool]
) -> None:
    told = list(misled("example.org", DECLARED, delegation))
    assert [each[0] for each in told] == words
    assert [each[2] for each in told] == meets
    assert all(each[1] for each in told)


def test_servers_of_another_domain_need_no_glue() -> None:
    assert list(misled("example.net", DECLARED, Delegation("net", tuple(DECLARED)))) == []
