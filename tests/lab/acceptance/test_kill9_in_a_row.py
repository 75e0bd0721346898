"""Claim 8 on one platform: `up` is killed ten times, each run going on where the one before was killed.

A quarter of the time of `kill9`, which kills runs on fresh machines. Every kill but the first also meets
what the kills before it have left. Run by `make acceptance SUITE=kill9_in_a_row`; takes about a quarter of
an hour and writes `docs/acceptance/kill9_in_a_row-<date>.json`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from tests.lab.acceptance import results
from tests.lab.acceptance.killing import Moment, check_lock, check_quiet, fresh, keep, kill_in, shape
from tests.lab.site import Site

NAME = os.environ.get("CROSSMESH_KILL9_STACK", "test-kill9")
MOMENTS = (
    *(("hosts: prepare", seconds) for seconds in (3.0, 12.0, 25.0)),
    *(("hosts: control-plane", seconds) for seconds in (2.0, 8.0)),
    *(("hosts: join", 4.0), ("load balancer", 1.0), ("mesh", 1.0), ("mesh", 15.0), ("applications", 3.0)),
)
"""What is at work when a run is killed, and for how many seconds: each gets further than the one before."""


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    found: dict[str, Any] = {"moments": []}
    yield found
    found["moments"] = [asdict(moment) for moment in found["moments"]]
    print(f"wrote {results.write('kill9_in_a_row', found)}")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The platform that survives all kills; nothing of it is left at the end."""
    found = fresh(NAME)
    try:
        yield found
        found.destroy()
    finally:
        found.stop()


@pytest.fixture(scope="module")
def clean_seconds(report: dict[str, Any]) -> float:
    """How long a clean run takes, and what it makes, on machines that are gone before the first kill."""
    clean = fresh(NAME)
    try:
        seconds = clean.up("--skip-preview").seconds
        report["cleanState"] = shape(clean)
        clean.destroy()
    finally:
        clean.stop()
    report["cleanRunSeconds"] = round(seconds, 1)
    return seconds


def test_a_run_that_is_killed_ten_times_converges_to_the_state_of_a_clean_one(
    clean_seconds: float, site: Site, report: dict[str, Any]
) -> None:
    """After each kill nothing goes on; the next run names the lock; the last one ends as a clean one."""
    for phase, seconds in MOMENTS:
        moment = Moment(phase=phase, seconds_in=seconds)
        report["moments"].append(moment)
        try:
            kill_in(site, moment)
            check_quiet(site, moment)
            check_lock(site, moment)
        except BaseException as error:
            keep(site, moment, error)
            raise
    last = site.up("--skip-preview")
    report["lastRunSeconds"] = round(last.seconds, 1)
    assert shape(site) == report.pop("cleanState")
    site.up("--expect-no-changes")
    healthy = site.crossmesh("doctor", "--json", check=False)
    assert healthy.returncode == 0, healthy.stdout[-4000:]
    for moment in report["moments"]:
        moment.converged = True
