"""Claim 8: `kill -9` of `pulumi` at ten moments spread over `up`, each on machines that were never set up.

Run by `make acceptance SUITE=kill9`; takes about an hour. Writes `docs/acceptance/kill9-<date>.json`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from benchmarks.events import read_events, spans
from tests.lab import traces
from tests.lab.acceptance import results
from tests.lab.acceptance.hosts import quiet
from tests.lab.conftest import log_directory
from tests.lab.site import Site, wait

NAME = os.environ.get("CROSSMESH_KILL9_STACK", "test-kill9")
MOMENTS = 10
QUIET_SECONDS = 20.0
"""How long after the kill plays may take to notice; afterwards, nothing may change hosts any more."""


@dataclass
class Moment:
    """One kill and what followed."""

    share: float
    """Of a clean run's time."""
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


@dataclass(frozen=True)
class Clean:
    """A run that nobody interrupts: what every other one must converge to."""

    seconds: float
    state: dict[str, str]


def fresh() -> Site:
    site = Site(NAME, log_directory())
    site.prepare()
    return site


def shape(site: Site) -> dict[str, str]:
    """The state as far as two runs can agree: every resource, with its type; keys and tokens differ by
    nature.
    """
    return {resource["urn"]: resource["type"] for resource in site.resources()}


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    found: dict[str, Any] = {"moments": []}
    yield found
    found["moments"] = [asdict(moment) for moment in found["moments"]]
    print(f"wrote {results.write('kill9', found)}")


@pytest.fixture(scope="module")
def clean(report: dict[str, Any]) -> Clean:
    """A measured run on machines of its own, which are gone before the first kill."""
    site = fresh()
    try:
        up = site.up("--skip-preview")
        found = Clean(up.seconds, shape(site))
        site.destroy()
    finally:
        site.stop()
    report["cleanRunSeconds"] = round(found.seconds, 1)
    report["resources"] = len(found.state)
    return found


@pytest.mark.parametrize("number", range(MOMENTS))
def test_a_run_that_is_killed_stops_changing_hosts_and_the_next_one_converges(
    number: int, clean: Clean, report: dict[str, Any]
) -> None:
    """Claim 8, one of ten moments: a twentieth of a clean run's time after its begin, and every tenth on."""
    moment = Moment(share=round((number + 0.5) / MOMENTS, 3))
    report["moments"].append(moment)
    site = fresh()
    try:
        kill_at(site, clean.seconds * moment.share, moment)
        check_quiet(site, moment)
        check_lock(site, moment)
        converge(site, clean, moment)
        site.destroy()
    except BaseException as error:
        moment.problem = str(error)[-2000:]
        raise
    finally:
        site.stop()


def kill_at(site: Site, seconds: float, moment: Moment) -> None:
    """Start `up` and kill `pulumi` alone, as the kernel's memory killer would."""
    site.environment["PULUMI_DEBUG_COMMANDS"] = "1"  # shows the flag --event-log
    events = site.directory / "killed.events"
    flags = ("--yes", "--skip-preview", "--non-interactive", "--color=never", "--event-log", str(events))
    process, log = site.start("pulumi", "up", *flags, "--stack", site.name)
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        assert process.poll() is None, f"`up` ended before the moment of the kill; see {log}"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    moment.killed_after_seconds = round(time.monotonic() - began, 1)
    wait(process, 10, "the killed pulumi")
    going = [span for span in spans(read_events(events)) if span.end is None]
    moment.at_work = [f"{span.phase}: {span.urn.split('::')[-1]}" for span in going]
    moment.phases = sorted({span.phase for span in going})


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
    """The next run names the lock's owner; `crossmesh lock show` says that it is dead; `pulumi cancel`
    clears it.
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
    site.pulumi("cancel", "--yes")
    assert "not locked" in site.crossmesh("lock", "show").stdout


def converge(site: Site, clean: Clean, moment: Moment) -> None:
    """`up` ends as a clean run does, a further one finds nothing to do, and every check of the doctor is
    ok.
    """
    again = site.up()
    moment.up_again_seconds = round(again.seconds, 1)
    assert shape(site) == clean.state
    site.up("--expect-no-changes")
    healthy = site.crossmesh("doctor", "--json", check=False)
    assert healthy.returncode == 0, healthy.stdout[-4000:]
    moment.converged = True
