"""One examination for drift over one stack: all layers side by side, within a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from access.locks import Owner, locks_of
from access.provenance import versions
from gate.effects import blast, sources
from gate.effects.topology import topology
from live.drift import certificates, clusters, hosts, judge, name_servers
from live.drift.access import Clusters, ways
from live.drift.mask import Mask
from live.drift.model import LayerId, Record, Seen
from live.drift.state import State, read_state
from report.errors import ConfigurationError, LockedError, OperationsError
from report.exit_codes import ExitCode
from report.model import Examination
from report.progress import Watch
from stacks.errors import StackFileError
from stacks.load import Stack, load_stack, stack_path

GRACE_SECONDS = 20.0
"""How long after the end of the time a layer is waited for: requests and runs on hosts end in order."""

Say = Callable[[str], None]


class Interrupted(OperationsError):
    """The user or the pipeline wants the answer no more."""

    exit_code = ExitCode.CANCELLED


@dataclass(frozen=True)
class Options:
    """What is asked for, the same for all stacks."""

    now: datetime
    """Certificates are judged by it."""
    layers: tuple[LayerId, ...] = tuple(LayerId)
    strict: bool = False
    """Whether what is not measurable counts as a failure."""
    timeout: float = 300
    """Seconds for all layers together."""


def drift(
    root: Path, stack: str, options: Options, say: Say, stopped: threading.Event | None = None
) -> Examination:
    """Compare what is live with what was applied to one stack. Nothing is changed.

    stopped: set it to have the examination end early, in order; it then raises `Interrupted`.

    Raises `report.errors.OperationsError` and its kin, each with its exit code.
    """
    head = _declared(root, stack)
    say("reading the state")
    state = _state(stack)
    applied = judge.rules(options.layers)
    if state.is_empty:
        found = [Record(layer).seen() for layer in _wanted(options)]
        findings = judge.nothing_applied(stack, applied)
    else:
        watch, board, mask = Watch(options.timeout, stopped), _Board(say), Mask(state.secrets())
        with Clusters(ways(state), board.of(LayerId.CLUSTERS)) as opened:
            seen = _look(state, head, opened, options, board, watch, mask)
        found = [mask.seen(layer) for layer in seen]
        findings = judge.findings(found, applied)
    read = sources.open_sources(head.path, root)
    changes = judge.told(sources.locate(blast.assess(judge.change_set(state, found)), read))
    return Examination(
        stack=stack,
        verb="drift",
        verdict=judge.verdict(changes, found, findings, options.strict, empty=state.is_empty),
        changes=changes,
        layers=tuple(layer.layer for layer in found),
        rules=applied,
        findings=sources.place(findings, changes, read),
        versions=versions(root),
        topology=topology(changes),
    )


def _declared(root: Path, stack: str) -> Stack:
    try:
        return load_stack(stack_path(stack, root))
    except StackFileError as error:
        raise ConfigurationError(str(error)) from error


def _state(stack: str) -> State:
    """The state, of a stack that nobody is changing."""
    with ThreadPoolExecutor(2) as pool:
        unlocked, state = pool.submit(_refuse_locked, stack), pool.submit(read_state, stack)
        unlocked.result()
        return state.result()


def _refuse_locked(stack: str) -> None:
    for lock in locks_of(stack):
        if lock.owner is not Owner.DEAD:
            raise LockedError(
                f"stack {stack!r} is being changed: {lock.describe()}. What differs now is no drift. Wait "
                "for that run's end, then look again."
            )


class _Board:
    """What each layer is at, as one line."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._lock = threading.Lock()
        self._words: dict[LayerId, str] = {}

    def of(self, layer: LayerId) -> Say:
        def say(words: str) -> None:
            with self._lock:
                self._words[layer] = words
                self._say("; ".join(f"{name}: {text}" for name, text in sorted(self._words.items())))

        return say

    def done(self, layer: LayerId) -> None:
        with self._lock:
            self._words.pop(layer, None)

    def at(self, layer: LayerId) -> str:
        with self._lock:
            return self._words.get(layer, "its first answer")


def _wanted(options: Options) -> list[LayerId]:
    return [layer for layer in LayerId if layer in options.layers]


def _look(
    state: State,
    head: Stack,
    opened: Clusters,
    options: Options,
    board: _Board,
    watch: Watch,
    mask: Mask,
) -> list[Seen]:
    """What each layer finds, in the order of `LayerId`."""
    wanted = _wanted(options)
    records = {layer: Record(layer) for layer in wanted}
    runs = _runs(state, head, opened, options, board, records, watch, mask)
    threads = {}
    for layer in wanted:
        work = threading.Thread(target=_run, args=(runs[layer], records[layer]), name=layer, daemon=True)
        threads[layer] = work
        work.start()
    _wait(threads, board, watch)
    if watch.stopped.is_set():
        raise Interrupted("Interrupted.")
    for layer, work in threads.items():
        if work.is_alive():
            records[layer].late = True
            fix = "Allow more (--timeout), or see why that does not answer."
            records[layer].not_measurable(layer, f"time ran out while waiting for {board.at(layer)}", fix=fix)
    return [records[layer].seen() for layer in wanted]


def _runs(
    state: State,
    head: Stack,
    opened: Clusters,
    options: Options,
    board: _Board,
    records: Mapping[LayerId, Record],
    watch: Watch,
    mask: Mask,
) -> dict[LayerId, Callable[[], None]]:
    def of_clusters() -> None:
        record = records[LayerId.CLUSTERS]
        for region in sorted(head.environment.regions.keys() - opened.ways.keys()):
            fix = f"Run `pulumi up --stack {state.stack}` to its end."
            record.not_measurable(f"cluster {region}", "it is declared, and was not brought up", fix=fix)
        clusters.look(state, opened, record, board.of(LayerId.CLUSTERS), watch, mask)

    def of_hosts() -> None:
        ssh, say = head.environment.ssh, board.of(LayerId.HOSTS)
        hosts.look(state, ssh, records[LayerId.HOSTS], say, watch)

    def of_dns() -> None:
        name_servers.look(state, records[LayerId.DNS], board.of(LayerId.DNS), watch)

    def of_certificates() -> None:
        say, record = board.of(LayerId.CERTIFICATES), records[LayerId.CERTIFICATES]
        certificates.look(state, opened, record, say, watch, options.now)

    return {
        LayerId.CLUSTERS: of_clusters,
        LayerId.HOSTS: of_hosts,
        LayerId.DNS: of_dns,
        LayerId.CERTIFICATES: of_certificates,
    }


def _run(look: Callable[[], None], record: Record) -> None:
    """Run a layer. A defect of one must not hide what the others found."""
    try:
        look()
    except Exception as error:
        record.broken = True
        record.not_measurable(
            record.layer,
            f"the comparison itself broke: {type(error).__name__}: {error}",
            fix="This is a defect of crossmesh drift; please report it with these words.",
        )


def _wait(threads: Mapping[LayerId, threading.Thread], board: _Board, watch: Watch) -> None:
    """Wait for the layers; once nobody wants them any more, only as long as they need to end in order."""
    over: float | None = None
    pause = threading.Event()
    while alive := [layer for layer, work in threads.items() if work.is_alive()]:
        for layer in threads.keys() - set(alive):
            board.done(layer)
        if watch.over:
            over = GRACE_SECONDS if over is None else over - 0.1
            if over <= 0:
                return
        pause.wait(0.1)
