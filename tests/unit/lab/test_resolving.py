"""Clients of acceptance suites that keep an answer for its TTL."""

from __future__ import annotations

import time
from typing import Any

import pytest

from access import network
from access.network import WebAnswer
from tests.lab.acceptance import resolving
from tests.lab.acceptance.resolving import clients, stubborn
from tests.unit.live.checks.support import GATEWAYS, name_server, platform_of


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where requests were sent."""
    sent: list[str] = []

    def get(address: str, host: str, path: str, context: Any, *, seconds: float) -> WebAnswer:
        sent.append(address)
        return WebAnswer(503 if address == "127.0.0.2" else 200)

    monkeypatch.setattr(network, "get_https", get)
    monkeypatch.setattr(resolving, "BETWEEN_SECONDS", 0.01)
    return sent


def until(so: Any) -> None:
    deadline = time.monotonic() + 20
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_answer_is_kept_for_its_ttl_and_asked_anew_then(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []
    ask = network.ask

    def counting(server: Any, host: str, *, seconds: float) -> Any:
        questions.append(host)
        return ask(server, host, seconds=seconds)

    monkeypatch.setattr(network, "ask", counting)
    with name_server(["127.0.0.1"], ttl=1) as server:
        outputs = platform_of([server], GATEWAYS).outputs
        with clients(outputs, "/") as load:
            until(lambda: len(questions) == 2)
            until(lambda: load.requests[-1].age < 0.5)
    assert len(asked) > 5
    assert load.problems() == []
    assert set(load.led_to()) == {"eu"}
    assert 0.5 < max(request.age for request in load.requests) <= 1.2
    assert load.told()["failed"] == 0


def test_what_fails_is_told_with_where_and_when(asked: list[str]) -> None:
    both = ["127.0.0.1", "127.0.0.2"]
    with name_server(both) as server, clients(platform_of([server], GATEWAYS).outputs, "/") as load:
        until(lambda: len(asked) > 4)
    assert load.led_to()["eu"] and load.led_to()["us"]
    assert all(words.endswith("us: status 503") for words in load.problems())
    with name_server([]) as server, clients(platform_of([server], GATEWAYS).outputs, "/") as load:
        until(lambda: load.requests)
    assert load.problems()[0] == f"0.0 s: {server}: no record"


def test_a_stubborn_client_asks_whatever_names_say(asked: list[str]) -> None:
    with stubborn(platform_of([], GATEWAYS).outputs, "us", "/"):
        until(lambda: asked)
    assert set(asked) == {"127.0.0.2"}
