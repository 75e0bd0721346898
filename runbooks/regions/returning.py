"""Have names lead to a region again: by its weight in steps where clients are divided by weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import Any

from access.errors import AccessError
from report.errors import ConfigurationError, OperationsError
from report.problem import Problem
from runbooks.apply import lacking
from runbooks.model import Blast, Facts, Parameter, Runbook, Step
from runbooks.regions import judging, site, traffic
from runbooks.regions.site import EVERY, REGION, RegionSite, number

DOCTOR = "doctor"
STEPS = {"quarter": 25, "half": 50, "whole": 100}
"""Percent of its weight that the region has after each step."""
_WEIGHTS = Parameter(
    "weights",
    f"its weight at the end in each policy, as {EVERY}=70,shop.example.org=30; without it, those that are "
    "declared when the run begins",
    "",
)
_SECONDS = Parameter(
    "seconds", "how long each step is watched, from when no answer of before is kept any more", "30"
)
_ERRORS = Parameter("errors", "percent of requests at its gateways that may fail meanwhile", "5")
_ACCEPT = Parameter(
    "accept", f"what may be so: {DOCTOR} (the doctor finds something about the region or name servers)", ""
)
_LOOK_SECONDS = 10.0
"""From one look at the region to the next while a step is watched."""


@dataclass(kw_only=True)
class ReturnSite(RegionSite):
    """A region that comes back."""

    ends: Mapping[str, int] = field(default_factory=dict)
    """Its weight at the end, by policy."""
    errors: float = 5.0
    """Percent of requests that may fail."""

    def wants(self, step: str) -> bool:
        """Whether a step is one of this run: without weights there is the last one alone."""
        return bool(self.ends) or STEPS[step] == max(STEPS.values())

    def aim(self, step: str) -> dict[str, int]:
        """The weights after a step, by policy: whole numbers, and never nothing."""
        return {name: max(1, ceil(weight * STEPS[step] / 100)) for name, weight in self.ends.items()}

    @property
    def needed(self) -> float:
        """Seconds from when name servers answer by a step until it is proven."""
        return self.bound.taken + self.bound.cached + self.seconds


@contextmanager
def _opened(stack_name: str, values: Mapping[str, str]) -> Iterator[ReturnSite]:
    errors = number("errors", values["errors"], 0, 100)
    with site.known(stack_name, values) as fields:
        found = ReturnSite(**fields, errors=errors)
        found.ends = _weights(values["weights"], found.weights())
        yield found


def _weights(text: str, declared: Mapping[str, int]) -> dict[str, int]:
    """The weights at the end, as they are given, in policies that have some. Raises ConfigurationError."""
    found = dict(declared)
    for part in filter(None, text.split(",")):
        name, _, weight = part.rpartition("=")
        if name not in declared:
            raise ConfigurationError(
                f"weights={text}: {name or part} is no policy that gives the region a weight",
                fix=f"name {', '.join(declared) or 'none: no policy divides clients by weights'}",
            )
        found[name] = int(number(f"weight of {name}", weight, 1, 100))
    return found


def _unproven(site: ReturnSite, step: str) -> str:
    """What a step still lacks; nothing where this run leaves it out."""
    if not site.wants(step):
        return ""
    if site.drained:
        return f"no name leads to {site.region}"
    declared = site.weights()
    low = {name: aim for name, aim in site.aim(step).items() if declared.get(name, 0) < aim}
    if low:
        return "; ".join(
            f"its weight in {name} is {declared.get(name, 0)}, and is to be {aim}"
            for name, aim in low.items()
        )
    if words := lacking(site) or _unwell(site):
        return words
    needed = site.needed
    return "; ".join(
        f"{edge} has answered so for {seconds:.0f} s, and is watched for {needed:.0f} s"
        for edge, seconds in site.late(needed).items()
    )


def _unwell(site: RegionSite) -> str:
    """Which name servers see the region down, or hold it out; they have counted, and believe it."""
    seen = site.heard(site.seen)
    blind = sorted(edge for edge, healthy in seen.items() if site.region not in healthy)
    return f"{site.region} is not healthy in the eyes of {', '.join(blind)}" if blind else ""


def _lead_there(site: ReturnSite, step: str) -> None:
    aim = site.aim(step)
    if not site.drained:
        # A run that is gone on with may be further than this step.
        aim = {name: max(weight, site.weights().get(name, 0)) for name, weight in aim.items()}
    site.declare(drained=False, weights=aim)
    _watch(site)


def _watch(site: ReturnSite) -> None:
    """Look at the region until the step is proven. Raises OperationsError where it does not serve well."""
    first = _sampled(site)
    while (left := site.needed - min(site.heard(site.answering).values())) > 0:
        site.rest(min(left + 0.5, _LOOK_SECONDS), f"{site.region} is watched for {left:.0f} s more")
        if words := _unwell(site):
            raise OperationsError(words, fix=f"`crossmesh doctor` says what is wrong in {site.region}")
        last = _sampled(site)
        if first is None or last is None:
            first = first or last
            continue
        window = traffic.between(first, last, site.probers)
        site.tell(str(window))
        if window.fails(site.errors):
            raise OperationsError(
                f"more than {site.errors:g} % of requests at the gateways of {site.region} fail: {window}",
                fix="see the logs of these services there; `errors=` says how many may",
            )


def _sampled(site: RegionSite) -> traffic.Sample | None:
    """Counters of the region's gateways; None where one cannot be asked now: that a pod comes or goes is no
    reason to take a region out again."""
    try:
        return site.sample()
    except AccessError as error:
        site.tell(f"requests cannot be counted: {error.message}")
        return None


def _as_it_was(site: ReturnSite) -> Facts:
    return {"drained": site.drained, "weights": site.weights()}


def _take_back(site: ReturnSite, before: Facts) -> None:
    weights = {str(name): int(weight) for name, weight in before["weights"].items()}
    if before["drained"] and not site.drained:
        against = [one for one in judging.sparing(site.environment, site.region, site.seen()) if one.blocks]
        if against:
            raise OperationsError(f"{site.region} stays: {against[0].what}", fix=against[0].fix)
    site.declare(drained=bool(before["drained"]), weights=weights)


def _against(site: ReturnSite) -> list[Problem]:
    found = site.judged(judging.of_doctor(site.examined(), DOCTOR))
    if words := _unwell(site):
        fix = (
            "mend it, by `crossmesh doctor`; one that failed and is held out comes back when its time is "
            "over, or when its number in `returned` of `healthCheck` is raised and brought about"
        )
        found.append(Problem(words, fix))
    return [*found, *site.awaiting()]


def _blast(site: ReturnSite) -> Blast:
    balancer = site.balancer
    if not site.drained and site.weights() == site.ends:
        return Blast(site.region, [f"nothing: names lead to {site.region} already"])
    others = [region for region in balancer.drained if region != site.region]
    steps = [step for step in STEPS if site.wants(step)]
    return Blast(
        site.region,
        [
            f"the declaration: globalLoadBalancer.drained goes from {list(balancer.drained)} to {others}, to "
            "be committed",
            *(
                f"its weight in {name} goes to {', '.join(str(site.aim(step)[name]) for step in steps)}, one "
                "after the other"
                for name in site.ends
            ),
            *judging.led_elsewhere(site.environment, judging.with_drained(site.environment, others)),
            f"each step is watched for {site.needed:.0f} s, and taken back where the region does not serve",
        ],
    )


def _tell_end(site: RegionSite) -> list[Problem]:
    site.tell("commit the stack file")
    return []


def _step(name: str, says: str) -> Step[ReturnSite]:
    """One step of weight."""
    do: Callable[[Any], None] = partial(_lead_there, step=name)
    verify: Callable[[Any], str] = partial(_unproven, step=name)
    return Step(name, says, do=do, verify=verify, before=_as_it_was, undo=_take_back)


RETURN_REGION: Runbook[ReturnSite] = Runbook(
    name="return-region",
    title="Have names lead to a region again",
    says="After `evacuate-region`. Where a policy gives the region a weight, it gets a quarter of it, then "
    "half, then all; elsewhere names lead there at once. Each step is a change of the stack file and a "
    "`pulumi up`, and is watched: the region has to stay healthy in the eyes of all name servers, and "
    "requests at its gateways have to be answered. One that fails is taken back, unless no other region is "
    "healthy by then.",
    parameters=(REGION, _WEIGHTS, _SECONDS, _ERRORS, _ACCEPT),
    opened=_opened,
    blast=_blast,
    preconditions=_against,
    steps=(
        _step("quarter", "give the region a quarter of its weight, and watch it"),
        _step("half", "give it half of its weight, and watch it"),
        _step("whole", "have names lead to it as they are to in the end, and watch it"),
    ),
    postconditions=_tell_end,
    fixed=lambda site: {"weights": ",".join(f"{name}={weight}" for name, weight in site.ends.items())},
)
