"""The way into a cluster while it is led to another address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from access import kubeconfig as kubeconfigs
from playbooks.phase import machine_of
from playbooks.provider.fleet import Fleet
from playbooks.provider.resources import host_phase
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.host_phase import HostPhase
from playbooks.provider.run.request import RunRequest
from playbooks.provider.runs import Outcome
from playbooks.provider.values import UNKNOWN
from playbooks.provider.ways import Ways
from tests.unit.playbooks.provider.fake_api_server import ApiServer
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio
CONNECTION = {"address": "127.0.0.1", "port": 9, "user": "root", "privateKeyFile": "k", "knownHostsFile": "h"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path)
    yield server
    server.stop()


def elsewhere(api: ApiServer) -> str:
    """A kubeconfig of the same cluster, at an address that nobody has taken yet."""
    there = api.kubeconfig()
    return kubeconfigs.leading_to(there, kubeconfigs.read(there).server.replace("127.0.0.1", "127.0.0.9"))


def ways(*addresses: str) -> Ways:
    found = Ways()
    for number, address in enumerate(addresses, 1):
        found.saw("eu", f"cp-{number}", {}, address=address, carries=True)
    found.saw("eu", "worker", {}, address="127.0.0.5", carries=False)
    return found


async def test_the_declared_address_is_the_way_where_it_answers(api: ApiServer) -> None:
    kubeconfig = api.kubeconfig()
    assert await ways("127.0.0.7").into("eu", kubeconfig) == kubeconfig
    assert len(api.calls) == 1


async def test_else_it_is_that_of_a_control_plane_that_does(api: ApiServer) -> None:
    given = elsewhere(api)
    found = kubeconfigs.read(await ways("127.0.0.7", "127.0.0.1").into("eu", given))
    assert found == kubeconfigs.read(kubeconfigs.leading_to(given, kubeconfigs.read(api.kubeconfig()).server))
    assert await ways("127.0.0.1").into("us", given) == given, "which is of another region"


async def test_where_nobody_answers_the_declared_one_is_what_errors_are_about(api: ApiServer) -> None:
    given = elsewhere(api)
    api.stop()
    assert await ways("127.0.0.1").into("eu", given) == given


def test_a_kubeconfig_is_the_same_but_for_where_it_leads(api: ApiServer) -> None:
    before, after = (kubeconfigs.read(text) for text in (api.kubeconfig(), elsewhere(api)))
    assert before.authority == after.authority
    assert after.server.startswith("https://127.0.0.9:")
    with pytest.raises(kubeconfigs.KubeconfigError):
        kubeconfigs.leading_to("none", "https://192.0.2.1")


@pytest.mark.parametrize(
    ("variable", "made", "has"),
    [
        ("join_endpoint", True, True),
        ("join_endpoint", False, False),
        ("join_authorities", True, False),
    ],
)
def test_a_node_that_is_led_elsewhere_has_a_turn_of_its_own(variable: str, made: bool, has: bool) -> None:
    """Its kubelet starts anew, and takes its pods for not ready until it has asked them."""
    old = {"variables": {variable: "a", "join_node_name": "n"}, **({"roles_digest": "0"} if made else {})}
    new = {"phase": "join", "variables": {variable: "b", "join_node_name": "n"}}
    assert host_phase._interrupts(old, new) is has
    assert not host_phase._interrupts(old, {**new, "variables": UNKNOWN})


class Runs:
    """Takes the place of the runs."""

    cancelled = False

    def __init__(self) -> None:
        self.requests: list[RunRequest] = []

    async def run(self, request: RunRequest, _: Any) -> Outcome:
        self.requests.append(request)
        return Outcome("successful", "", (), 1, 0.1)


async def reached(*_: object) -> None:
    """Every host is."""


async def test_a_control_plane_that_leads_its_cluster_elsewhere_is_asked_where_it_is(
    api: ApiServer, engine: FakeEngine
) -> None:
    runs = Runs()
    context = Context(engine, Fleet(reached), runs)  # type: ignore[arg-type]
    context.fleet.declare({"eu-cp-1": "control-plane"})
    context.holds.declare({"eu-cp-1": ["prepare", "control-plane"]})
    inputs = {
        "host": "eu-cp-1",
        "phase": "control-plane",
        "region": "eu",
        "connection": CONNECTION,
        "variables": {"control_plane_initialises": True},
        "kubeconfig": elsewhere(api),
    }
    assert machine_of(CONNECTION) == "127.0.0.1"
    operation = Operation(context, "urn")
    checked = await HostPhase().check(operation, {}, inputs)
    new = {**inputs, **checked.inputs}
    # Nobody of this test answers as a host whose lock is to be held.
    context.holds.is_node = lambda host: False  # type: ignore[method-assign]
    await HostPhase().update(operation, {**new, "digest": "other"}, new)
    (request,) = runs.requests
    assert (
        kubeconfigs.read(request.bootstrap_kubeconfig or "").server
        == kubeconfigs.read(api.kubeconfig()).server
    )
