"""What the gate knows of a change: resources before and after, what that means layer by layer, and findings.

Everything here is plain, frozen and sorted, so the same input gives the same reports. No value in it is a
secret: the engine masks them (`SECRET`) before they arrive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from report.exit_codes import ExitCode

SECRET = "[secret]"
"""What stands for a secret value, as Pulumi prints it."""
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that is known only when the change is applied."""


class Op(StrEnum):
    """What happens to a resource. Replacements are one change, not three steps."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    SAME = "same"


class Risk(StrEnum):
    """How much a change can hurt; the first is the worst."""

    DESTRUCTIVE = "destructive"
    TRAFFIC = "traffic"
    ORDINARY = "ordinary"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Risk).index(self)


class Against(StrEnum):
    """What the declaration is compared with."""

    STATE = "state"
    """The stack's state in its backend."""
    BASE = "base"
    """The declaration at another commit, as if it had been applied: there is no state to be had."""
    NOTHING = "nothing"
    """An environment that does not exist: all is created."""


@dataclass(frozen=True)
class Place:
    """A line of a file: path relative to the project's root with '/', line counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Resource:
    """A resource as the program declares it or the state has it. `inputs` are masked."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any] = field(repr=False)
    parent: str = ""
    """URN of its parent."""
    provider: str = ""
    """URN of its provider, without the provider's id; empty for components and providers."""
    custom: bool = True
    """False for components."""
    protect: bool = False


@dataclass(frozen=True)
class PropertyChange:
    """One property that changes. `path` is as Pulumi's, for example `spec.replicas`; values are masked.

    `old` is None for what is new, `new` for what goes. `replaces`: this property is why the resource is
    replaced.
    """

    path: str
    old: Any
    new: Any
    replaces: bool = False


@dataclass(frozen=True)
class Blast:
    """What a change reaches: names of clusters (regions), nodes and other hosts, sorted; and the share of the
    world's traffic that may notice, 0 to 1, None where that cannot be said.
    """

    clusters: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    traffic: float | None = 0.0


@dataclass(frozen=True)
class Change:
    """One resource that does not stay as it is."""

    op: Op
    urn: str
    old: Resource | None
    new: Resource | None
    properties: tuple[PropertyChange, ...] = ()
    replace_reasons: tuple[str, ...] = ()
    """Paths of the properties because of which it is replaced, as the provider names them."""
    risk: Risk = Risk.ORDINARY
    why: str = ""
    """Why it has that risk, in a few words; empty for ordinary ones."""
    blast: Blast = Blast()
    declared: Place | None = None
    """The line of the stack file that asks for it."""
    program: Place | None = None
    """The line of the program that makes it."""
    approved: bool = False
    """A destructive change that is named by `--approve`."""
    pending: bool = False
    """It would happen without this change as well: the state is behind `--base`, or somebody changed it."""

    @property
    def resource(self) -> Resource:
        """The resource as it will be; as it was when it goes."""
        found = self.new or self.old
        assert found is not None
        return found


@dataclass(frozen=True)
class Notice:
    """Something the engine or a provider said about a resource, for example of check mode on a host."""

    severity: str
    """`info`, `warning` or `error`."""
    message: str
    urn: str = ""


@dataclass(frozen=True)
class ChangeSet:
    """Everything that changes, worst first, and what stays."""

    against: Against
    changes: tuple[Change, ...]
    same: tuple[Resource, ...]
    notices: tuple[Notice, ...] = ()

    @property
    def after(self) -> tuple[Resource, ...]:
        """Every resource that there will be, in order of URN."""
        made = [change.new for change in self.changes if change.new is not None]
        return tuple(sorted([*made, *self.same], key=lambda resource: resource.urn))

    @property
    def before(self) -> tuple[Resource, ...]:
        """Every resource that there is, in order of URN."""
        had = [change.old for change in self.changes if change.old is not None]
        return tuple(sorted([*had, *self.same], key=lambda resource: resource.urn))

    def counts(self) -> dict[str, int]:
        """How many resources have each operation."""
        counted = {op.value: 0 for op in Op}
        for change in self.changes:
            counted[change.op.value] += 1
        counted[Op.SAME.value] = len(self.same)
        return counted


@dataclass(frozen=True)
class Row:
    """One line of a layer's table: what it is about, how it was, how it will be. None: not there.

    Rows that stay have equal texts.
    """

    key: str
    before: str | None
    after: str | None

    @property
    def changed(self) -> bool:
        """Whether it does not stay as it is."""
        return self.before != self.after


@dataclass(frozen=True)
class Layer:
    """One layer of the platform before and after: `hosts`, `objects`, `dns`, `exposure` or `addresses`.

    Of drift, one of `live.drift.model.LayerId`, as it was applied and as it is live.
    """

    id: str
    title: str
    rows: tuple[Row, ...]
    not_measurable: tuple[str, ...] = ()
    """What could not be looked at, and why."""


@dataclass(frozen=True)
class Part:
    """A thing in the picture of the topology.

    `kind`: `region`, `cluster`, `node`, `edge` (a host of the global load balancer), `gateway` or `service`.
    `inside`: id of the part that holds it; empty for the outermost. `op`: the worst of what happens to the
    resources that it stands for.
    """

    id: str
    kind: str
    title: str
    inside: str = ""
    op: Op = Op.SAME
    risk: Risk = Risk.ORDINARY


@dataclass(frozen=True)
class Link:
    """A connection in the picture: `kind` is `mesh` (trust between clusters), `answer` (a name server that
    hands out a gateway's address) or `route` (a gateway's way to a service).
    """

    source: str
    target: str
    kind: str
    title: str = ""
    op: Op = Op.SAME


@dataclass(frozen=True)
class Topology:
    """What the picture shows, in a stable order; holders come before what they hold."""

    parts: tuple[Part, ...] = ()
    links: tuple[Link, ...] = ()


class Status(StrEnum):
    """How a rule ended for what it looked at."""

    PASS = "pass"
    FAIL = "fail"
    WAIVED = "waived"
    NOT_MEASURABLE = "not-measurable"


class Severity(StrEnum):
    """What a failed rule means: an error stops the change, a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Rule:
    """A rule that was applied. `id` is `<family>/<name>` and stable; families are `engine`, `declaration`,
    `policy`, `change`, `schema`, `istio`, and `pack:<name>` for the user's packs.
    """

    id: str
    title: str
    help: str = ""
    """What it is for and how to satisfy it."""
    severity: Severity = Severity.ERROR

    @property
    def family(self) -> str:
        """The part of the id before the first '/'."""
        return self.id.partition("/")[0]


@dataclass(frozen=True)
class Waiver:
    """Leave to break a rule: by whom, why, until when (inclusive)."""

    rule: str
    resource: str
    owner: str
    reason: str
    expires: date
    place: Place


@dataclass(frozen=True)
class Finding:
    """What a rule said of one thing. A rule that found nothing has one finding with `PASS` and no URN."""

    rule: str
    status: Status
    message: str
    severity: Severity = Severity.ERROR
    urn: str = ""
    place: Place | None = None
    fix: str = ""
    waiver: Waiver | None = None


@dataclass(frozen=True)
class Versions:
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
    verb: str
    """`gate` or `drift`."""
    verdict: Verdict
    changes: ChangeSet
    layers: tuple[Layer, ...]
    rules: tuple[Rule, ...]
    findings: tuple[Finding, ...]
    versions: Versions
    topology: Topology = Topology()
    sealed: str = ""
    """SHA-256 of the sealed plan; empty when none was asked for."""

    @property
    def failures(self) -> tuple[Finding, ...]:
        """Findings that stop the change."""
        return tuple(
            found
            for found in self.findings
            if found.status is Status.FAIL and found.severity is Severity.ERROR
        )
