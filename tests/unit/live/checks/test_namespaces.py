from __future__ import annotations

import json

import pytest

from access.cluster import Executed
from live.checks import namespaces
from live.doctor.model import Status
from tests.unit.live.checks.support import FakeProbes
from tests.unit.operations.support import (
    Answers,
    make_platform,
    pod,
    run,
)

RESET = Executed(56, "\n000", "curl: (56) Recv failure: Connection reset by peer")


REFUSED = Executed(7, "\n000", "curl: (7) Failed to connect")


ANSWERED = Executed(0, json.dumps({"service": "s", "region": "eu"}) + "\n200", "")


def strict(outside: Executed, inside: Executed, answers: Answers | None = None) -> object:
    probes = {"eu": FakeProbes("172.30.1.9", outside, inside)}
    platform = make_platform({"eu": answers or Answers(pods=[pod("a")])}, probes=probes)
    return run(namespaces.check_strict, platform, "eu", seconds=30)


def test_refused_outside_and_answered_inside_is_strict() -> None:
    finding = strict(RESET, ANSWERED)
    assert finding.status is Status.OK  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("outside", "inside", "words"),
    [
        (ANSWERED, ANSWERED, "in plain text"),
        (REFUSED, ANSWERED, "proves nothing"),
        (RESET, Executed(0, "no healthy upstream\n503", ""), "HTTP 503"),
        (RESET, REFUSED, "Failed to connect"),
    ],
)
def test_anything_else_is_not_strict_and_says_why(outside: Executed, inside: Executed, words: str) -> None:
    finding = strict(outside, inside)
    assert finding.status is Status.FAILED  # type: ignore[attr-defined]
    assert words in finding.explanation  # type: ignore[attr-defined]


def test_no_pod_to_ask_is_no_proof_of_strictness() -> None:
    finding = strict(RESET, ANSWERED, Answers())
    assert finding.status is Status.FAILED  # type: ignore[attr-defined]
