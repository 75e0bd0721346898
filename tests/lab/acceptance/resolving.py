"""Clients that find a region by its name, and keep an answer for as long as they may, and no longer."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

from access import network
from access.outputs import NameServer, Outputs
from live.gateways import gateways_of, owners

BETWEEN_SECONDS = 0.15
"""From one request of a client to its next: some six in a second, each over a new connection."""
QUESTION_SECONDS = 4.0
"""For a name server's answer; UDP is tried twice."""
REQUEST_SECONDS = 4.0
LONGEST_SECONDS = 3600.0
"""After which a client ends by itself."""


@dataclass(frozen=True)
class Request:
    """One request and how it ended."""

    at: float
    """When it was sent, seconds of the monotonic clock."""
    region: str
    """Where it was sent; empty where no answer said."""
    problem: str
    """Empty for one that was answered with 200."""
    age: float
    """Seconds since the answer was given that it went by."""


@dataclass
class Client:
    """Asks one name server, keeps its answer for its TTL, and goes to each address of it in turn."""

    outputs: Outputs
    server: NameServer
    path: str
    requests: list[Request] = field(default_factory=list)
    over: Event = field(default_factory=Event)
    kept: tuple[str, ...] = ()
    until: float = 0.0
    """When what is kept has ended."""
    since: float = 0.0
    """When it was answered."""
    turns: Iterator[int] = field(default_factory=itertools.count)

    def run(self) -> None:
        """Until it is over."""
        regions = owners(gateways_of(self.outputs))
        host = self.outputs.host
        context = network.trusting(self.outputs.authorities_of(host))
        end = time.monotonic() + LONGEST_SECONDS
        while not self.over.wait(BETWEEN_SECONDS) and time.monotonic() < end:
            problem = self._resolve(host)
            at = time.monotonic()
            if problem:
                self.requests.append(Request(at, "", f"{self.server}: {problem}", 0.0))
                continue
            target = self.kept[next(self.turns) % len(self.kept)]
            answer = network.get_https(target, host, self.path, context, seconds=REQUEST_SECONDS)
            words = answer.problem or ("" if answer.status == 200 else f"status {answer.status}")
            region = regions.get(target, f"nobody at {target}")
            self.requests.append(Request(at, region, words and f"{region}: {words}", at - self.since))

    def _resolve(self, host: str) -> str:
        """Ask anew once what is kept has ended; why there is no answer."""
        if time.monotonic() < self.until:
            return ""
        answer = network.ask(self.server, host, seconds=QUESTION_SECONDS)
        if answer.problem or answer.ttl is None:
            return answer.problem or "an answer without a TTL"
        self.kept, self.since = answer.records, time.monotonic()
        self.until = self.since + answer.ttl
        return ""


@dataclass(frozen=True)
class Load:
    """All clients of a time."""

    clients: tuple[Client, ...]

    @property
    def requests(self) -> list[Request]:
        """All requests, in the order in which they were sent."""
        found = [request for client in self.clients for request in [*client.requests]]
        return sorted(found, key=lambda request: request.at)

    def led_to(self, since: float = 0.0) -> Counter[str]:
        """Requests by the region that they were sent to. since: of the monotonic clock."""
        return Counter(request.region for request in self.requests if request.at >= since)

    def told(self) -> dict[str, object]:
        """What the report says of it."""
        requests, problems = self.requests, self.problems()
        return {
            "requests": len(requests),
            "failed": len(problems),
            "byRegion": dict(sorted(self.led_to().items())),
            "oldestAnswerSeconds": round(max((one.age for one in requests), default=0.0), 2),
            "problems": problems[:20],
        }

    def problems(self) -> list[str]:
        """What requests that failed met, each with how many seconds after the first one it was sent."""
        requests = self.requests
        began = requests[0].at if requests else 0.0
        return [f"{one.at - began:.1f} s: {one.problem}" for one in requests if one.problem]


@contextmanager
def stubborn(outputs: Outputs, region: str, path: str) -> Iterator[None]:
    """A client that asks a region's gateway whatever names say, until the block is left."""
    address, host = str(outputs.regions[region].gateway_addresses[0]), outputs.host
    context, over = network.trusting(outputs.authorities_of(host)), Event()

    def work() -> None:
        end = time.monotonic() + LONGEST_SECONDS
        while not over.wait(BETWEEN_SECONDS) and time.monotonic() < end:
            network.get_https(address, host, path, context, seconds=REQUEST_SECONDS)

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(2 * REQUEST_SECONDS)


@contextmanager
def clients(outputs: Outputs, path: str) -> Iterator[Load]:
    """A client of each name server, at work until the block is left."""
    load = Load(tuple(Client(outputs, server, path) for server in outputs.nameservers))
    threads = [Thread(target=client.run, daemon=True) for client in load.clients]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        for client in load.clients:
            client.over.set()
        for thread in threads:
            thread.join(2 * (QUESTION_SECONDS + REQUEST_SECONDS))
