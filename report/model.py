"""What is known of a change, or of what is live: resources before and after, what that means layer by layer,
and findings.

Everything here is plain, frozen and sorted, so the same input gives the same reports. No value in it is a
secret: the engine masks them (`SECRET`) before they arrive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from pydantic import computed_field

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
    LIVE = "live"
    """What is there, with nothing that changes it: it is measured."""
    TWIN = "twin"
    """A twin of the environment, on which the change was made."""


@dataclass(frozen=True)
class Place:
    """A line of a file: path relative to the project's root with '/', line counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Identity:
    """What a resource is, without its inputs: a platform has thousands of them."""

    urn: str
    type: str
    name: str
    _: KW_ONLY
    parent: str = ""
    """URN of its parent; empty for none."""
    provider: str = ""
    """URN of its provider, without the provider's id; empty for components and providers."""
    custom: bool = True
    """False for components."""
    protect: bool = False
    region: str = ""
    """The region that it is in; empty for what belongs to all of them."""
    declared: tuple[str, ...] = ()
    """Path of the key below the environment that it was declared by; empty for the environment itself."""


@dataclass(frozen=True)
class Resource(Identity):
    """A resource as the program declares it or the state has it. `inputs` are masked."""

    inputs: Mapping[str, Any] = field(repr=False)
    """What is declared for it. Any value in it may be `UNKNOWN` or `SECRET`."""


@dataclass(frozen=True)
class PropertyChange:
    """One property that changes; values are masked."""

    path: str
    """As Pulumi's, for example `spec.replicas`."""
    old: Any
    """None for what is new."""
    new: Any
    """None for what goes."""
    replaces: bool = False
    """Whether the resource is replaced because of it."""


@dataclass(frozen=True)
class Blast:
    """What a change reaches, by name, sorted."""

    clusters: tuple[str, ...] = ()
    """Regions' names."""
    nodes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    """Hosts that are no nodes."""
    traffic: float | None = 0.0
    """The share of the world's traffic that may notice, 0 to 1; None where that cannot be said."""


@dataclass(frozen=True)
class Change:
    """One resource that does not stay as it is."""

    op: Op
    urn: str
    """The engine's name of the resource."""
    old: Resource | None
    """As it was; None if there was none."""
    new: Resource | None
    """As it will be; None if it goes."""
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
        resource = self.new or self.old
        assert resource is not None
        return resource

    @computed_field  # type: ignore[prop-decorator]
    @property
    def type(self) -> str:
        """Type of the resource, for example `kubernetes:apps/v1:Deployment`."""
        return self.resource.type

    @computed_field  # type: ignore[prop-decorator]
    @property
    def name(self) -> str:
        """Name of the resource: the last part of its URN."""
        return self.resource.name


@dataclass(frozen=True)
class Notice:
    """Something the engine or a provider said about a resource, for example of check mode on a host."""

    severity: str
    """`info`, `warning` or `error`."""
    message: str
    urn: str = ""
    """The resource that it is about; empty for none."""


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
        new = [change.new for change in self.changes if change.new is not None]
        return tuple(sorted([*new, *self.same], key=lambda resource: resource.urn))

    @property
    def before(self) -> tuple[Resource, ...]:
        """Every resource that there is, in order of URN."""
        old = [change.old for change in self.changes if change.old is not None]
        return tuple(sorted([*old, *self.same], key=lambda resource: resource.urn))

    def counts(self) -> dict[Op, int]:
        """How many resources have each operation."""
        counted = Counter(change.op for change in self.changes)
        return {op: len(self.same) if op is Op.SAME else counted[op] for op in Op}


@dataclass(frozen=True)
class Row:
    """One line of a layer's table. Rows that stay have equal texts."""

    key: str
    """What it is about."""
    before: str | None
    """How it was; None if it was not there."""
    after: str | None
    """How it will be, or is live; None if it goes."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def changed(self) -> bool:
        """Whether it does not stay as it is."""
        return self.before != self.after


@dataclass(frozen=True)
class Layer:
    """One layer of the platform before and after; of drift, as it was applied and as it is live."""

    id: str
    """`hosts`, `objects`, `dns`, `exposure`, `addresses`; of what is live, `clusters`, `hosts`, `dns`,
    `certificates`, with `drift-` before them in a gate's answer.
    """
    title: str
    rows: tuple[Row, ...]
    not_measurable: tuple[str, ...] = ()
    """What could not be looked at, and why."""


@dataclass(frozen=True)
class Part:
    """A thing in the picture of the topology."""

    id: str
    kind: str
    """`region`, `cluster`, `node`, `edge` (a host of the global load balancer), `gateway` or `service`."""
    title: str
    inside: str = ""
    """Id of the part that holds it; empty for the outermost."""
    op: Op = Op.SAME
    """The worst of what happens to the resources that it stands for."""
    risk: Risk = Risk.ORDINARY


@dataclass(frozen=True)
class Link:
    """A connection in the picture, between the ids of two parts."""

    source: str
    target: str
    kind: str
    """`mesh` (trust between clusters), `answer` (a name server that hands out a gateway's address) or `route`
    (a gateway's way to a service).
    """
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
    """A rule that was applied."""

    id: str
    """`<family>/<name>`, stable. Families are `engine`, `declaration`, `policy`, `change`, `schema`, `istio`,
    `waiver`, `drift`, `doctor`, `preflight`, `rehearsal`, and `pack:<name>` for the user's packs.
    """
    title: str
    """What it asks for."""
    help: str = ""
    """What it is for and how to satisfy it."""
    severity: Severity = Severity.ERROR

    @computed_field  # type: ignore[prop-decorator]
    @property
    def family(self) -> str:
        """The part of the id before the first '/'."""
        return self.id.partition("/")[0]


@dataclass(frozen=True)
class Waiver:
    """Leave to break a rule."""

    rule: str
    """Pattern of rules' ids: the family in full, then `*`, `?` and `[…]` stand for others."""
    resource: str
    """Pattern of what it covers: a URN, `TYPE::NAME` or a name. `*` also covers what is no resource."""
    owner: str
    """Who answers for it."""
    reason: str
    expires: date
    """The last day on which it holds."""
    place: Place
    stack: str = "*"
    """Pattern of stacks' names."""


@dataclass(frozen=True)
class Finding:
    """What a rule said of one thing. A rule that found nothing has one finding with `PASS` and no URN."""

    rule: str
    """Id of the rule."""
    status: Status
    message: str
    """What was found; empty for a pass."""
    severity: Severity = Severity.ERROR
    urn: str = ""
    """The resource that it is about; empty for none."""
    place: Place | None = None
    """The line that it is about."""
    fix: str = ""
    """How to mend it; empty if there is nothing to say."""
    waiver: Waiver | None = None
    """What waives it."""
    measured: str = ""
    """What was measured; empty where nothing is."""
    expected: str = ""
    """What should have been measured."""
    details: tuple[str, ...] = ()
    """The single measurements."""
    region: str = ""
    """The region that this resource is in; empty for what belongs to all of them."""
    declared: tuple[str, ...] = ()
    """Path of the key below the environment that the resource was declared by."""
    follows_from: tuple[str, ...] = ()
    """Ids of the rules whose failures this one follows from; none for a cause, and where nobody judged."""
    runbook: str = ""
    """Arguments of `crossmesh runbook run` that mend it; empty where no runbook does."""

    @property
    def stops(self) -> bool:
        """Whether it stands against what was examined."""
        return self.status is Status.FAIL and self.severity is Severity.ERROR

    def order(self) -> tuple[bool, int, int, str, str, str]:
        """By which findings are sorted: what follows from others last, the worst first, then by rule and
        resource.
        """
        status, severity = list(Status).index(self.status), list(Severity).index(self.severity)
        return bool(self.follows_from), status, severity, self.rule, self.urn, self.message


@dataclass(frozen=True)
class Cause:
    """A rule that was not met, and not because of another one that was not."""

    rule: str
    """Id of the rule."""
    status: Status
    """`fail`; or `not-measurable`, of what is not known and explains no failure."""
    message: str
    """What was found."""
    region: str = ""
    """The region that it is in; empty for what belongs to all of them."""
    fix: str = ""
    """How to mend it; empty if there is nothing to say."""
    runbook: str = ""
    """Arguments of `crossmesh runbook run` that mend it; empty where no runbook does."""
    follows: tuple[str, ...] = ()
    """Ids of the rules that failed, or could not be measured, because of it."""
    holds: tuple[str, ...] = ()
    """Ids of the rules that are met although they rest on it."""
    unknown: tuple[str, ...] = ()
    """Ids of the rules that it rests on and of which nothing is known."""
