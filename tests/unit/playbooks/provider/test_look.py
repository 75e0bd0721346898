"""Hosts looked at before they are changed: a stand-in for ssh, and facts of the test's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from access.errors import IdentityMismatch
from playbooks.preflight import expected
from playbooks.preflight.expected import Expected
from playbooks.provider import look
from playbooks.provider.look import examine, facts_of, reach_host
from playbooks.provider.resources.base import Unfinished
from playbooks.provider.resources.host_phase import HostPhase
from report.errors import OperationsError
from tests.unit.playbooks.preflight.test_checks import GOOD, VARIABLES
from tests.unit.playbooks.provider.support import FakeEngine, Host
from tests.unit.playbooks.provider.test_digest import INPUTS, up

pytestmark = pytest.mark.anyio
WORKER = Expected("worker", VARIABLES)


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All hosts run Docker, and swap."""
    facts = {**GOOD, "services": ["docker"], "machine": {**GOOD["machine"], "swap": ["/swap.img"]}}
    file = tmp_path / "facts.py"
    body = "def facts(order):\n    FACTS['clock']['now'] = time.time()\n    return FACTS\n"
    file.write_text(f"import time\nFACTS = {facts!r}\n\n\n{body}")
    monkeypatch.setattr(expected, "FACTS", file)


async def test_a_login_that_becomes_root_is_enough_where_nothing_is_asked(host: Host) -> None:
    await reach_host("host-1", host.connection)


async def test_all_that_refuses_a_host_is_told_at_once(host: Host, docker: None) -> None:
    with pytest.raises(OperationsError) as refusal:
        await reach_host("host-1", host.connection, WORKER)
    assert "host-1: its preflight refuses:" in str(refusal.value)
    assert "docker runs here for something else" in str(refusal.value)
    assert "swap is on (/swap.img)" in str(refusal.value)
    assert "accept: [runtime]" in str(refusal.value)


async def test_what_is_accepted_refuses_nobody(host: Host, docker: None) -> None:
    await reach_host("host-1", host.connection, replace(WORKER, accept=("runtime", "swap")))


async def test_a_stranger_is_asked_nothing(host: Host) -> None:
    with pytest.raises(IdentityMismatch):
        await examine("host-1", replace(host.connection, address="changed-key.test"), WORKER)


async def test_a_clock_is_only_wrong_outside_of_the_time_that_the_question_took(
    host: Host, docker: None
) -> None:
    facts = await facts_of("host-1", host.connection, {})
    assert facts["clock"]["skew"] == 0.0
    assert look._outside(9.0, 10.0, 12.0) == -1.0
    assert look._outside(15.0, 10.0, 12.0) == 3.0


async def test_an_answer_that_is_none_is_told(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected, "program", lambda asked: b"print('Welcome')")
    with pytest.raises(OperationsError, match="its answer is none: Welcome"):
        await facts_of("host-1", host.connection, None)


PREFLIGHT = {"role": "worker", "address": "192.0.2.7", "accept": [], "ignore": []}


def prepare(at: Host, **more: object) -> dict[str, object]:
    """The inputs of a host's first phase."""
    connection = {
        "address": "localhost",
        "user": "root",
        "privateKeyFile": at.connection.private_key_file,
        "knownHostsFile": at.connection.known_hosts_file,
    }
    return {
        **INPUTS,
        "phase": "prepare",
        "connection": connection,
        "variables": VARIABLES,
        "preflight": PREFLIGHT,
        **more,
    }


async def test_no_play_runs_where_one_host_s_preflight_refuses(
    engine: FakeEngine, host: Host, docker: None
) -> None:
    operation = up(engine)
    operation.context.fleet.declare({"eu-cp-1": "prepare", "eu-worker-1": "prepare"})
    accepting = {**PREFLIGHT, "accept": ["runtime", "swap"]}
    for name, preflight in (("eu-cp-1", accepting), ("eu-worker-1", PREFLIGHT)):
        inputs = prepare(host, host=name, preflight=preflight)
        await HostPhase().check(operation, {}, inputs)
    with pytest.raises(OperationsError) as refusal:
        await HostPhase().create(operation, prepare(host, host="eu-cp-1", preflight=accepting))
    assert not isinstance(refusal.value, Unfinished)
    assert "1 host cannot be used; no host was changed" in str(refusal.value)
    assert "eu-worker-1: its preflight refuses:" in str(refusal.value)
    assert "eu-cp-1: its preflight" not in str(refusal.value)


async def test_a_preview_says_in_short_words_what_would_refuse(
    engine: FakeEngine, host: Host, docker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = up(engine, preview=True)

    async def answers(connection: object) -> bool:
        return True

    monkeypatch.setattr(operation.context.fleet, "probe", answers)
    await HostPhase()._preflight(operation, prepare(host))
    said = engine.text("warning").splitlines()
    assert said[0].endswith("prepare: its preflight refuses: runtime, swap")
    assert "docker runs here" in said[1]
