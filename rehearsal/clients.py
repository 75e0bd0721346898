"""Clients of the twin: they ask its name servers and gateways at a steady rate, and count what they get."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from access import network
from access.network import WebAnswer
from access.outputs import GatewayAddress, Outputs

REQUEST_SECONDS = 4.0
"""A request that takes longer has failed."""
_T = TypeVar("_T")
_LONGEST = 3 * 3600.0
"""Seconds after which clients end by themselves."""
_WORKERS = 16

Ask = Callable[[str, str], WebAnswer]
"""Asks for a path of a host, as a client without a memory does: its address first."""


@dataclass(frozen=True)
class Request:
    """One request and how it ended."""

    url: str
    at: float
    """When it was sent: seconds of this machine's monotonic clock."""
    seconds: float
    problem: str
    """Empty for one that was answered."""


@dataclass(frozen=True)
class Tally:
    """All requests for one URL within a time."""

    url: str
    sent: int
    failed: int
    out_seconds: float
    """The longest time from the first of several failures in a row to the next good answer."""
    problems: tuple[str, ...]
    """What failed requests got, the most frequent first."""

    def __str__(self) -> str:
        if not self.failed:
            return f"{self.sent:,} requests, each answered"
        out = f"{self.out_seconds:.1f} s at most in a row"
        return f"{self.failed:,} of {self.sent:,} requests failed, {out}: {'; '.join(self.problems[:3])}"


def tally(url: str, requests: Iterable[Request], end: float) -> Tally:
    """Count the requests for one URL. end: until when they were sent; an outage may last until then."""
    own = sorted((one for one in requests if one.url == url), key=lambda one: one.at)
    longest, since = 0.0, None
    problems: dict[str, int] = {}
    for one in own:
        if one.problem:
            problems[one.problem] = problems.get(one.problem, 0) + 1
            since = one.at if since is None else since
        elif since is not None:
            longest, since = max(longest, one.at - since), None
    if since is not None:
        longest = max(longest, end - since)
    often = tuple(sorted(problems, key=lambda words: (-problems[words], words)))
    return Tally(url, len(own), sum(problems.values()), longest, often)


def asking(outputs: Outputs) -> Ask:
    """A client of a platform: it asks the name servers in turn, then the first gateway that one names.

    Where there are no name servers, it goes to the gateways in turn, as clients do whom others lead there.
    """
    trust = network.Trust(outputs)
    turn = _Turn()
    gateways = [one for region in outputs.regions.values() for one in region.gateway_addresses]

    def ask(host: str, path: str) -> WebAnswer:
        found = _resolved(outputs, host, turn) if outputs.nameservers else turn.of(gateways)
        if isinstance(found, str):
            return WebAnswer(0, problem=found)
        return network.get_https(str(found[0]), host, path, trust.of(host), seconds=REQUEST_SECONDS)

    return ask


def _resolved(outputs: Outputs, host: str, turn: _Turn) -> Sequence[GatewayAddress] | str:
    problem = ""
    for server in turn.of(outputs.nameservers):
        answer = network.ask(server, host, seconds=REQUEST_SECONDS / 2)
        if not answer.problem:
            return [GatewayAddress.of(text) for text in answer.records]
        problem = f"{server}: {answer.problem}"
    return problem


class _Turn:
    """Begins with the next one each time, so that each of several is asked as often as the others."""

    def __init__(self) -> None:
        self._number = 0

    def of(self, several: Sequence[_T]) -> list[_T]:
        self._number += 1
        start = self._number % len(several)
        return [*several[start:], *several[:start]]


@dataclass
class Clients:
    """Requests for each of some URLs in turn, from `start` to `stop`; bounded in time by themselves."""

    urls: Sequence[tuple[str, str]]
    """Host and path of each."""
    ask: Ask
    rate: float
    """Requests in a second, over all URLs."""
    requests: list[Request] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _sender: threading.Thread | None = None

    def start(self) -> None:
        """Begin to send."""
        self._sender = threading.Thread(target=self._send, daemon=True)
        self._sender.start()

    def stop(self) -> None:
        """Send no more, and wait for what was sent."""
        self._over.set()
        if self._sender is not None:
            self._sender.join(4 * REQUEST_SECONDS)

    def tallies(self, since: float, until: float) -> list[Tally]:
        """What the requests of a time came to, by URL. since, until: of the monotonic clock."""
        within = [one for one in [*self.requests] if since <= one.at < until]
        return [tally(_url(*one), within, until) for one in self.urls]

    def _send(self) -> None:
        began = time.monotonic()
        with ThreadPoolExecutor(_WORKERS) as pool:
            number = 0
            while self.urls and not self._over.is_set() and time.monotonic() - began < _LONGEST:
                pool.submit(self._request, *self.urls[number % len(self.urls)])
                number += 1
                self._over.wait(max(0.0, began + number / self.rate - time.monotonic()))

    def _request(self, host: str, path: str) -> None:
        at = time.monotonic()
        answer = self.ask(host, path)
        problem = answer.problem or (f"status {answer.status}" if answer.status >= 500 else "")
        self.requests.append(Request(_url(host, path), at, time.monotonic() - at, problem))


def _url(host: str, path: str) -> str:
    return f"https://{host}{path}"
