from __future__ import annotations

import threading
import time

import pytest

from access.errors import NotAllowed
from live.doctor import runner
from live.doctor.model import Check, Finding, NotMeasurable, Watch
from report.errors import OperationsError
from report.model import Status

OK = Finding("", Status.PASS, "", measured="fine", expected="fine")


def check(
    id_: str,
    run: object = None,
    needs: tuple[str, ...] = (),
    seconds: float = 5,
    rests_on: tuple[str, ...] = (),
) -> Check:
    title = f"title of {id_}"
    place = {"region": "eu", "declared": ("applications", id_), "rests_on": rests_on}
    return Check(id_, "link", title, run or (lambda watch: OK), needs, seconds, **place)  # type: ignore[arg-type]


def raising(error: BaseException) -> object:
    def run(watch: Watch) -> Finding:
        raise error

    return run


def test_results_come_in_the_order_of_the_checks_whatever_ends_first() -> None:
    def slow(watch: Watch) -> Finding:
        time.sleep(0.1)
        return OK

    results = runner.run_checks([check("slow", slow), check("quick")])
    assert [result.check.id for result in results] == ["slow", "quick"]


def test_independent_checks_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=5)

    def meet(watch: Watch) -> Finding:
        both.wait()
        return OK

    results = runner.run_checks([check("one", meet), check("other", meet)])
    assert all(result.finding.status is Status.PASS for result in results)


def test_what_rests_on_a_failed_check_is_not_measurable_and_names_it() -> None:
    failed = Finding("", Status.FAIL, "it is gone", measured="nothing", expected="something")
    checks = [check("base", lambda watch: failed), check("above", needs=("base",)), check("apart")]
    base, above, apart = runner.run_checks(checks)
    assert base.finding.status is Status.FAIL
    assert above.finding.status is Status.NOT_MEASURABLE
    assert "base" in above.finding.message
    assert apart.finding.status is Status.PASS


def test_what_rests_on_a_failed_check_without_needing_it_is_measured_all_the_same() -> None:
    failed = Finding("", Status.FAIL, "it is gone", measured="nothing", expected="something")
    _, above = runner.run_checks([check("base", lambda watch: failed), check("above", rests_on=("base",))])
    assert above.finding.status is Status.PASS


def test_a_check_may_stand_before_what_it_needs() -> None:
    results = runner.run_checks([check("above", needs=("base",)), check("base")])
    assert [result.check.id for result in results] == ["above", "base"]
    assert all(result.finding.status is Status.PASS for result in results)


def test_a_check_that_hangs_fails_in_time_and_says_what_it_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 0.1)
    release = threading.Event()

    def hang(watch: Watch) -> Finding:
        watch.at("an answer of 10.0.0.1")
        release.wait(10)
        return OK

    start = time.monotonic()
    (result,) = runner.run_checks([check("hang", hang, seconds=0.2)])
    release.set()
    assert time.monotonic() - start < 3
    assert result.finding.status is Status.FAIL
    assert "10.0.0.1" in result.finding.message


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (NotMeasurable("no pod to look from", "make one"), Status.NOT_MEASURABLE, "no pod to look from"),
        (NotAllowed("it answers 403"), Status.FAIL, "403"),
        (ConnectionRefusedError(111, "Connection refused"), Status.FAIL, "refused"),
        (OperationsError("the pod says nothing"), Status.FAIL, "the pod says nothing"),
        (KeyError("surprise"), Status.NOT_MEASURABLE, "KeyError"),
    ],
)
def test_an_exception_becomes_a_finding_with_its_words(error: Exception, status: Status, words: str) -> None:
    (result,) = runner.run_checks([check("c", raising(error))])
    assert result.finding.status is status
    assert words in result.finding.message


def test_each_finding_names_its_check_as_its_rule_and_where_that_belongs() -> None:
    results = runner.run_checks([check("a"), check("b", raising(KeyError("x"))), check("c", needs=("b",))])
    findings = [result.finding for result in results]
    assert [finding.rule for finding in findings] == ["doctor/a", "doctor/b", "doctor/c"]
    assert [(finding.region, finding.declared) for finding in findings] == [
        ("eu", ("applications", id_)) for id_ in "abc"
    ]


def test_while_checks_run_it_is_told_how_many_have_ended_and_what_is_waited_for() -> None:
    told: list[str] = []

    def wait(watch: Watch) -> Finding:
        watch.at("an answer of 10.0.0.1")
        time.sleep(0.8)
        return OK

    runner.run_checks([check("a", raising(OSError("no"))), check("b", wait)], told.append)
    assert "1 checks ended, 1 not ok; b waits for an answer of 10.0.0.1" in told


@pytest.mark.parametrize(
    "checks",
    [
        [check("a"), check("a")],
        [check("a", needs=("b",))],
        [check("a", needs=("b",)), check("b", needs=("a",))],
        [check("a", rests_on=("b",))],
        [check("a", rests_on=("b",)), check("b", needs=("a",))],
    ],
)
def test_ids_that_are_double_and_foundations_that_are_none_are_refused(checks: list[Check]) -> None:
    with pytest.raises(ValueError, match="a"):
        runner.run_checks(checks)


def test_more_checks_than_run_at_a_time_all_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PARALLEL", 2)
    results = runner.run_checks([check(f"c{number}") for number in range(7)])
    assert len(results) == 7
