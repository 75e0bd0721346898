"""Hosts looked at before they are changed: a stand-in for ssh, and facts of the test's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from access.errors import IdentityMismatch
from playbooks.phase import LEAVE_HOSTS
from playbooks.preflight import expected, told
from playbooks.preflight.checks import name_of
from playbooks.preflight.expected import Expected
from playbooks.provider import look
from playbooks.provider.look import examine, facts_of, reach_host
from playbooks.provider.resources.base import Unfinished
from playbooks.provider.resources.host_phase import HostPhase
from playbooks.provider.runs import Outcome
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
    assert look.outside(9.0, 10.0, 12.0) == -1.0
    assert look.outside(15.0, 10.0, 12.0) == 3.0


async def test_an_answer_that_is_none_is_told(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected, "program", lambda asked: b"print('Welcome')")
    with pytest.raises(OperationsError, match="its answer is none: Welcome"):
        await facts_of("host-1", host.connection, None)


PREFLIGHT = {"role": "worker", "address": "192.0.2.7", "accept": [], "ignore": []}


def host_connection(at: Host) -> dict[str, object]:
    return {
        "address": "localhost",
        "user": "root",
        "privateKeyFile": at.connection.private_key_file,
        "knownHostsFile": at.connection.known_hosts_file,
    }


def prepare(at: Host, **more: object) -> dict[str, object]:
    """The inputs of a host's first phase."""
    return {
        **INPUTS,
        "phase": "prepare",
        "connection": host_connection(at),
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


@pytest.fixture
def previewing(
    engine: FakeEngine, docker: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Awaitable[list[str]]]:
    """Preview a first phase on a host that accepts connections; returns what the provider said."""
    operation = up(engine, preview=True)

    async def answers(connection: object) -> bool:
        return True

    async def no_play(*_: object) -> Outcome:
        return Outcome("successful", "", (), 7, 1.0)

    monkeypatch.setattr(operation.context.fleet, "probe", answers)
    monkeypatch.setattr(HostPhase, "_check_mode", no_play)

    async def preview(inputs: dict[str, object]) -> list[str]:
        await HostPhase().create(operation, inputs)
        return [message for _, message in engine.said]

    return preview


async def test_a_preview_says_of_a_host_what_would_refuse_and_what_is_accepted(
    previewing: Callable[..., Awaitable[list[str]]], host: Host
) -> None:
    said, _ = await previewing(prepare(host, preflight={**PREFLIGHT, "accept": ["swap"]}))
    name = str(INPUTS["host"])
    assert said.startswith(f"{name} prepare: its preflight refuses: runtime\n")
    findings = told.read(name, said) or []
    assert [(name_of(finding), finding.stops) for finding in findings] == [("runtime", True), ("swap", False)]
    assert "docker runs here for something else" in findings[0].message
    assert findings[0].fix.endswith("`accept: [runtime]`")
    assert findings[1].message.endswith("kubelet does not start; accepted by the declaration")


async def test_a_host_that_needs_another_database_is_looked_at_though_its_first_phase_does_not_change(
    engine: FakeEngine, host: Host, docker: None
) -> None:
    """Another phase needs it, and the first change of a run waits for all that stands against hosts."""
    operation = up(engine)
    operation.context.fleet.declare({"eu-edge-1": "prepare"})
    inputs = prepare(host, host="eu-edge-1", preflight={**PREFLIGHT, "role": "edge"})
    old = {**inputs, **(await HostPhase().check(operation, {}, inputs)).inputs}
    new = {**old, "preflight": {**PREFLIGHT, "role": "edge", "database": "/nowhere/countries.mmdb"}}
    await HostPhase().check(operation, old, new)
    changes = await HostPhase().diff(operation, old, new)
    assert changes.updates == ["preflight"], "no play runs for it"
    with pytest.raises(OperationsError, match=r"countries\.mmdb cannot be used: No such file"):
        await operation.context.fleet.open("eu-edge-1", operation.status)


async def test_a_host_that_cannot_be_looked_at_is_told_once_and_no_play_is_tried(
    previewing: Callable[..., Awaitable[list[str]]], host: Host
) -> None:
    inputs = prepare(host)
    inputs["connection"] = {**host_connection(host), "address": "changed-key.test"}
    (said,) = await previewing(inputs)
    assert "prepare: not measurable: " in said
    assert "host key" in said


async def test_hosts_that_are_to_be_left_alone_are_not_looked_at(
    previewing: Callable[..., Awaitable[list[str]]], host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LEAVE_HOSTS, "1")
    (said,) = await previewing(prepare(host))
    assert said.endswith("prepare: not measurable: hosts are left alone (--hermetic)")
