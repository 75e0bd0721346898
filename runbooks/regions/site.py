"""A region of a running platform, for the runbooks that take it out of what names lead to and back."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from access import network, ssh
from access.errors import AccessError
from access.paths import stack_file
from live import logins, prober
from live.checks import names
from live.doctor.model import CheckResult
from live.doctor.platform import Platform, open_platform
from live.doctor.runner import run_checks
from live.examine import examine
from live.gateways import gateway_of
from live.state import read_stack
from playbooks.work.names import NAME_SERVICE
from report.errors import ConfigurationError, OperationsError
from report.problem import Problem
from runbooks.apply import ApplySite, Pulumi, lacking
from runbooks.control_plane import declared_region, places
from runbooks.locks import UnderLock
from runbooks.model import Parameter, accepted, judged
from runbooks.regions import traffic
from runbooks.regions.traffic import Probers, Sample
from stacks.edit import Keys, Value, set_values
from stacks.errors import StackFileError
from stacks.load import Stack
from stacks.model import Environment, GlobalLoadBalancerSpec, RoutingPolicy
from stacks.simulation import Convergence, convergence

REGION = Parameter("region", "name of the region")
BALANCER = "globalLoadBalancer"
EVERY = "policy"
"""How the policy of all hosts is called where those of single hosts go by the host's name; it has no dot."""
_TRIES, _AGAIN_SECONDS = 4, 10.0
"""How often a host is asked that does not answer, and how long after each time."""
_SLICE_SECONDS = 5.0
"""From one look at the run's locks to the next while something is waited for."""
_TOLD_SECONDS = 30.0
"""From one word about what is waited for to the next."""
_SINCE = b"""
import json, subprocess, sys, time
order = json.loads(sys.stdin.readline())
asked = "--property=ActiveState,StateChangeTimestampMonotonic"
said = subprocess.run(["systemctl", "show", order["unit"], asked], capture_output=True, text=True, timeout=8)
told = dict(line.split("=", 1) for line in said.stdout.splitlines() if "=" in line)
since = int(told.get("StateChangeTimestampMonotonic") or 0) / 1e6
print(json.dumps({"state": told.get("ActiveState", "not there"), "seconds": time.monotonic() - since}))
"""
"""Tells since when a unit runs with its configuration: systemd notes each start and each reload."""


T = TypeVar("T")
"""What a look at hosts tells."""


@dataclass(kw_only=True)
class RegionSite(ApplySite, UnderLock):
    """What a runbook works on that has names lead to a region, or not."""

    platform: Platform
    region: str
    accepted: Collection[str] = ()
    """What the operator takes upon himself, by its word."""
    seconds: float = 0.0
    """For how long traffic is watched."""
    ended: float = 0.0
    """When it was seen last that none comes, by this machine's monotonic clock; 0 for never."""

    # -- what is declared

    @property
    def declared(self) -> Stack:
        """The stack as its file says now."""
        return read_stack(self.stack.path)

    @property
    def environment(self) -> Environment:
        """The environment as it is declared now."""
        return self.declared.environment

    @property
    def balancer(self) -> GlobalLoadBalancerSpec:
        """The global load balancer as it is declared now."""
        found = self.environment.global_load_balancer
        assert found is not None
        return found

    @property
    def drained(self) -> bool:
        """Whether names are declared not to lead to the region."""
        return self.region in self.balancer.drained

    def weights(self) -> dict[str, int]:
        """The region's weight in each policy that divides clients by weights, by host or `EVERY`."""
        return {
            name: policy.weights[self.region]
            for name, policy in _policies(self.balancer)
            if policy.weights.get(self.region)
        }

    @property
    def bound(self) -> Convergence:
        """In which time a change of what is answered reaches clients."""
        balancer = self.balancer
        return convergence(balancer.health_check, balancer.ttl)

    def declare(self, *, drained: bool, weights: Mapping[str, int]) -> None:
        """Have the declaration say so, in one step, and bring it about, unless all that is so.

        weights: of the region, by policy as `weights` has them. Raises OperationsError.
        """
        self.require_lock()
        others = [region for region in self.balancer.drained if region != self.region]
        wanted: dict[Keys, Value] = {
            (BALANCER, "drained"): [*others, self.region] if drained else others,
            **{(*_path(name), "weights", self.region): weight for name, weight in weights.items()},
        }
        if not wanted[BALANCER, "drained"] and not self.balancer.drained:
            # What is not declared need not be written down as nothing.
            del wanted[BALANCER, "drained"]
        told = "; ".join(f"{'.'.join(keys)}: {value}" for keys, value in wanted.items())
        try:
            changed = set_values(self.stack.path, wanted)
        except (StackFileError, ValueError, OSError) as error:
            raise OperationsError(
                f"the declaration cannot be changed: {error}", fix=f"write into it yourself: {told}"
            ) from None
        if changed:
            self.tell(f"{self.stack.path.name} has now: {told}")
        if changed or lacking(self):
            self.up()

    # -- what is

    def still_answered(self) -> str:
        """Which name servers answer the region, or do not say; empty where all leave it out."""
        gateway = gateway_of(self.platform.outputs, self.region)
        targets = set(gateway.targets) if gateway else set[str]()
        found = []
        for server in self.platform.outputs.nameservers:
            for host in self.hosts:
                answer = network.ask(server, host)
                if answer.problem:
                    found.append(f"{server} does not answer {host}: {answer.problem}")
                elif targets & set(answer.records):
                    found.append(f"{server} answers {host} with {self.region}")
        return "; ".join(found)

    @property
    def hosts(self) -> list[str]:
        """Names that the name servers answer; one for each wildcard."""
        return sorted({exposed.example for exposed in self.environment.exposed if exposed.dns})

    def answering(self) -> dict[str, float]:
        """For how many seconds each edge host's name server has answered as it does now. Raises AccessError,
        and OperationsError for one that does not run."""
        found = {}
        for _, name, edge in prober.probing(self.environment):
            way = logins.login(self.stack, name, str(edge.address))
            told = ssh.ask(name, way, _SINCE, {"unit": NAME_SERVICE}, what="its name server", timeout=20)
            if told["state"] != "active":
                raise OperationsError(
                    f"{name}: {NAME_SERVICE} is {told['state']}",
                    fix=f"`systemctl status {NAME_SERVICE}` there says why",
                )
            found[name] = float(told["seconds"])
        return found

    def late(self, needed: float) -> dict[str, float]:
        """For how many seconds those edge hosts' name servers have answered as they do now that have not for
        so many yet, by name, sorted. Raises as `answering` does."""
        found = self.heard(self.answering)
        return {edge: seconds for edge, seconds in sorted(found.items()) if seconds < needed}

    def seen(self) -> dict[str, frozenset[str]]:
        """The regions that each edge host's prober sees healthy, and its name server answers. Raises
        AccessError."""
        found = {}
        for _, name, edge in prober.probing(self.environment):
            health = prober.read(self.stack, name, str(edge.address))
            views = health.views.values()
            found[name] = frozenset(
                view.region
                for view in views
                if view.answered and view.seen_up and view.taken and not health.stale(view)
            )
        return found

    def sample(self) -> Sample:
        """Counters of the region's gateways. Raises AccessError."""
        return traffic.sample(self.platform.clusters[self.region])

    @property
    def probers(self) -> Probers:
        """Who asks the region though no name leads to it."""
        output = self.platform.outputs.regions[self.region]
        edges = sum(1 for _ in prober.probing(self.environment))
        return Probers(edges * len(output.gateway_addresses), self.balancer.health_check.interval)

    def names_checked(self) -> list[CheckResult]:
        """What the doctor says of the name servers."""
        platform = replace(self.platform, stack=self.declared)
        # By themselves: what they rest on is asked where it matters.
        return run_checks([replace(one, needs=(), rests_on=()) for one in names.checks(platform)])

    def examined(self) -> list[CheckResult]:
        """What the doctor says of the region, and of the name servers."""
        platform = replace(self.platform, stack=self.declared)
        results, left = examine(platform, lambda words: None)
        for words in left:
            self.tell(words)
        return [one for one in results if self.region == one.check.region or one.check.link == "names"]

    # -- waiting

    def judged(self, problems: list[Problem]) -> list[Problem]:
        """The problems; what the operator accepts blocks no more."""
        return judged(problems, self.accepted)

    def awaiting(self) -> list[Problem]:
        """What stands against it of what is declared and was not brought about."""
        words = lacking(self)
        if not words:
            return []
        return [
            Problem(
                f"not all that is declared was brought about: {words}",
                "bring it about first, `crossmesh runbook run apply`: this runbook is to change where names "
                "lead, and nothing else",
            )
        ]

    def heard(self, look: Callable[[], T]) -> T:
        """What a look tells. A host that does not answer is asked again for half a minute: that a login takes
        too long says nothing of a region. Raises AccessError then."""
        for _ in range(_TRIES - 1):
            try:
                return look()
            except AccessError as error:
                self.rest(_AGAIN_SECONDS, error.message)
        return look()

    def rest(self, seconds: float, lacking: str) -> None:
        """Wait, and say what for; raises CancelledError when another operator may have begun."""
        end, told = time.monotonic() + seconds, float("-inf")
        while (left := end - time.monotonic()) > 0:
            self.require_lock()
            if time.monotonic() - told >= _TOLD_SECONDS:
                self.tell(f"waiting for {left:.0f} s: {lacking}")
                told = time.monotonic()
            time.sleep(min(left, _SLICE_SECONDS))
        self.require_lock()


def _policies(balancer: GlobalLoadBalancerSpec) -> Iterator[tuple[str, RoutingPolicy]]:
    if balancer.policy is not None:
        yield EVERY, balancer.policy
    yield from sorted(balancer.host_policies.items())


def _path(name: str) -> Keys:
    return (BALANCER, EVERY) if name == EVERY else (BALANCER, "hostPolicies", name)


@contextmanager
def opened(stack_name: str, values: Mapping[str, str]) -> Iterator[RegionSite]:
    """The site of a region. Raises as `known` does."""
    with known(stack_name, values) as fields:
        yield RegionSite(**fields)


@contextmanager
def known(stack_name: str, values: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """What the site of a region is made of. Raises ConfigurationError for a region that is not declared, and
    for an environment whose names are answered by others; and as `open_platform` does."""
    region = values["region"]
    stack = read_stack(stack_file(stack_name))
    declared_region(stack, region)
    environment = stack.environment
    if environment.global_load_balancer is None:
        raise ConfigurationError(
            f"stack {stack_name} declares no `{BALANCER}`: its names are answered by others",
            fix="have those lead clients elsewhere",
        )
    with open_platform(stack_name) as platform:
        yield {
            "stack": platform.stack,
            "engine": Pulumi(stack_name),
            "control": [
                place
                # Locks in all regions: what one is relieved of, the others bear.
                for each in sorted(environment.regions)
                for place in places(platform.stack, each, platform.clusters[each])
            ],
            "platform": platform,
            "region": region,
            "accepted": accepted(values),
            "seconds": number("seconds", values["seconds"], 0, 86400),
        }


def number(name: str, text: str, least: float, most: float) -> float:
    """A parameter's number. Raises ConfigurationError for none, or one out of bounds."""
    try:
        found = float(text)
    except ValueError:
        found = least - 1
    if not least <= found <= most:
        raise ConfigurationError(f"{name}={text} is out of bounds", fix=f"give {least:g} to {most:g}")
    return found
