from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from playbooks.provider import fleet as fleet_module
from playbooks.provider.fleet import Fleet
from playbooks.provider.resources import host_phase
from playbooks.provider.resources.base import Context, Operation, Unfinished
from playbooks.provider.resources.host_phase import HostPhase, digest
from playbooks.provider.rollout import Rollout
from playbooks.provider.run.request import RunRequest
from playbooks.provider.runs import Event, Outcome
from playbooks.provider.values import UNKNOWN
from report.errors import OperationsError
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio

CONNECTION = {"address": "127.0.0.1", "port": 9, "user": "root", "privateKeyFile": "k", "knownHostsFile": "h"}
INPUTS: dict[str, Any] = {
    "host": "eu-cp-1",
    "phase": "control-plane",
    "connection": CONNECTION,
    "variables": {"a": 1, "b": {"c": "x", "d": [1, 2]}},
    "secret_variables": {"key": "secret"},
    "reset_on_delete": True,
}


class NoRuns:
    async def run(self, *_: object) -> None:
        raise AssertionError("no playbook may run here")


def up(engine: FakeEngine, *, preview: bool = False) -> Operation:
    return Operation(Context(engine, Fleet(), NoRuns()), "urn", preview=preview, seed=b"seed")


async def checked(
    engine: FakeEngine, inputs: dict[str, Any], old: dict[str, Any] | None = None
) -> dict[str, Any]:
    result = await HostPhase().check(up(engine), old or {}, inputs)
    assert not result.failures
    return {**inputs, **result.inputs}


def test_the_order_of_keys_does_not_matter_and_the_order_of_lists_does() -> None:
    turned = {**INPUTS, "variables": {"b": {"d": [1, 2], "c": "x"}, "a": 1}}
    assert digest(INPUTS, "r", "s") == digest(turned, "r", "s")
    other = {**INPUTS, "variables": {"a": 1, "b": {"c": "x", "d": [2, 1]}}}
    assert digest(INPUTS, "r", "s") != digest(other, "r", "s")


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"variables": {"a": 2}}, True),
        ({"secret_variables": {"key": "other"}}, True),
        ({"secret_variables": {"other": "secret"}}, True),
        ({"phase": "join"}, True),
        ({"connection": {**CONNECTION, "address": "10.0.0.9"}}, False),
        ({"kubeconfig": "renewed"}, False),
        ({"reset_on_delete": False}, False),
        ({"region": "eu", "declared": "regions.eu.nodes.worker-1"}, False),
    ],
)
def test_the_digest_covers_variables_and_secrets_and_nothing_of_the_way_to_the_host(
    change: dict[str, Any], differs: bool
) -> None:
    assert (digest({**INPUTS, **change}, "r", "s") != digest(INPUTS, "r", "s")) is differs


def test_the_digest_covers_the_roles() -> None:
    assert digest(INPUTS, "one", "s") != digest(INPUTS, "other", "s")


def test_the_digest_of_a_secret_cannot_be_compared_between_resources() -> None:
    assert digest(INPUTS, "r", "salt") != digest(INPUTS, "r", "another")


def test_a_variable_that_is_not_known_makes_a_digest_that_is_not_known() -> None:
    assert digest({**INPUTS, "variables": {"a": {"b": [UNKNOWN]}}}, "r", "s") is UNKNOWN


async def test_the_salt_stays_for_the_life_of_the_resource(engine: FakeEngine) -> None:
    first = await checked(engine, INPUTS)
    again = await checked(engine, INPUTS, old={**INPUTS, "salt": first["salt"]})
    assert again["digest"] == first["digest"]


async def test_the_same_inputs_make_no_difference(engine: FakeEngine) -> None:
    inputs = await checked(engine, INPUTS)
    state = {name: inputs.get(name) for name in host_phase._KEPT}
    assert not (await HostPhase().diff(up(engine), state, inputs)).any


async def test_a_difference_names_the_variables(engine: FakeEngine) -> None:
    inputs = await checked(engine, INPUTS)
    state = {name: inputs.get(name) for name in host_phase._KEPT}
    news = await checked(engine, {**INPUTS, "variables": {"a": 1, "new": 2}}, old=inputs)
    changes = await HostPhase().diff(up(engine), state, news)
    assert list(changes.updates) == ["digest", "variables.b", "variables.new"]


UNSEEN = {"run": "it tells of one run alone", "kubeconfig": "its renewal changes nothing on the host"}
OTHERWISE: dict[str, Any] = {
    "host": "eu-cp-2",
    "phase": "join",
    "connection": {**CONNECTION, "port": 10},
    "variables": {"a": 2},
    "secret_variables": {"key": "other"},
    "file_variables": {"other": "/keys/other"},
    "become_password": "other",
    "preflight": {"role": "worker"},
    "reset_on_delete": False,
    "region": "us",
    "declared": "regions.us.cluster.nodes.eu-cp-1",
}
"""Another value of each input of a phase."""


def test_every_input_of_a_phase_is_given_another_value_here() -> None:
    declared = {field.name for field in HostPhase.schema.inputs if not field.checked}
    assert declared == {*OTHERWISE, *UNSEEN}


@pytest.mark.parametrize("name", OTHERWISE)
async def test_another_value_of_an_input_is_a_change_that_the_gate_sees(
    engine: FakeEngine, name: str
) -> None:
    inputs = await checked(engine, INPUTS)
    state = {key: inputs.get(key) for key in host_phase._KEPT}
    news = await checked(engine, {**INPUTS, name: OTHERWISE[name]}, old=inputs)
    assert (await HostPhase().diff(up(engine), state, news)).any


async def test_another_way_to_the_host_is_recorded_without_touching_it(engine: FakeEngine) -> None:
    inputs = await checked(engine, INPUTS)
    state = {name: inputs.get(name) for name in host_phase._KEPT}
    news = await checked(engine, {**INPUTS, "connection": {**CONNECTION, "port": 10}}, old=inputs)
    changes = await HostPhase().diff(up(engine), state, news)
    assert list(changes.updates) == ["connection"]
    updated = await HostPhase().update(up(engine), state, news)
    assert updated["connection"]["port"] == 10


async def test_at_another_address_a_phase_is_run_whatever_its_digest(engine: FakeEngine) -> None:
    inputs = await checked(engine, INPUTS)
    state = {name: inputs.get(name) for name in host_phase._KEPT}
    news = await checked(engine, {**INPUTS, "connection": {**CONNECTION, "address": "10.0.0.9"}}, old=inputs)
    changes = await HostPhase().diff(up(engine), state, news)
    assert list(changes.updates) == ["connection", "digest"]


async def test_what_is_made_for_the_first_time_waits_for_no_turn(engine: FakeEngine) -> None:
    async def reach(*_: object) -> None:
        pass

    class Refuses(Rollout):
        def expect(self, host: str, phase: str) -> None:
            raise AssertionError(f"{host} {phase} has a turn")

    runs = Fails(begun=True)
    operation = Operation(Context(engine, Fleet(reach), runs, Refuses()), "urn")  # type: ignore[arg-type]
    inputs = await checked(engine, INPUTS)
    with pytest.raises(Unfinished) as left:
        await HostPhase().create(operation, inputs)
    half_made = dict(left.value.state)
    await HostPhase().diff(operation, half_made, inputs)
    with pytest.raises(Unfinished) as left:
        await HostPhase().update(operation, half_made, inputs)
    made = {**inputs, "digest": "of another declaration"}
    with pytest.raises(AssertionError, match="eu-cp-1 control-plane has a turn"):
        await HostPhase().diff(operation, made, inputs)
    assert "roles_digest" not in left.value.state


async def test_where_a_phase_belongs_is_kept_in_the_state_without_touching_the_host(
    engine: FakeEngine,
) -> None:
    inputs = await checked(engine, INPUTS)
    state = {name: inputs.get(name) for name in host_phase._KEPT}
    belongs = {"region": "eu", "declared": "regions.eu.nodes.cp-1"}
    news = await checked(engine, {**INPUTS, **belongs}, old=inputs)
    assert list((await HostPhase().diff(up(engine), state, news)).updates) == [*belongs]
    updated = await HostPhase().update(up(engine), state, news)
    assert belongs.items() <= updated.items()


async def test_a_preview_says_that_an_absent_host_cannot_be_measured(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "PROBE_TIMEOUT", 0.5)
    inputs = await checked(engine, INPUTS)
    state = await HostPhase().create(up(engine, preview=True), inputs)
    assert "eu-cp-1 control-plane: not measurable: host unreachable (127.0.0.1 port 9)" in engine.text(
        "warning"
    )
    assert state["digest"] == inputs["digest"]


async def test_a_preview_says_that_unknown_inputs_cannot_be_measured(engine: FakeEngine) -> None:
    inputs = await checked(engine, {**INPUTS, "secret_variables": {"key": UNKNOWN}})
    state = await HostPhase().create(up(engine, preview=True), inputs)
    assert "not measurable: inputs not known before up" in engine.text("warning")
    assert state["digest"] is UNKNOWN


async def test_a_preview_does_not_measure_what_an_earlier_phase_changes_first(engine: FakeEngine) -> None:
    operation = up(engine, preview=True)
    prepare = {**INPUTS, "phase": "prepare"}
    await HostPhase().check(operation, {}, prepare)
    inputs = await checked(engine, INPUTS)
    await HostPhase().create(operation, inputs)
    assert "not measurable: its phase prepare changes first" in engine.text("warning")


async def test_what_is_missing_of_the_connection_is_told(engine: FakeEngine) -> None:
    result = await HostPhase().check(up(engine), {}, {**INPUTS, "connection": {"user": "root"}})
    assert {name for name, _ in result.failures} == {
        "connection.address",
        "connection.knownHostsFile",
    }


class Fails:
    """Breaks off, before or after the host may have been changed."""

    def __init__(self, *, begun: bool) -> None:
        self.begun = begun

    async def run(self, _: object, on_event: Callable[[Event], Awaitable[None]]) -> None:
        if self.begun:
            await on_event({"kind": "begun"})
        raise OperationsError("the host broke off")


def breaking_off(engine: FakeEngine, *, begun: bool) -> Operation:
    async def reach(*_: object) -> None:
        pass

    return Operation(Context(engine, Fleet(reach), Fails(begun=begun)), "urn")  # type: ignore[arg-type]


async def test_a_change_that_was_not_finished_is_made_again_even_when_the_declaration_is_turned_back(
    engine: FakeEngine,
) -> None:
    inputs = await checked(engine, INPUTS)
    state = {name: inputs.get(name) for name in host_phase._KEPT}
    news = await checked(engine, {**INPUTS, "variables": {"a": 2}}, old=inputs)
    with pytest.raises(Unfinished, match="broke off") as left:
        await HostPhase().update(breaking_off(engine, begun=True), state, news)
    turned_back = (await HostPhase().diff(up(engine), dict(left.value.state), inputs)).updates
    assert "digest" in turned_back
    with pytest.raises(Unfinished, match="broke off"):
        await HostPhase().update(breaking_off(engine, begun=True), dict(left.value.state), inputs)


async def test_a_phase_that_was_never_begun_leaves_the_state_as_it_was(engine: FakeEngine) -> None:
    inputs = await checked(engine, INPUTS)
    with pytest.raises(OperationsError, match="broke off") as failure:
        await HostPhase().create(breaking_off(engine, begun=False), inputs)
    assert not isinstance(failure.value, Unfinished)


def with_key(path: Path) -> dict[str, Any]:
    return {**INPUTS, "file_variables": {"base_apt_keys": {"mirror": str(path)}}}


async def after(engine: FakeEngine, inputs: dict[str, Any], old: dict[str, Any]) -> list[str]:
    """What differs from a state that was made with the old inputs."""
    state = {name: old.get(name) for name in host_phase._KEPT}
    news = await checked(engine, inputs, old=old)
    return list((await HostPhase().diff(up(engine), state, news)).updates)


async def test_a_key_that_is_rotated_at_its_path_is_a_change(engine: FakeEngine, tmp_path: Path) -> None:
    key = tmp_path / "key.asc"
    key.write_text("one")
    inputs = await checked(engine, with_key(key))
    assert await after(engine, with_key(key), inputs) == []
    key.write_text("other")
    assert await after(engine, with_key(key), inputs) == ["digest", "file_sums.base_apt_keys"]


async def test_the_same_key_at_another_path_touches_no_host(engine: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("key")
    (tmp_path / "other").write_text("key")
    inputs = await checked(engine, with_key(tmp_path / "one"))
    assert await after(engine, with_key(tmp_path / "other"), inputs) == ["file_variables"]


async def test_a_key_that_a_preview_s_machine_does_not_have_counts_as_unchanged(
    engine: FakeEngine, tmp_path: Path
) -> None:
    key = tmp_path / "key.asc"
    key.write_text("key")
    inputs = await checked(engine, with_key(key))
    assert await after(engine, with_key(tmp_path / "absent"), inputs) == ["file_variables"]


async def test_a_new_host_s_key_that_a_preview_s_machine_does_not_have_leaves_the_digest_open(
    engine: FakeEngine, tmp_path: Path
) -> None:
    inputs = await checked(engine, with_key(tmp_path / "absent"))
    assert inputs["digest"] is UNKNOWN
    assert inputs["file_sums"] == {"base_apt_keys": {"mirror": UNKNOWN}}


class Listens:
    """Takes a port, and runs nothing: keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[RunRequest] = []

    async def run(self, request: RunRequest, *_: object) -> Outcome:
        self.asked.append(request)
        return Outcome("successful", "", (), 1, 0.1)


async def test_a_play_is_given_the_texts_of_the_files(engine: FakeEngine, tmp_path: Path) -> None:
    key = tmp_path / "key.asc"
    key.write_text("the key\n")

    async def reach(*_: object) -> None:
        pass

    runs = Listens()
    operation = Operation(Context(engine, Fleet(reach), runs), "urn")
    inputs = await checked(engine, with_key(key))
    await HostPhase().create(operation, inputs)
    (request,) = runs.asked
    assert request.variables == {**INPUTS["variables"], "base_apt_keys": {"mirror": "the key\n"}}
    key.unlink()
    with pytest.raises(OperationsError, match=r"key\.asc cannot be read on this machine: No such file"):
        await HostPhase().create(operation, inputs)


async def test_a_preview_without_the_files_says_that_the_host_is_not_measured(
    engine: FakeEngine, tmp_path: Path
) -> None:
    key = tmp_path / "key.asc"
    key.write_text("key")
    inputs = await checked(engine, with_key(key))
    key.unlink()

    class Answers(Fleet):
        async def probe(self, *_: object) -> bool:
            return True

    here = Operation(Context(engine, Answers(), NoRuns()), "urn", preview=True)
    await HostPhase().create(here, inputs)
    assert f"eu-cp-1 control-plane: not measurable: {key} cannot be read" in engine.text("warning")


async def test_a_changed_secret_is_told_by_its_name_and_by_nothing_of_it(engine: FakeEngine) -> None:
    old = await checked(engine, INPUTS)
    new = await checked(engine, {**INPUTS, "secret_variables": {"key": "other"}}, old)
    changes = await HostPhase().diff(up(engine), old, new)
    assert changes.updates == ["digest", "secret_sums.key"]
    assert old["secret_sums"].keys() == {"key"}
    assert "secret" not in old["secret_sums"]["key"]
