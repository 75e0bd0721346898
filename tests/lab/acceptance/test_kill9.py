"""Claim 8: `kill -9` of `pulumi` at ten moments spread over `up`, each on machines that were never set up.

Run by `make acceptance SUITE=kill9`; takes about an hour. Writes `docs/acceptance/kill9-<date>.json`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from tests.lab.acceptance import results
from tests.lab.acceptance.killing import Moment, check_lock, check_quiet, fresh, keep, kill_at, shape
from tests.lab.site import Site

NAME = os.environ.get("CROSSMESH_KILL9_STACK", "test-kill9")
MOMENTS = 10


@dataclass(frozen=True)
class Clean:
    """A run that nobody interrupts: what every other one must converge to."""

    seconds: float
    state: dict[str, str]


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
    site = fresh(NAME)
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
    site = fresh(NAME)
    try:
        kill_at(site, clean.seconds * moment.share, moment)
        check_quiet(site, moment)
        check_lock(site, moment)
        converge(site, clean, moment)
        site.destroy()
    except BaseException as error:
        keep(site, moment, error)
        raise
    finally:
        site.stop()


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
