"""Points, and how each is told: what is wanted, what is there, who decides it, and how it is mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from live.hardening.facts import ClusterFacts, HostFacts

BENCHMARK = "CIS Kubernetes Benchmark 1.12"
"""Whose numbers the points have, those that begin with `H` apart."""
CLUSTER = "cluster"
"""Where points lie that lie on no host."""
_SHOWN = 3
Facts = TypeVar("Facts", HostFacts, ClusterFacts)


class State(StrEnum):
    """How it stands with a point."""

    HOLDS = "holds"
    FAILS = "does not hold"
    NOT_APPLICABLE = "not applicable"
    UNKNOWN = "not known"
    """Nobody could look."""


class Scope(StrEnum):
    """Where a point is looked at."""

    CONTROL_PLANE = "control-plane hosts"
    NODE = "nodes"
    HOST = "all hosts"
    CLUSTER = "clusters"


class Decider(StrEnum):
    """Who decides what is there."""

    KUBERNETES = "Kubernetes' default"
    KUBEADM = "kubeadm's default"
    PACKAGE = "the package on the host"
    ROLE = "Crossmesh's role"
    COMPONENT = "Crossmesh's component"
    DECLARATION = "the declaration"
    OPERATOR = "the operator"


@dataclass(frozen=True)
class Verdict:
    """What is there, in words, and what it means."""

    state: State
    there: str
    """What is there; of what is not applicable or not known, why."""
    fix: str = ""
    """Of what is not known, how it becomes so, where its place does not say."""


@dataclass(frozen=True, kw_only=True)
class Point(Generic[Facts]):
    """One point. Its judgement is pure: it looks at facts and at nothing else."""

    number: str
    """The benchmark's; those of hosts' own settings begin with `H`."""
    title: str
    """What is to hold, in words of our own."""
    scope: Scope
    wanted: str
    decided_by: Decider
    judge: Callable[[Facts], Verdict]
    fix: str
    default: State | None
    """What it is where Crossmesh has made everything and nothing more is declared; None where that is up to
    the machine or to what is declared."""
    today: str
    """How it comes about today, and of one that does not hold, why it does not."""


@dataclass(frozen=True)
class Entry:
    """A point at one place."""

    region: str
    at: str
    """Name of a host, or `cluster`."""
    point: Point[Any]
    verdict: Verdict
    fix: str = ""
    """How what was in the way of looking is mended."""

    @property
    def state(self) -> State:
        """How it stands."""
        return self.verdict.state

    @property
    def mend(self) -> str:
        """How to mend it; empty where there is nothing to mend."""
        if self.state is State.UNKNOWN:
            return self.verdict.fix or self.fix
        return self.point.fix if self.state is State.FAILS else ""

    def document(self) -> dict[str, str]:
        """It as JSON."""
        return {
            "number": self.point.number,
            "title": self.point.title,
            "region": self.region,
            "at": self.at,
            "there": self.verdict.there,
            "wanted": self.point.wanted,
            "state": str(self.state),
            "decidedBy": str(self.point.decided_by),
            "fix": self.mend,
        }


def holds(there: str) -> Verdict:
    """It is as it is wanted."""
    return Verdict(State.HOLDS, there)


def fails(there: str) -> Verdict:
    """It is not."""
    return Verdict(State.FAILS, there)


def apart(why: str) -> Verdict:
    """It does not apply."""
    return Verdict(State.NOT_APPLICABLE, why)


def unknown(why: str, fix: str = "") -> Verdict:
    """It cannot be told."""
    return Verdict(State.UNKNOWN, why, fix)


def either(good: bool, there: str) -> Verdict:
    """It holds, or it does not."""
    return holds(there) if good else fails(there)


def few(names: list[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
