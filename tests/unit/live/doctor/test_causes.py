"""The judgement of causes, over any checks that rest on each other."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from live.doctor.causes import causes, judge
from live.doctor.keys import Key
from live.doctor.model import Check, CheckResult, Finding
from report.model import Severity, Status

FAIL, PASS, UNSEEN = Status.FAIL, Status.PASS, Status.NOT_MEASURABLE


def result(key: str, status: Status, rests_on: Sequence[str] = (), needs: Sequence[str] = ()) -> CheckResult:
    finding = Finding(f"doctor/{key}", status, "" if status is PASS else f"{key} is not well")
    check = Check(
        Key(key),
        "network",
        key,
        lambda watch: finding,
        tuple(map(Key, needs)),
        rests_on=tuple(map(Key, rests_on)),
        declared=(),
    )
    return CheckResult(check, finding)


@st.composite
def platforms(draw: st.DrawFn) -> list[CheckResult]:
    """Checks that rest on earlier ones, each with any status."""
    found: list[CheckResult] = []
    for number in range(draw(st.integers(1, 12))):
        earlier = [one.check.id for one in found]
        below = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        needs = draw(st.integers(0, len(below)))
        status = draw(st.sampled_from([FAIL, PASS, UNSEEN]))
        found.append(result(f"c{number:02}", status, below[needs:], below[:needs]))
    return found


def broken_below(results: Sequence[CheckResult], key: Key) -> set[Key]:
    """All that is broken below a check, on ways that are broken all along."""
    by_key = {one.check.id: one for one in results}
    found: set[Key] = set()
    waiting = [key]
    while waiting:
        for lower in by_key[waiting.pop()].check.foundations:
            if not by_key[lower].passed and lower not in found:
                found.add(lower)
                waiting.append(lower)
    return found


@given(platforms(), st.randoms())
def test_the_judgement_is_the_same_in_any_order(results: list[CheckResult], shuffle: random.Random) -> None:
    other = list(results)
    shuffle.shuffle(other)
    assert judge(other) == judge(results)
    assert causes(other) == causes(results)


@given(platforms())
def test_all_that_failed_is_a_cause_or_follows_from_causes_and_these_from_nothing(
    results: list[CheckResult],
) -> None:
    by_key: Mapping[Key, CheckResult] = {one.check.id: one for one in results}
    follows = judge(results)
    assert set(follows) == {key for key, one in by_key.items() if not one.passed}
    told = {Key(cause.rule.removeprefix("doctor/")): cause for cause in causes(results)}
    assert set(told) == {key for key, lower in follows.items() if not lower}
    for key, lower in follows.items():
        below = broken_below(results, key)
        failed = {one for one in below if by_key[one].finding.status is FAIL}
        assert set(lower) <= below & set(told)
        # A failure is explained by failures alone, and by them always.
        if by_key[key].finding.status is FAIL or failed:
            assert {by_key[one].finding.status for one in lower} <= {FAIL}
            assert bool(lower) is bool(failed)
        else:
            assert bool(lower) is bool(below)
    for key, cause in told.items():
        assert set(cause.follows) == {f"doctor/{upper}" for upper, lower in follows.items() if key in lower}
        assert all(by_key[Key(rule.removeprefix("doctor/"))].passed for rule in cause.holds)
        assert cause.status is by_key[key].finding.status


@given(platforms())
def test_failures_come_first_and_of_them_what_most_follows_from(results: list[CheckResult]) -> None:
    found = causes(results)
    failed = [cause for cause in found if cause.status is FAIL]
    assert list(found[: len(failed)]) == failed
    counts = [len(cause.follows) for cause in failed]
    assert counts == sorted(counts, reverse=True)


def test_what_holds_in_between_keeps_two_failures_apart() -> None:
    found = causes(
        [result("host", FAIL), result("kubelet", PASS, ["host"]), result("pod", FAIL, ["kubelet"])]
    )
    assert [cause.rule for cause in found] == ["doctor/host", "doctor/pod"]
    assert found[0].holds == ("doctor/kubelet",)


def test_what_only_warns_is_no_cause_and_follows_from_none() -> None:
    warning = result("soon", FAIL, ["host"])
    warning = replace(warning, finding=replace(warning.finding, severity=Severity.WARNING))
    found = causes([result("host", FAIL), warning, result("pod", FAIL, ["soon"])])
    assert [(cause.rule, cause.follows, cause.holds) for cause in found] == [
        ("doctor/host", (), ("doctor/soon",)),
        ("doctor/pod", (), ()),
    ]


def test_what_could_not_be_measured_in_between_joins_two_failures() -> None:
    results = [
        result("api", FAIL),
        result("kubelet", UNSEEN, needs=["api"]),
        result("way", FAIL, ["kubelet"]),
    ]
    (cause,) = causes(results)
    assert (cause.rule, cause.follows) == ("doctor/api", ("doctor/kubelet", "doctor/way"))


def test_a_host_that_nobody_reaches_is_not_known_and_no_cause_of_what_failed_on_it() -> None:
    results = [result("host", UNSEEN), result("kubelet", FAIL, ["host"]), result("view", UNSEEN, ["host"])]
    first, second = causes(results)
    assert (first.rule, first.status, first.unknown) == ("doctor/kubelet", FAIL, ("doctor/host",))
    assert (second.rule, second.status, second.follows) == ("doctor/host", UNSEEN, ("doctor/view",))


def test_a_check_may_follow_from_several_causes() -> None:
    results = [result("one", FAIL), result("other", FAIL), result("above", FAIL, ["one", "other"])]
    assert judge(results)[Key("above")] == ("one", "other")


def test_foundations_that_were_not_looked_at_explain_nothing() -> None:
    (cause,) = causes([result("above", FAIL, ["elsewhere"])])
    assert cause.rule == "doctor/above"
