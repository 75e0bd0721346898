"""Custom resource definitions, against an API server that serves TLS with a client certificate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from access.errors import AccessError, Unanswered
from playbooks import definitions
from playbooks.provider.fleet import Fleet
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.definition import CustomResourceDefinition
from playbooks.provider.values import UNKNOWN
from stacks import digests
from tests.unit.playbooks.provider.fake_api_server import ApiServer
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/shops.example.com"
MANIFEST = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "shops.example.com"},
    "spec": {"group": "example.com", "versions": [{"name": "v1", "schema": {"b": 1, "a": 2}}]},
}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path)
    yield server
    server.stop()


def inputs(api: ApiServer, **spec: Any) -> dict[str, Any]:
    manifest = {**MANIFEST, "spec": {**MANIFEST["spec"], **spec}}  # type: ignore[dict-item]
    return {"kubeconfig": api.kubeconfig(), "cluster": "urn", "definition": definitions.folded(manifest)}


def up(engine: FakeEngine, *, timeout: float = 5, preview: bool = False) -> Operation:
    return Operation(Context(engine, Fleet(), None), "urn", timeout, preview)  # type: ignore[arg-type]


async def created(api: ApiServer, engine: FakeEngine) -> dict[str, Any]:
    return await CustomResourceDefinition().create(up(engine), inputs(api))


async def test_a_definition_is_applied_whole_and_is_there_when_it_is_served(
    api: ApiServer, engine: FakeEngine
) -> None:
    api.unserved = 2
    state = await created(api, engine)
    method, path, body = next(call for call in api.calls if call[0] == "PATCH")
    assert (method, path) == ("PATCH", f"{PATH}?fieldManager=crossmesh&force=false")
    assert body == MANIFEST
    assert state == {"applied": digests.of_value(definitions.folded(MANIFEST)), "generation": 1}
    assert f"{PATH} is not served yet" in engine.text("status")


async def test_one_that_is_never_served_fails_and_says_so(api: ApiServer, engine: FakeEngine) -> None:
    api.unserved = 1000
    with pytest.raises(AccessError, match=r"after \d+ s of waiting: .* is not served yet"):
        await CustomResourceDefinition().create(up(engine, timeout=0.1), inputs(api))


async def test_a_preview_asks_no_cluster(api: ApiServer, engine: FakeEngine) -> None:
    state = await CustomResourceDefinition().create(up(engine, preview=True), inputs(api))
    assert state == {"applied": UNKNOWN, "generation": UNKNOWN}
    assert not api.calls


async def test_another_kubeconfig_of_the_same_cluster_changes_nothing_and_another_schema_does(
    api: ApiServer, engine: FakeEngine
) -> None:
    state = await created(api, engine)
    same = await CustomResourceDefinition().diff(up(engine), state, inputs(api))
    assert not same.any
    other = await CustomResourceDefinition().diff(up(engine), state, inputs(api, scope="Cluster"))
    assert list(other.updates) == ["definition"]


async def test_a_refresh_sees_an_edit_and_the_next_run_takes_it_back(
    api: ApiServer, engine: FakeEngine
) -> None:
    state = await created(api, engine)
    resource = CustomResourceDefinition()
    assert await resource.read(up(engine), inputs(api), state) == state
    assert api.definition
    api.definition["metadata"]["generation"] = 2
    edited = await resource.read(up(engine), inputs(api), state)
    assert edited is not None and edited != state
    assert (await resource.diff(up(engine), edited, inputs(api))).any


async def test_a_refresh_says_that_one_is_gone_only_when_its_cluster_answers(
    api: ApiServer, engine: FakeEngine
) -> None:
    state = await created(api, engine)
    api.definition = None
    assert await CustomResourceDefinition().read(up(engine), inputs(api), state) is None
    api.stop()
    with pytest.raises(Unanswered):
        await CustomResourceDefinition().read(up(engine), inputs(api), state)


async def test_one_that_is_deleted_is_waited_for(api: ApiServer, engine: FakeEngine) -> None:
    state = await created(api, engine)
    await CustomResourceDefinition().delete(up(engine), inputs(api), state)
    assert api.definition is None
    assert [call[0] for call in api.calls[-2:]] == ["DELETE", "GET"]


def test_whoever_reads_a_state_gets_the_kubernetes_object() -> None:
    resource = {
        "type": "crossmesh:kubernetes:CustomResourceDefinition",
        "urn": "urn",
        "inputs": {"definition": definitions.folded(MANIFEST), "cluster": "urn:of:the:provider"},
    }
    seen = definitions.as_object(resource)
    assert seen["type"] == "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
    assert seen["inputs"] == MANIFEST
    assert seen["provider"].rpartition("::")[0] == "urn:of:the:provider"
    other = {"type": "kubernetes:core/v1:Secret", "inputs": {}}
    assert definitions.as_object(other) is other


def test_what_is_not_known_of_a_definition_before_up_hides_nothing_else() -> None:
    resource = {"type": "crossmesh:kubernetes:CustomResourceDefinition", "inputs": {"definition": "unknown"}}
    assert definitions.as_object(resource)["inputs"] == {}
