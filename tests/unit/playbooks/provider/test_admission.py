"""A webhook that fails closed is waited for by what it is asked about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from access.errors import AccessError
from playbooks.provider.fleet import Fleet
from playbooks.provider.resources.admission import Admission
from playbooks.provider.resources.base import Context, Operation
from tests.unit.playbooks.provider.fake_api_server import ApiServer
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio

PATH = "/apis/security.istio.io/v1/namespaces/istio-system/peerauthentications"
PROBE = {"kind": "PeerAuthentication", "metadata": {"generateName": "default-"}}
UNREACHED = (500, 'failed calling webhook "validation.istio.io": connect: connection refused')
TAKEN = (201, "")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path)
    yield server
    server.stop()


def inputs(api: ApiServer) -> dict[str, Any]:
    return {"kubeconfig": api.kubeconfig(), "collection": PATH, "probe": PROBE, "server": "istiod 1"}


def up(engine: FakeEngine, *, timeout: float = 10, preview: bool = False) -> Operation:
    return Operation(Context(engine, Fleet(), None), "urn", timeout, preview)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([], 3),
        ([UNREACHED, (404, "the server could not find the requested resource")], 5),
        ([TAKEN, TAKEN, UNREACHED], 6),
    ],
    ids=["it is reached", "not yet", "one API server of several does not reach it"],
)
async def test_it_is_offered_until_it_is_let_through_thrice_in_a_row(
    answers: list[tuple[int, str]], asked: int, api: ApiServer, engine: FakeEngine
) -> None:
    api.dry_runs = list(answers)
    made = await Admission().create(up(engine), inputs(api))
    assert made == {"collection": PATH, "probe": PROBE, "server": "istiod 1"}
    # A refusal is asked for the webhook's owner; that is no offer.
    offers = [call for call in api.calls if call[0] == "POST"]
    assert offers == [("POST", f"{PATH}?dryRun=All", PROBE)] * asked


async def test_one_that_never_answers_is_named_with_the_api_server_s_words(
    api: ApiServer, engine: FakeEngine
) -> None:
    api.dry_runs = [UNREACHED] * 50
    with pytest.raises(AccessError, match=r"after . s of waiting: .*validation\.istio\.io.*refused"):
        await Admission().create(up(engine, timeout=0.5), inputs(api))


async def test_an_object_that_is_refused_is_an_error_at_once(api: ApiServer, engine: FakeEngine) -> None:
    api.dry_runs = [(400, "admission webhook denied the request: mode is unknown")]
    with pytest.raises(AccessError, match="mode is unknown"):
        await Admission().create(up(engine), inputs(api))
    assert len(api.calls) == 1


async def test_a_preview_asks_nobody(api: ApiServer, engine: FakeEngine) -> None:
    await Admission().create(up(engine, preview=True), inputs(api))
    assert api.calls == []


@pytest.mark.parametrize(("name", "value"), [("probe", {"kind": "Gateway"}), ("server", "istiod 2")])
async def test_another_object_or_server_is_tried_anew_and_another_kubeconfig_changes_nothing(
    name: str, value: object, api: ApiServer, engine: FakeEngine
) -> None:
    old = {name: each for name, each in inputs(api).items() if name != "kubeconfig"}
    assert not (await Admission().diff(up(engine), old, inputs(api))).any
    changed = await Admission().diff(up(engine), old, {**inputs(api), name: value})
    assert changed.updates == [name]
