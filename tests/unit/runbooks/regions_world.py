"""A platform in memory whose names lead to regions: a stack file, an engine, name servers, clients.

A clock stands for all time that passes. `tick` is where a run can be killed, and what must hold holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from access.envoy import Passed
from access.errors import Unanswered
from access.host_lock import Pass
from access.outputs import parse_outputs
from live.doctor.model import CheckResult
from report.errors import OperationsError
from runbooks import journal as journals
from runbooks.apply import Change
from runbooks.engine import Runner
from runbooks.history import unfinished
from runbooks.model import Runbook
from runbooks.regions.returning import ReturnSite
from runbooks.regions.traffic import Sample
from stacks.load import Stack, load_stack
from stacks.model import Environment
from stacks.routing import answered, by_host, everyone, routings
from tests.unit.operations.support import raw_outputs

REFERENCE = Path(__file__).resolve().parents[3] / "stacks" / "Pulumi.lab.yaml"
EDGES = ("eu-edge-1", "us-edge-1")
HOST = "assetmanagement.greencompute.lab.crossmesh.test"
WEIGHTED = {"policy": {"weights": {"eu": 70, "us": 30}}}


_READ: dict[str, Stack] = {}


class Kill(BaseException):
    """Stands for `kill -9`."""


def stack_file(directory: Path, balancer: dict[str, Any]) -> Path:
    """The reference's stack file, with more of its global load balancer declared."""
    document = yaml.safe_load(REFERENCE.read_text())
    document["config"]["crossmesh:environment"]["globalLoadBalancer"].update(balancer)
    path = directory / "Pulumi.test.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


@dataclass
class FakeEngine:
    """Brings about what the file says, one name server after the other."""

    world: World
    applied: str
    unfinished: bool = False
    sick: bool = False

    def differs(self) -> list[Change]:
        return [] if self.world.text == self.applied else [Change("update", "eu-edge-1.edge")]

    def left(self) -> list[str]:
        return ["updating eu-edge-1.edge"] if self.unfinished else []

    def up(self, shown: Pass, tell: Callable[[str], None]) -> None:
        world, self.unfinished = self.world, True
        world.ups += 1
        world.tick()
        wanted = world.environment
        for edge in EDGES:
            if self.sick and edge == EDGES[1]:
                self.unfinished = False
                raise OperationsError("`pulumi up` failed: us-edge-1 does not answer")
            if world.answers[edge] != wanted:
                world.answers[edge], world.since[edge] = wanted, world.now
            world.tick()
        self.applied, self.unfinished = world.text, False
        world.tick()


@dataclass(kw_only=True)
class World(ReturnSite):
    """What both runbooks about regions work on."""

    path: Path
    now: float = 1000.0
    ups: int = 0
    ticks: int = 0
    kill_at: int = 0
    healthy: dict[str, frozenset[str]] = field(default_factory=dict)
    """What each name server sees."""
    answers: dict[str, Environment] = field(default_factory=dict)
    """By what each name server answers."""
    since: dict[str, float] = field(default_factory=dict)
    stubborn: int = 0
    """Requests in a second of clients that do not heed DNS."""
    failing: float = 0.0
    """Share of requests that fail in the region."""
    silent: int = 0
    """So many questions for counters are not answered."""
    count: dict[str, float] = field(default_factory=dict)
    doctor: list[CheckResult] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    """Shares of answers that the region had, as they changed."""
    log: list[str] = field(default_factory=list)

    @classmethod
    def at(cls, directory: Path, *, region: str = "eu", **balancer: Any) -> World:
        path = stack_file(directory, balancer)
        outputs = parse_outputs("test", raw_outputs())
        stack = _READ.get(path.read_text()) or load_stack(path)
        platform: Any = SimpleNamespace(stack=replace(stack, path=path), outputs=outputs, clusters={})
        # Its engine needs the world, and it the engine.
        world = cls(path=path, stack=platform.stack, engine=Any, control=(), platform=platform, region=region)  # type: ignore[arg-type]
        world.engine = FakeEngine(world, world.text)
        world.tell = world.log.append
        world.seconds = 30.0
        world.ends = world.weights()
        world.healthy = dict.fromkeys(EDGES, frozenset({"eu", "us"}))
        world.answers = dict.fromkeys(EDGES, world.environment)
        world.since = dict.fromkeys(EDGES, 0.0)
        return world

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def declared(self) -> Stack:
        # Read once for each text: there are many moments in which a run can be killed.
        text = self.text
        if text not in _READ:
            _READ[text] = load_stack(self.path)
        return _READ[text]

    def tick(self) -> None:
        self.ticks += 1
        self.holds()
        if self.ticks == self.kill_at:
            raise Kill

    def holds(self) -> None:
        """Every answer leads to a healthy region, and to none that its name server leaves out."""
        for edge, environment in self.answers.items():
            regions = self.led(edge)
            assert regions, f"{edge} answers nothing"
            assert regions <= self.healthy[edge], f"{edge} leads to {regions}, and sees {self.healthy[edge]}"
            assert environment.global_load_balancer is not None
            assert not regions & set(environment.global_load_balancer.drained)
        share = self.share()
        if not self.shares or self.shares[-1] != share:
            self.shares.append(share)

    def led(self, edge: str) -> set[str]:
        environment = self.answers[edge]
        routing = by_host(routings(environment)).get(HOST)
        tiers = routing.tiers if routing else everyone(environment.regions)
        return set(answered(tiers, self.healthy[edge]).regions)

    def share(self) -> float:
        """How often the last name server's answers have the region."""
        environment = self.answers[EDGES[1]]
        routing = by_host(routings(environment)).get(HOST)
        tier = answered(routing.tiers if routing else everyone(environment.regions), self.healthy[EDGES[1]])
        return round(tier.shares.get(self.region, 0.0), 2)

    def pass_time(self, seconds: float) -> None:
        """Clients ask by what they were answered within the TTL; probers ask all the time."""
        per_second = self.stubborn + 50 * any(
            self.region in self.led(edge) or self.now - self.since[edge] < self.balancer.ttl for edge in EDGES
        )
        self.count["clients"] = self.count.get("clients", 0) + per_second * seconds
        self.count["probes"] = self.count.get("probes", 0) + len(EDGES) * seconds / 2
        self.count["failed"] = self.count.get("failed", 0) + self.failing * per_second * seconds
        self.now += seconds

    def rest(self, seconds: float, lacking: str) -> None:
        self.require_lock()
        self.log.append(lacking)
        self.pass_time(seconds)
        self.tick()

    def still_answered(self) -> str:
        return "; ".join(f"{edge} answers {self.region}" for edge in EDGES if self.region in self.led(edge))

    def answering(self) -> dict[str, float]:
        return {edge: self.now - since for edge, since in self.since.items()}

    def seen(self) -> dict[str, frozenset[str]]:
        return dict(self.healthy)

    def sample(self) -> Sample:
        if self.silent:
            self.silent -= 1
            raise Unanswered("the gateway does not say its endpoints")
        total = int(self.count.get("clients", 0)) + int(self.count.get("probes", 0))
        passed = Passed(total, int(self.count.get("failed", 0)))
        return Sample(self.now, {("gateway-a", "asset-consumer-svc.greencompute", "10.0.0.1:8080 a"): passed})

    def names_checked(self) -> list[CheckResult]:
        return self.doctor

    def examined(self) -> list[CheckResult]:
        return self.doctor


def go(root: Path, world: World, book: Runbook[Any]) -> None:
    """Begin a run, or go on with the one that was killed."""
    world.run = "a1"
    with journals.opened(root) as journal:
        past = unfinished(journal.entries)
        runner = Runner(book, world, journal, world.log.append)
        if past:
            runner.resume(past)
        else:
            runner.begin("a1", dict(book.fixed(world)), world.region)


def abort(root: Path, world: World, book: Runbook[Any]) -> list[str]:
    with journals.opened(root) as journal:
        past = unfinished(journal.entries)
        assert past
        return Runner(book, world, journal, world.log.append).abort(past)


def again(world: World) -> World:
    """The same platform, as another process opens it: nothing of the killed one's memory is left."""
    world._seen.clear()
    world.ended = 0.0
    return world


def whats(problems: Iterable[Any]) -> list[str]:
    return [problem.what for problem in problems if problem.blocks]
