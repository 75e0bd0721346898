"""Killing `pulumi` in the middle of `up`, and looking at what is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gate.timeline import spans, takes_time
from tests.lab import traces
from tests.lab.acceptance.hosts import quiet
from tests.lab.conftest import log_directory
from tests.lab.site import UP_SECONDS, Site, wait

QUIET_SECONDS = 20.0
"""How long after the kill plays may take to notice; afterwards, nothing may change hosts any more."""

ENGINE_SECONDS = 180.0
"""How long the engine of a runbook that was killed may go on: a task on a host says nothing until it ends."""


@dataclass
class Moment:
    """One kill and what followed."""

    share: float = 0.0
    """Of a clean run's time; nothing where the moment is told by what is at work."""
    phase: str = ""
    seconds_in: float = 0.0
    """For how long that phase is to have been at work."""
    killed_after_seconds: float = 0.0
    at_work: list[str] = field(default_factory=list)
    """What `pulumi` was creating."""
    phases: list[str] = field(default_factory=list)
    survivors: list[str] = field(default_factory=list)
    on_hosts: dict[str, list[str]] = field(default_factory=dict)
    lock_named: str = ""
    up_again_seconds: float = 0.0
    converged: bool = False
    problem: str = ""


def fresh(name: str) -> Site:
    """A platform on machines that were never set up."""
    site = Site(name, log_directory())
    site.prepare()
    return site


def keep(site: Site, moment: Moment, error: BaseException) -> None:
    """Note what went wrong, and keep the engine's own files beside the logs: the site takes its own away.

    They are of a lab whose machines and keys are gone then.
    """
    moment.problem = str(error)[-2000:]
    shutil.copytree(site.directory / "backend", site.logs / "backend", dirs_exist_ok=True)


def shape(site: Site) -> dict[str, str]:
    """The state as far as two runs can agree: every resource, with its type; keys and tokens differ by
    nature.
    """
    return {resource["urn"]: resource["type"] for resource in site.resources()}


class EventLog:
    """What the engine tells of a run while it goes on; every line is read once, for there are many."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._events: list[dict[str, Any]] = []
        self._read = 0

    def going(self) -> dict[str, list[str]]:
        """Names of the resources that are under way, by phase; components have no time of their own."""
        if self.path.exists():
            with self.path.open("rb") as stream:
                stream.seek(self._read)
                # A last line may not be whole yet.
                lines = stream.read().rpartition(b"\n")[0]
            self._read += len(lines) + 1 if lines else 0
            self._events += map(json.loads, lines.splitlines())
        found: dict[str, list[str]] = {}
        for span in spans(self._events):
            if span.end is None and takes_time(span):
                found.setdefault(span.phase, []).append(span.urn.split("::")[-1])
        return found


def kill_at(site: Site, seconds: float, moment: Moment) -> None:
    """Start `up` and kill `pulumi` alone after some seconds, as the kernel's memory killer would."""
    _kill(site, moment, lambda elapsed, log: elapsed >= seconds)


def kill_in(site: Site, moment: Moment) -> None:
    """The same once the moment's phase has been at work for its seconds."""
    since: float | None = None

    def reached(elapsed: float, log: EventLog) -> bool:
        nonlocal since
        if since is None and moment.phase in log.going():
            since = elapsed
        return since is not None and elapsed - since >= moment.seconds_in

    _kill(site, moment, reached)


def kill_when(site: Site, moment: Moment, reached: Callable[[], bool]) -> None:
    """The same as soon as something is so, which is asked for as often as the answer comes."""
    _kill(site, moment, lambda *_: reached())


def _kill(site: Site, moment: Moment, reached: Callable[[float, EventLog], bool]) -> None:
    site.environment["PULUMI_DEBUG_COMMANDS"] = "1"  # shows the flag --event-log
    told = EventLog(site.directory / "killed.events")
    told.path.unlink(missing_ok=True)
    flags = ("--yes", "--skip-preview", "--non-interactive", "--color=never", "--event-log", str(told.path))
    process, log = site.start("pulumi", "up", *flags, "--stack", site.name)
    began = time.monotonic()
    while not reached(time.monotonic() - began, told):
        assert process.poll() is None, f"`up` ended before the moment of the kill; see {log}"
        assert time.monotonic() - began < UP_SECONDS, f"the moment of the kill did not come; see {log}"
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    moment.killed_after_seconds = round(time.monotonic() - began, 1)
    wait(process, 10, "the killed pulumi")
    under_way = told.going()
    moment.at_work = [f"{phase}: {name}" for phase, names in sorted(under_way.items()) for name in names]
    moment.phases = sorted(under_way)


def wait_for_the_engine(site: Site) -> None:
    """Return once the engine of a runbook that was killed has ended. Nobody reads what it says any more: it
    ends when it next says something, or goes on until its lock is another's."""
    deadline = time.monotonic() + ENGINE_SECONDS
    while "that process is running" in site.crossmesh("lock", "show").words:
        assert time.monotonic() < deadline, "the engine of a killed run goes on"
        time.sleep(2)


def check_quiet(site: Site, moment: Moment) -> None:
    """Nothing on this computer and nothing on the hosts goes on."""
    deadline = time.monotonic() + QUIET_SECONDS
    while True:
        moment.survivors = [line for line in traces.survivors(site.mark) if not of_the_lab(line, site)]
        if not moment.survivors or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    moment.on_hosts = quiet(site, QUIET_SECONDS)
    assert not moment.survivors, f"still running here: {moment.survivors}"
    assert not moment.on_hosts, f"still at work on hosts: {moment.on_hosts}"


def of_the_lab(line: str, site: Site) -> bool:
    """Whether a process is one of the lab's own, which is to go on."""
    return any(words in line for words in (" -m lab", "systemd-nspawn", "bird", f"/labs/{site.name}/"))


def check_lock(site: Site, moment: Moment) -> None:
    """The next run names the lock's owner; `crossmesh lock show` says that it is dead; `crossmesh lock
    clear` removes it.
    """
    locks = list((site.directory / "backend" / ".pulumi" / "locks").rglob("*.json"))
    assert len(locks) == 1, locks
    owner = json.loads(locks[0].read_text())
    refused = site.up(check=False, timeout=120)
    assert refused.returncode != 0
    for words in (str(owner["pid"]), owner["username"], socket.gethostname()):
        assert words in refused.words, refused.words[-2000:]
    shown = site.crossmesh("lock", "show").stdout
    assert "stale" in shown and str(owner["pid"]) in shown
    moment.lock_named = shown.strip()
    site.crossmesh("lock", "clear")
    assert "not locked" in site.crossmesh("lock", "show").stdout
