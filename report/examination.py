"""What a command says of one stack: everything that reports are made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from report.exit_codes import ExitCode
from report.model import Cause, ChangeSet, Finding, Layer, Rule, Topology

Verb = Literal["gate", "drift", "up", "doctor", "preflight", "rehearse"]
"""Commands that examine."""


@dataclass(frozen=True)
class Producer:
    """What produced a result."""

    crossmesh: str
    pulumi: str
    commit: str
    """Full id of the commit; empty outside of git."""
    dirty: bool
    """Whether files that git knows differ from that commit."""
    base: str = ""
    """Full id of the commit given by `--base`."""


@dataclass(frozen=True)
class Verdict:
    """The last word: the code and why, in one sentence."""

    code: ExitCode
    words: str


@dataclass(frozen=True)
class Examination:
    """The gate's whole answer for one stack; what every report is made from.

    It holds no time of day and no durations: the same input gives the same bytes.
    """

    stack: str
    verb: Verb
    verdict: Verdict
    changes: ChangeSet
    layers: tuple[Layer, ...]
    rules: tuple[Rule, ...]
    findings: tuple[Finding, ...]
    producer: Producer
    topology: Topology = field(default_factory=Topology)
    causes: tuple[Cause, ...] = ()
    """Of the doctor: what everything that is not well comes down to, what most follows from first."""
    sealed: str = ""
    """SHA-256 of the sealed plan; empty when none was asked for."""

    @property
    def failures(self) -> tuple[Finding, ...]:
        """Findings that stop the change."""
        return tuple(finding for finding in self.findings if finding.stops)
