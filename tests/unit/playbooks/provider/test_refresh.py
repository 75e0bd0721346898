"""A host that has drifted is brought back by `up --refresh`; one that cannot be looked at stays as it was."""

from __future__ import annotations

from typing import Any

import pytest

from playbooks.phase import LEAVE_HOSTS
from playbooks.provider.fleet import Fleet
from playbooks.provider.resources import host_phase
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.host_phase import HostPhase
from playbooks.provider.run.guard import LOOK_TIMEOUT
from playbooks.provider.run.request import RunRequest
from playbooks.provider.runs import LOOK_PATIENCE, Outcome
from report.errors import OperationsError
from tests.unit.playbooks.provider.support import FakeEngine
from tests.unit.playbooks.provider.test_digest import INPUTS, checked

pytestmark = pytest.mark.anyio


class Answers(Fleet):
    """Hosts that accept connections, or do not."""

    def __init__(self, answer: bool = True) -> None:
        super().__init__()
        self._answer = answer

    async def probe(self, *_: object) -> bool:
        return self._answer


class Runs:
    """Check mode that ends in one way."""

    cancelled = False

    def __init__(self, *changed: str, failure: str = "", breaks: bool = False) -> None:
        self.asked: list[RunRequest] = []
        self._outcome = Outcome("failed" if failure else "successful", failure, changed, 9, 1.0)
        self._breaks = breaks

    async def run(self, request: RunRequest, _: object) -> Outcome:
        self.asked.append(request)
        if self._breaks:
            raise OperationsError("the process of the phase broke")
        return self._outcome


async def refreshed(
    engine: FakeEngine, runs: Runs, *, answers: bool = True, without: tuple[str, ...] = (), **changed: Any
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Inputs, the state before, and the state as it was read."""
    inputs = await checked(engine, INPUTS)
    state = {name: inputs.get(name) for name in host_phase._KEPT if name not in without} | changed
    operation = Operation(Context(engine, Answers(answers), runs), "urn")  # type: ignore[arg-type]
    read = await HostPhase().read(operation, inputs, state)
    assert read is not None, "a host is never read as deleted"
    return inputs, state, read


async def test_a_host_as_it_was_applied_stays_as_it_is(engine: FakeEngine) -> None:
    runs = Runs()
    _, state, read = await refreshed(engine, runs)
    assert read == state
    (asked,) = runs.asked
    assert (asked.check, asked.timeout, asked.patience) == (True, LOOK_TIMEOUT, LOOK_PATIENCE)


async def test_one_that_has_drifted_is_run_again_and_what_differs_is_told(engine: FakeEngine) -> None:
    inputs, state, read = await refreshed(engine, Runs("base : Set up the kernel"))
    assert read == {**state, "digest": host_phase.DRIFTED}
    assert "eu-cp-1 control-plane: 1 of 9 tasks would change it\n  base : Set up the kernel" in engine.text(
        "info"
    )
    operation = Operation(Context(engine, Fleet(), Runs()), "urn")  # type: ignore[arg-type]
    assert "digest" in (await HostPhase().diff(operation, read, inputs)).updates


@pytest.mark.parametrize(
    ("runs", "answers", "why"),
    [
        (Runs(), False, "host unreachable"),
        (Runs("a task", failure="no space left on device"), True, "no space left on device"),
        (Runs(breaks=True), True, "the process of the phase broke"),
    ],
    ids=["it does not answer", "check mode fails", "the run breaks"],
)
async def test_one_that_cannot_be_looked_at_is_taken_as_applied(
    runs: Runs, answers: bool, why: str, engine: FakeEngine
) -> None:
    _, state, read = await refreshed(engine, runs, answers=answers)
    assert read == state
    said = engine.text("warning")
    assert "eu-cp-1 control-plane: taken as it was applied, since it cannot be looked at: " in said
    assert why in said


@pytest.mark.parametrize(
    ("without", "changed"),
    [(("digest",), {}), ((), {"digest": ""}), ((), {"roles_digest": "of earlier roles"})],
    ids=["never finished", "known to have drifted", "its roles have changed since"],
)
async def test_nobody_looks_where_the_next_up_runs_the_phase_anyway(
    without: tuple[str, ...], changed: dict[str, Any], engine: FakeEngine
) -> None:
    runs = Runs("a task")
    _, state, read = await refreshed(engine, runs, without=without, **changed)
    assert read == state
    assert not runs.asked


async def test_hosts_that_are_to_be_left_alone_are(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LEAVE_HOSTS, "1")
    runs = Runs("a task")
    _, state, read = await refreshed(engine, runs)
    assert read == state
    assert not runs.asked
