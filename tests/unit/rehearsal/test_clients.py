"""Clients at a steady rate, and what is made of the answers they got."""

from __future__ import annotations

import time
from threading import Lock

import pytest

from access.network import WebAnswer
from rehearsal.clients import Clients, Request, tally

URL = "https://a.test/x"


def requests(*words: str) -> list[Request]:
    """One request a second, with its problem."""
    return [Request(URL, float(at), 0.1, problem) for at, problem in enumerate(words)]


@pytest.mark.parametrize(
    ("words", "failed", "out"),
    [
        (("", "", ""), 0, 0.0),
        (("", "reset", ""), 1, 1.0),
        (("", "reset", "reset", "", "reset", ""), 3, 2.0),
        # One that never ends lasts until the clients end.
        (("", "", "reset"), 1, 8.0),
        ((), 0, 0.0),
    ],
)
def test_an_outage_lasts_from_its_first_failure_to_the_next_answer(
    words: tuple[str, ...], failed: int, out: float
) -> None:
    found = tally(URL, requests(*words), end=10.0)
    assert (found.sent, found.failed, found.out_seconds) == (len(words), failed, out)


def test_the_order_of_answers_is_that_of_their_requests() -> None:
    found = tally(URL, reversed(requests("", "reset", "reset", "")), end=10.0)
    assert found.out_seconds == 2.0


def test_other_urls_are_not_counted_and_the_most_frequent_problem_is_named_first() -> None:
    others = [Request("https://b.test/", 1.0, 0.1, "reset")]
    found = tally(URL, [*requests("late", "reset", "reset"), *others], end=3.0)
    assert found.problems == ("reset", "late")
    assert str(found) == "3 of 3 requests failed, 3.0 s at most in a row: reset; late"
    assert str(tally(URL, requests("", ""), 2.0)) == "2 requests, each answered"


class Answers:
    """Answers by path, and counts who asked."""

    def __init__(self, **by_path: WebAnswer) -> None:
        self._answers = by_path
        self.asked: list[str] = []
        self._lock = Lock()

    def __call__(self, host: str, path: str) -> WebAnswer:
        with self._lock:
            self.asked.append(f"{host}{path}")
        return self._answers.get(path.strip("/"), WebAnswer(200))


def test_each_url_is_asked_in_turn_and_what_no_client_can_use_has_failed() -> None:
    ask = Answers(broken=WebAnswer(503), gone=WebAnswer(0, problem="refused"), missing=WebAnswer(404))
    urls = [("a.test", f"/{path}") for path in ("well", "broken", "gone", "missing")]
    clients = Clients(urls, ask, rate=200.0)
    since = time.monotonic()
    clients.start()
    while len(ask.asked) < 40:
        assert time.monotonic() < since + 20
        time.sleep(0.01)
    clients.stop()
    asked = len(ask.asked)
    well, broken, gone, missing = clients.tallies(since, time.monotonic())
    assert (well.failed, missing.failed) == (0, 0)
    assert (broken.problems, gone.problems) == (("status 503",), ("refused",))
    assert broken.failed == broken.sent
    counts = [one.sent for one in (well, broken, gone, missing)]
    assert max(counts) - min(counts) <= 1
    time.sleep(0.1)
    assert len(ask.asked) == asked


def test_where_nothing_is_exposed_nobody_asks() -> None:
    ask = Answers()
    clients = Clients([], ask, rate=100.0)
    clients.start()
    clients.stop()
    assert ask.asked == []
