"""Walks along the steps of an operation, killed at each of them: those that it tells are the list.

Each run goes on where the one before was killed, and is killed at the first step that none was killed at yet;
so the walk ends with a run that nobody kills. Steps that last are killed a second time in their middle.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gate.timeline import Span, takes_time
from playbooks.tokens import HOST_PHASE
from report.urns import types
from runbooks import journal
from runbooks.journal import Entry, Outcome, What
from tests.lab.acceptance.killing import Moment, check_quiet
from tests.lab.site import Site, wait

RUN_SECONDS = 3000.0
"""For one run, on a computer that does other things too."""
LASTS_SECONDS = 8.0
"""A step that is at work for so long is killed in its middle too."""
MIDDLE_SECONDS = 3.0
"""The same of a runbook's step."""
_POLL = 0.1
_COLOURS = re.compile(r"<\{%[a-z]*%\}>")
_TASK = re.compile(
    r"(?P<host>[a-z0-9-]+) (?P<phase>[a-z-]+): (?P<task>(?:[a-z_]+ : )?[A-Z].*|making a join token)"
)
_DRAINED = re.compile(r"(?P<host>[a-z0-9-]+): waiting for \d+ pods to go")
_LOOKS = ("Validating arguments", "Keep in mind", "Find out", "See that this node may")
"""So begin tasks that change nothing: whoever is killed there was killed before the next one."""


def step_of(event: Mapping[str, Any]) -> str:
    """The step that an event of the engine tells the begin of; empty where it tells none."""
    said = event.get("diagnosticEvent")
    if said and said.get("ephemeral"):
        text = _COLOURS.sub("", said["message"]).strip()
        if drained := _DRAINED.match(text):
            return f"{drained['host']}: its pods go"
        found = _TASK.fullmatch(text)
        if found is None or any(found["task"].rpartition(" : ")[2].startswith(words) for words in _LOOKS):
            return ""
        # A task that is tried again is the same one.
        return re.sub(r": attempt .*", "", text)
    metadata = (event.get("resourcePreEvent") or {}).get("metadata")
    if not metadata or metadata["op"] in ("same", "read", "refresh"):
        return ""
    urn, doing = metadata["urn"], metadata["op"]
    # Of phases, the tasks are the steps, but for what is done before the first of them when a node leaves.
    if not takes_time(Span(urn, "", 0.0, None)) or (types(urn)[-1] == HOST_PHASE and doing != "delete"):
        return ""
    return f"{doing} {urn.split('::')[-1]}"


class Steps:
    """The steps of one run, as they begin. Of two hosts, each has its own that lasts."""

    def __init__(self, visited: Iterable[str]) -> None:
        """visited: steps that runs before this one were killed at."""
        self._visited = set(visited)
        self._at_work: dict[str, tuple[str, float]] = {}
        """By what tells it, the step that began last, and when."""

    def take(self, events: Iterable[Mapping[str, Any]], now: float) -> str:
        """The first step that nobody was killed at yet; empty while there is none. now: seconds."""
        for event in events:
            ended = event.get("resOutputsEvent") or event.get("resOpFailedEvent") or {}
            self._at_work.pop((ended.get("metadata") or {}).get("urn", ""), None)
            step = step_of(event)
            if not step:
                continue
            teller = _teller(event, step)
            # One that is told of again, as a drain is while pods go, began when it was told of first.
            if self._at_work.get(teller, ("", now))[0] != step:
                self._at_work[teller] = (step, now)
            if step not in self._visited:
                return step
        for step, began in self._at_work.values():
            middle = f"{step} (after {LASTS_SECONDS:.0f} s)"
            if now - began >= LASTS_SECONDS and middle not in self._visited:
                return middle
        return ""


def _teller(event: Mapping[str, Any], step: str) -> str:
    """Whose next step ends this one: a resource's."""
    said = event.get("diagnosticEvent") or (event.get("resourcePreEvent") or {}).get("metadata") or {}
    return str(said.get("urn") or step)


@dataclass
class Walk:
    """One walk, for the report."""

    operation: str
    kills: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    last_run_seconds: float = 0.0

    @property
    def visited(self) -> list[str]:
        """The steps that runs were killed at."""
        return [kill["step"] for kill in self.kills]

    def told(self) -> dict[str, Any]:
        return asdict(self)


class Log:
    """The engine's events, each read once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        path.unlink(missing_ok=True)

    def news(self) -> list[dict[str, Any]]:
        """What was told since the last time; a last line may not be whole yet."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as stream:
            stream.seek(self._read)
            lines = stream.read().rpartition(b"\n")[0]
        self._read += len(lines) + 1 if lines else 0
        return [json.loads(line) for line in lines.splitlines()]


def walk_up(site: Site, walk: Walk, most: int = 80) -> None:
    """Run `up` again and again, killed at each step, until one run ends by itself, well.

    most: kills, so that an operation that never gets further ends the test.
    """
    began = time.monotonic()
    while (step := _killed_up(site, walk)) is not None:
        moment = Moment(phase=step)
        check_quiet(site, moment)
        site.crossmesh("lock", "clear")
        assert len(walk.kills) <= most, f"{walk.operation}: killed {most} times, and no end: {walk.visited}"
    walk.seconds = round(time.monotonic() - began, 1)


def _killed_up(site: Site, walk: Walk) -> str | None:
    """The step at which a run was killed; None for one that ended well by itself."""
    told, steps = Log(site.directory / "walk.events"), Steps(walk.visited)
    flags = ("--yes", "--skip-preview", "--non-interactive", "--color=never", "--event-log", str(told.path))
    process, log = site.start("pulumi", "up", *flags, "--stack", site.name)
    began, step = time.monotonic(), ""
    try:
        while process.poll() is None and not step:
            now = time.monotonic() - began
            assert now < RUN_SECONDS, f"{walk.operation}: `up` does not end; see {log}"
            if not (step := steps.take(told.news(), now)):
                time.sleep(_POLL)
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            wait(process, 10, "the killed pulumi")
    if step:
        walk.kills.append({"step": step, "afterSeconds": round(time.monotonic() - began, 1)})
        return step
    words = log.read_text(errors="replace") + log.with_suffix(".err").read_text(errors="replace")
    assert process.returncode == 0, (
        f"{walk.operation}: the run after the kill at {walk.visited[-1:]} failed; see {log}:\n{words[-6000:]}"
    )
    walk.last_run_seconds = round(time.monotonic() - began, 1)
    return None


def entries(site: Site) -> list[Entry]:
    """The stack's journal."""
    home = site.directory / "backend" / ".crossmesh" / "journals" / "crossmesh" / site.name
    return journal.read(home)


def begun(news: Sequence[Entry], visited: Sequence[str], now: datetime) -> str:
    """The step that nobody was killed at yet, of those that a journal tells of; empty where there is none.

    news: what a run has written.
    """
    doing = [entry.step for entry in news if entry.what is What.DOING]
    if step := next((step for step in doing if step not in visited), ""):
        return step
    if not news or news[-1].what is not What.DOING:
        return ""
    middle = f"{news[-1].step} (after {MIDDLE_SECONDS:.0f} s)"
    lasts = (now - datetime.fromisoformat(news[-1].at)).total_seconds() >= MIDDLE_SECONDS
    return middle if lasts and middle not in visited else ""


def walk_runbook(site: Site, walk: Walk, name: str, *values: str, most: int = 20) -> None:
    """Run a runbook, and go on with it, killed at each step that its journal begins, until it ends well."""
    began, command = time.monotonic(), ["run", name, *values, "--yes"]
    while True:
        since = len(entries(site))
        argv = [sys.executable, "-m", "operations", "runbook", *command, "--stack", site.name]
        process, log = site.start(*argv)
        started, step = time.monotonic(), ""
        try:
            while process.poll() is None and not step:
                assert time.monotonic() - started < RUN_SECONDS, f"{name} does not end; see {log}"
                if not (step := begun(entries(site)[since:], walk.visited, datetime.now(UTC))):
                    time.sleep(_POLL / 2)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        if not step:
            words = log.with_suffix(".err").read_text(errors="replace")
            assert process.returncode == 0, (
                f"{walk.operation}: after the kill at {walk.visited[-1:]}; see {log}:\n{words[-4000:]}"
            )
            walk.last_run_seconds = round(time.monotonic() - started, 1)
            break
        walk.kills.append({"step": step, "afterSeconds": round(time.monotonic() - started, 1)})
        assert len(walk.kills) <= most, f"{walk.operation}: no end: {walk.visited}"
        # The last step may be quicker than who kills.
        if ends := [entry for entry in entries(site)[since:] if entry.what is What.ENDED]:
            assert ends[-1].data["outcome"] == Outcome.SUCCEEDED, f"{walk.operation}: {ends[-1].data}"
            walk.last_run_seconds = round(time.monotonic() - started, 1)
            break
        command = ["resume"]
    walk.seconds = round(time.monotonic() - began, 1)
