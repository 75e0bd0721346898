"""What is declared is brought about by `up`, as a run on the journal: told before, confirmed, timed, and gone
on with after a kill. What `up` does to hosts is the same with and without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from access import engine, pending
from access.host_lock import PASS, Pass
from access.locks import require_unlocked
from access.paths import project_root, stack_file
from gate.preview import Preview, run
from gate.timeline import OF_HOSTS, Span, phase_of, takes_time
from gate.workspace import Workspace
from live.state import read_stack
from playbooks.phase import LEAVE_HOSTS
from report.errors import ConfigurationError, LockedError, PreviewError
from report.problem import Problem
from runbooks import applied
from runbooks.control_plane import control_plane
from runbooks.locks import OnHost, Place
from runbooks.model import Blast, Runbook, Step
from stacks.load import Stack

_LOOK_SECONDS = 900.0
_SHOWN = 6
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Change:
    """One resource that is not as declared."""

    op: str
    """What the engine would do, in its own word."""
    name: str
    host: str = ""
    """The host whose phase it is; empty for other resources."""
    phase: str = ""


class Engine(Protocol):
    """What is asked of the engine about one stack."""

    def differs(self) -> list[Change]:
        """What is not as declared; hosts are left alone. Raises PreviewError."""

    def left(self) -> list[str]:
        """What a killed `up` has left: its lock, and what it was at. Raises LockedError while one goes on."""

    def up(self, shown: Pass, tell: Tell) -> None:
        """Settle that, and run `pulumi up`. shown: by what it is let in. Raises OperationsError."""


@dataclass(frozen=True)
class Pulumi:
    """The real one, in the project itself."""

    stack: str

    def differs(self) -> list[Change]:
        root = project_root()
        workspace = Workspace(root, self.stack, {**engine.environment(root), LEAVE_HOSTS: "1"})
        arguments = ["preview", "--json", "--stack", self.stack]
        told = run(workspace, arguments, timeout=_LOOK_SECONDS, on_event=lambda event: None)
        if not told.succeeded:
            raise PreviewError(
                f"the engine cannot tell what would change: {errors(told)}",
                fix=f"see `pulumi preview --stack {self.stack}`, mend that, and run again",
            )
        return changes(told)

    def left(self) -> list[str]:
        dead = require_unlocked(self.stack, "Wait until it has ended.")
        held = [f"its lock: {lock.describe()}" for lock in dead]
        return [*held, *map(str, pending.read(self.stack))]

    def up(self, shown: Pass, tell: Tell) -> None:
        applied.bring_about(self.stack, tell, {PASS: shown.to_json()})


def changes(told: Preview) -> list[Change]:
    """What a preview would change, components left out: in them is nothing but what they hold."""
    found = []
    for event in told.events:
        metadata = (event.get("resourcePreEvent") or {}).get("metadata")
        if not metadata or metadata["op"] in ("same", "read", "refresh"):
            continue
        urn = metadata["urn"]
        if not takes_time(Span(urn, "", 0.0, None)):
            continue
        inputs = (metadata.get("new") or metadata.get("old") or {}).get("inputs") or {}
        of_host = phase_of(metadata).startswith(OF_HOSTS)
        host, phase = (str(inputs[name]) for name in ("host", "phase")) if of_host else ("", "")
        found.append(Change(metadata["op"], urn.rpartition("::")[2], host, phase))
    return found


def errors(told: Preview) -> str:
    """Why the engine did not succeed, in its own words."""
    said = [event.get("diagnosticEvent") or {} for event in told.events]
    words = [str(one.get("message") or "").strip() for one in said if one.get("severity") == "error"]
    return "\n".join(filter(None, words)) or told.words or "it did not say why"


@dataclass
class ApplySite:
    """What the runbook works on."""

    stack: Stack
    engine: Engine
    control: Sequence[Place]
    """Locks on the hosts of all control planes."""
    run: str = ""
    tell: Tell = field(default=lambda text: None)
    lost: Callable[[], str] = field(default=lambda: "")
    passed: Callable[[], Pass] = field(default=lambda: Pass(""))
    """What the run shows to the `up` that it drives; set once its locks are taken."""
    _seen: dict[str, list[Change]] = field(default_factory=dict)

    def places(self) -> Sequence[Place]:
        return self.control

    def differing(self) -> list[Change]:
        """What is not as declared: looked at before the run, with its locks held, and after `up`."""
        if self.run not in self._seen:
            self._seen[self.run] = self.engine.differs()
        return self._seen[self.run]

    def up(self) -> None:
        """Run `up`."""
        self._seen.clear()
        self.engine.up(self.passed(), self.tell)


@contextmanager
def opened(stack_name: str, values: Mapping[str, str]) -> Iterator[ApplySite]:
    """The site of a stack. Raises ConfigurationError where it declares no machines."""
    stack = read_stack(stack_file(stack_name))
    control: list[Place] = [
        OnHost(host, way)
        for region in stack.environment.regions.values()
        if region.cluster.kind == "bareMetal"
        for host, way in control_plane(stack, region.cluster)
    ]
    if not control:
        raise ConfigurationError(
            f"stack {stack_name} declares no nodes on machines: there is nothing to hold",
            fix=f"pulumi up --stack {stack_name}",
        )
    yield ApplySite(stack, Pulumi(stack_name), control)


def _blast(site: ApplySite) -> Blast:
    """Hosts first, each with the phases that are run there; others are counted and named."""
    hosts: dict[str, list[str]] = {}
    others = []
    for change in site.differing():
        if change.host:
            words = f"{change.phase} is taken back" if change.op == "delete" else change.phase
            hosts.setdefault(change.host, []).append(words)
        else:
            others.append(f"{change.op} {change.name}")
    touched = [f"host {host}: {', '.join(hosts[host])}" for host in sorted(hosts)]
    if others:
        touched.append(f"{len(others)} resources that are no hosts': {_listed(others)}")
    return Blast(site.stack.name, touched)


def lacking(site: ApplySite) -> str:
    """What of the declaration is not brought about, in words; empty where all of it is."""
    try:
        left = site.engine.left()
    except LockedError as error:
        # Of this run's own process that was killed, or it was looked at before the run began.
        return error.message
    if left:
        return f"an `up` was killed and has left {_listed(left)}"
    names = [change.name for change in site.differing()]
    return f"not as declared: {_listed(names)}" if names else ""


def _free(site: ApplySite) -> list[Problem]:
    """Whether nobody else changes the stack."""
    try:
        site.engine.left()
    except LockedError as error:
        return [Problem(error.message, error.fix)]
    return []


def _listed(names: Sequence[str]) -> str:
    more = [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return ", ".join([*names[:_SHOWN], *more])


APPLY = Runbook(
    name="apply",
    title="Bring about what is declared",
    says="For a change that is in the stack file: a node more, a node less, another version. It is `pulumi "
    "up`, with what it touches told and confirmed before, with runbooks of others held off from begin to "
    "end, in the journal, and gone on with by `resume` after a kill, which settles what that `up` has left.",
    parameters=(),
    opened=opened,
    blast=_blast,
    preconditions=_free,
    steps=(
        Step(
            "up",
            "settle what an `up` that was killed has left, and run `pulumi up`",
            do=lambda site: site.up(),
            verify=lacking,
            one_way="turn the declaration back, and run it again",
        ),
    ),
    postconditions=lambda site: [],
    takes_back=False,
)
