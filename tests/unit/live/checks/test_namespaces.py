from __future__ import annotations

import json

import pytest

from live.checks import namespaces
from live.doctor.probes import Answer
from report.model import Status
from tests.unit.live.checks.support import FakeProbes
from tests.unit.operations.support import (
    Answers,
    make_platform,
    pod,
    run,
)

RESET = Answer(0, problem="wget: error getting response: Connection reset by peer", closed=True)


REFUSED = Answer(0, problem="wget: can't connect to remote host (10.0.0.1): Connection refused")


ANSWERED = Answer(200, json.dumps({"service": "s", "region": "eu"}))


def strict(outside: Answer, inside: Answer, answers: Answers | None = None) -> object:
    probes = {"eu": FakeProbes("172.30.1.9", outside, inside)}
    platform = make_platform({"eu": answers or Answers(pods=[pod("a")])}, probes=probes)
    return run(namespaces.check_strict, platform, "eu", seconds=30)


def test_refused_outside_and_answered_inside_is_strict() -> None:
    finding = strict(RESET, ANSWERED)
    assert finding.status is Status.PASS  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("outside", "inside", "words"),
    [
        (ANSWERED, ANSWERED, "in plain text"),
        (REFUSED, ANSWERED, "proves nothing"),
        (RESET, Answer(503, problem="wget: server returned error: HTTP/1.1 503"), "HTTP/1.1 503"),
        (RESET, REFUSED, "Connection refused"),
    ],
)
def test_anything_else_is_not_strict_and_says_why(outside: Answer, inside: Answer, words: str) -> None:
    finding = strict(outside, inside)
    assert finding.status is Status.FAIL  # type: ignore[attr-defined]
    assert words in finding.message  # type: ignore[attr-defined]


def test_no_pod_to_ask_is_no_proof_of_strictness() -> None:
    finding = strict(RESET, ANSWERED, Answers())
    assert finding.status is Status.FAIL  # type: ignore[attr-defined]
