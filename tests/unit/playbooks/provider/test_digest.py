from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from playbooks.provider import fleet as fleet_module
from playbooks.provider.errors import ProviderError, Unfinished
from playbooks.provider.fleet import Fleet
from playbooks.provider.resources import host_phase
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.host_phase import HostPhase, digest
from playbooks.provider.runs import Event
from playbooks.provider.values import UNKNOWN
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


UP = Operation("urn", "x", 0)


class NoRuns:
    async def run(self, *_: object) -> None:
        raise AssertionError("no playbook may run here")


def context(engine: FakeEngine) -> Context:
    return Context(engine, Fleet(), NoRuns())


async def checked(
    engine: FakeEngine, inputs: dict[str, Any], old: dict[str, Any] | None = None
) -> dict[str, Any]:
    result = await HostPhase().check(context(engine), "urn", old or {}, inputs, b"seed")
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
        ({"bootstrap_kubeconfig": "renewed"}, False),
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
    assert not (await HostPhase().diff(context(engine), "urn", state, inputs)).any


async def test_a_difference_names_the_variables(engine: FakeEngine) -> None:
    inputs = await checked(engine, INPUTS)
    state = {name: inputs.get(name) for name in host_phase._KEPT}
    news = await checked(engine, {**INPUTS, "variables": {"a": 1, "new": 2}}, old=inputs)
    changes = await HostPhase().diff(context(engine), "urn", state, news)
    assert list(changes.updates) == ["digest", "variables.b", "variables.new"]


async def test_another_way_to_the_host_is_recorded_without_touching_it(engine: FakeEngine) -> None:
    inputs = await checked(engine, INPUTS)
    state = {name: inputs.get(name) for name in host_phase._KEPT}
    news = await checked(engine, {**INPUTS, "connection": {**CONNECTION, "port": 10}}, old=inputs)
    changes = await HostPhase().diff(context(engine), "urn", state, news)
    assert list(changes.updates) == ["connection"]
    updated = await HostPhase().update(context(engine), UP, state, news)
    assert updated["connection"]["port"] == 10


async def test_where_a_phase_belongs_is_kept_in_the_state_without_touching_the_host(
    engine: FakeEngine,
) -> None:
    inputs = await checked(engine, INPUTS)
    state = {name: inputs.get(name) for name in host_phase._KEPT}
    belongs = {"region": "eu", "declared": "regions.eu.nodes.cp-1"}
    news = await checked(engine, {**INPUTS, **belongs}, old=inputs)
    assert list((await HostPhase().diff(context(engine), "urn", state, news)).updates) == [*belongs]
    updated = await HostPhase().update(context(engine), UP, state, news)
    assert belongs.items() <= updated.items()


async def test_a_preview_says_that_an_absent_host_cannot_be_measured(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "PROBE_TIMEOUT", 0.5)
    inputs = await checked(engine, INPUTS)
    state = await HostPhase().create(context(engine), Operation("urn", "x", 0, preview=True), inputs)
    assert "eu-cp-1 control-plane: not measurable: host unreachable (127.0.0.1 port 9)" in engine.text(
        "warning"
    )
    assert state["digest"] == inputs["digest"]


async def test_a_preview_says_that_unknown_inputs_cannot_be_measured(engine: FakeEngine) -> None:
    inputs = await checked(engine, {**INPUTS, "secret_variables": {"key": UNKNOWN}})
    state = await HostPhase().create(context(engine), Operation("urn", "x", 0, preview=True), inputs)
    assert "not measurable: inputs not known before up" in engine.text("warning")
    assert state["digest"] is UNKNOWN


async def test_a_preview_does_not_measure_what_an_earlier_phase_changes_first(engine: FakeEngine) -> None:
    with_prepare = context(engine)
    prepare = {**INPUTS, "phase": "prepare"}
    await HostPhase().check(with_prepare, "urn", {}, prepare, b"")
    inputs = await checked(engine, INPUTS)
    await HostPhase().create(with_prepare, Operation("urn", "x", 0, preview=True), inputs)
    assert "not measurable: its phase prepare changes first" in engine.text("warning")


async def test_what_is_missing_of_the_connection_is_told(engine: FakeEngine) -> None:
    result = await HostPhase().check(
        context(engine), "urn", {}, {**INPUTS, "connection": {"user": "root"}}, b""
    )
    assert {name for name, _ in result.failures} == {
        "connection.address",
        "connection.privateKeyFile",
        "connection.knownHostsFile",
    }


class Fails:
    """Breaks off, before or after the host may have been changed."""

    def __init__(self, *, begun: bool) -> None:
        self.begun = begun

    async def run(self, _: object, on_event: Callable[[Event], Awaitable[None]]) -> None:
        if self.begun:
            await on_event({"kind": "begun"})
        raise ProviderError("the host broke off")


def breaking_off(engine: FakeEngine, *, begun: bool) -> Context:
    async def reach(*_: object) -> None:
        pass

    return Context(engine, Fleet(reach), Fails(begun=begun))  # type: ignore[arg-type]


async def test_a_change_that_was_not_finished_is_made_again_even_when_the_declaration_is_turned_back(
    engine: FakeEngine,
) -> None:
    inputs = await checked(engine, INPUTS)
    state = {name: inputs.get(name) for name in host_phase._KEPT}
    news = await checked(engine, {**INPUTS, "variables": {"a": 2}}, old=inputs)
    with pytest.raises(Unfinished, match="broke off") as left:
        await HostPhase().update(breaking_off(engine, begun=True), UP, state, news)
    turned_back = (await HostPhase().diff(context(engine), "urn", dict(left.value.state), inputs)).updates
    assert "digest" in turned_back
    with pytest.raises(Unfinished, match="broke off"):
        await HostPhase().update(breaking_off(engine, begun=True), UP, dict(left.value.state), inputs)


async def test_a_phase_that_was_never_begun_leaves_the_state_as_it_was(engine: FakeEngine) -> None:
    inputs = await checked(engine, INPUTS)
    with pytest.raises(ProviderError, match="broke off") as failure:
        await HostPhase().create(breaking_off(engine, begun=False), UP, inputs)
    assert not isinstance(failure.value, Unfinished)
