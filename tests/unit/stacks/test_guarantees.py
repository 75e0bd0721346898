"""What names promise under each fault: bounds are the simulator's, and words follow what is declared."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from playbooks.phase import COLLECTION
from stacks import guarantees as page
from stacks.guarantees import guarantees, render
from stacks.model import HealthCheck
from stacks.model.names import GlobalLoadBalancerSpec
from stacks.simulation import convergence

ROLE = COLLECTION / "roles" / "gdnsd"


def of(**health: object) -> dict[str, page.Guarantee]:
    balancer = GlobalLoadBalancerSpec(ttl=30, health_check=HealthCheck.model_validate(health))
    return {each.fault: each for each in guarantees(balancer)}


@given(st.integers(2, 300), st.integers(1, 60), st.integers(1, 20), st.integers(1, 20), st.integers(0, 86400))
def test_bounds_are_those_of_the_simulator(
    interval: int, timeout: int, down: int, up: int, hold: int
) -> None:
    health = {
        "interval": interval,
        "timeout": timeout,
        "downThreshold": down,
        "upThreshold": up,
        "holdDown": hold,
    }
    found, check = of(**health), HealthCheck.model_validate(health)
    lost = convergence(check, 30).total
    assert found["a region is dead, its edge hosts with it"].seconds == lost
    assert found["a partition between an edge host and a region"].seconds == lost
    assert found["the prober ends or hangs"].seconds == lost + page.REPLACED
    assert found["a region comes back"].seconds == convergence(check, 30, up=True).total


def test_words_follow_what_is_declared() -> None:
    assert "`downThreshold` is 1" in of(downThreshold=1)["a single probe is lost"].promised
    assert "returned by hand" in of(**{"return": "byHand"})["a region comes back"].promised
    assert "300 s after it failed" in of(holdDown=300)["a region comes back"].promised


def test_the_seconds_of_edge_hosts_are_what_runs_there() -> None:
    program = (ROLE / "files" / "gateway_health.py").read_text()
    assert re.search(r"^REPLACED = ([0-9.]+)$", program, re.MULTILINE)[1] == str(page.REPLACED)  # type: ignore[index]
    unit = (ROLE / "templates" / "service.conf.j2").read_text()
    assert f"RestartSec={page.RESTARTED:g}\n" in unit


def test_every_fault_has_a_row_and_says_what_is_not_promised() -> None:
    rows = [line for line in render().splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(guarantees(GlobalLoadBalancerSpec())) == len(of())
    assert all(cell.strip() for row in rows for cell in (row.split("|")[1:3] + row.split("|")[4:5]))
