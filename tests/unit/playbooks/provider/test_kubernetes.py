"""The resources that talk to an API server, against one that serves TLS with a client certificate."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from access import kubeconfig as kubeconfigs
from access.errors import IdentityMismatch, Unanswered
from access.ssh import Connection
from playbooks.provider import tls
from playbooks.provider.fleet import Fleet
from playbooks.provider.resources import cluster_identity
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.cluster_identity import ClusterIdentity
from playbooks.provider.resources.service_account_token import ServiceAccountToken
from playbooks.provider.run import join_token as join_tokens
from playbooks.provider.run.join_token import join_token
from playbooks.provider.run.request import RunRequest
from playbooks.provider.tls import Request
from playbooks.provider.values import UNKNOWN
from playbooks.provider.worker import Worker
from report.errors import OperationsError
from tests.unit.playbooks.provider.fake_api_server import ApiServer
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path)
    yield server
    server.stop()


def up(engine: FakeEngine, *, preview: bool = False) -> Operation:
    context = Context(engine, Fleet(), None, preview=preview)  # type: ignore[arg-type]
    return Operation(context, "urn", preview=preview)


async def test_the_identity_of_a_cluster_is_the_uid_of_kube_system(
    api: ApiServer, engine: FakeEngine
) -> None:
    inputs = {"cluster": "eu", "kubeconfig": api.kubeconfig()}
    state = await ClusterIdentity().create(up(engine), inputs)
    assert state == {**inputs, "uid": "uid-1"}
    assert not (await ClusterIdentity().diff(up(engine), state, inputs)).any


async def test_another_cluster_behind_the_same_address_is_refused(api: ApiServer, engine: FakeEngine) -> None:
    inputs = {"cluster": "eu", "kubeconfig": api.kubeconfig()}
    state = await ClusterIdentity().create(up(engine), inputs)
    api.uid = "uid-2"
    with pytest.raises(OperationsError, match="another cluster answers") as refused:
        await ClusterIdentity().diff(up(engine), state, inputs)
    assert "uid-2" in str(refused.value)
    assert "uid-1" in str(refused.value)


async def test_no_answer_is_a_warning_at_preview_and_an_error_in_up(
    api: ApiServer, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_identity, "DIFF_TIMEOUT", 1.5)
    inputs = {"cluster": "eu", "kubeconfig": api.kubeconfig()}
    state = await ClusterIdentity().create(up(engine), inputs)
    api.stop()
    assert not (await ClusterIdentity().diff(up(engine, preview=True), state, inputs)).any
    assert "not measurable" in engine.text("warning")
    with pytest.raises(Unanswered, match="cluster eu: after"):
        await ClusterIdentity().diff(up(engine), state, inputs)


async def test_a_cluster_that_is_to_be_reached_elsewhere_is_looked_at_where_it_is(
    api: ApiServer, engine: FakeEngine
) -> None:
    """At a preview nobody has the other address yet; `up` brings that about before it comes here."""
    inputs = {"cluster": "eu", "kubeconfig": api.kubeconfig()}
    state = await ClusterIdentity().create(up(engine), inputs)
    server = kubeconfigs.read(inputs["kubeconfig"]).server.replace("127.0.0.1", "127.0.0.9")
    moved = {**inputs, "kubeconfig": kubeconfigs.leading_to(inputs["kubeconfig"], server)}
    preview = up(engine, preview=True)
    assert list((await ClusterIdentity().diff(preview, state, moved)).updates) == ["kubeconfig"]
    shown = await ClusterIdentity().update(preview, state, moved)
    assert shown == {**moved, "uid": "uid-1"}
    assert not engine.text("warning")
    api.uid = "uid-2"
    with pytest.raises(OperationsError, match="another cluster answers"):
        await ClusterIdentity().diff(preview, state, moved)


async def test_a_wait_says_why_in_the_server_s_own_words(api: ApiServer, engine: FakeEngine) -> None:
    api.failing = 2
    state = await ClusterIdentity().create(up(engine), {"cluster": "eu", "kubeconfig": api.kubeconfig()})
    assert state["uid"] == "uid-1"
    assert "waiting for the API server (" in engine.text("status")
    assert "etcd is starting" in engine.text("status")


async def test_a_server_that_another_authority_signed_is_refused_at_once(
    api: ApiServer, engine: FakeEngine
) -> None:
    foreign = tls.issue(Request("ca", 10, ca=True), tls.new_key(), None)
    with pytest.raises(OperationsError, match="is not of the kubeconfig's CA"):
        inputs = {"cluster": "eu", "kubeconfig": api.kubeconfig(ca=foreign)}
        await ClusterIdentity().create(up(engine), inputs)


async def test_a_preview_asks_nobody_for_an_identity_that_is_not_made_yet(engine: FakeEngine) -> None:
    inputs = {"cluster": "eu", "kubeconfig": UNKNOWN}
    state = await ClusterIdentity().create(up(engine, preview=True), inputs)
    assert state["uid"] is UNKNOWN


async def test_a_token_is_requested_and_renewed_near_its_end(api: ApiServer, engine: FakeEngine) -> None:
    inputs = {
        "kubeconfig": api.kubeconfig(),
        "namespace": "istio-system",
        "service_account": "reader",
        "expiration_seconds": 3600,
        "renew_before_seconds": 600,
    }
    state = await ServiceAccountToken().create(up(engine), inputs)
    assert state["token"] == "token-1"
    method, path, body = api.calls[-1]
    assert (method, path) == ("POST", "/api/v1/namespaces/istio-system/serviceaccounts/reader/token")
    assert body and body["spec"]["expirationSeconds"] == 3600
    # Another kubeconfig of the same cluster, as after the renewal of its certificate, changes nothing.
    same = {**inputs, "kubeconfig": api.kubeconfig()}
    assert not (await ServiceAccountToken().diff(up(engine), state, same)).any
    near = {**state, "expires_at": (datetime.now(UTC) + timedelta(seconds=500)).isoformat()}
    assert list((await ServiceAccountToken().diff(up(engine), near, inputs)).updates) == ["expires_at"]


def test_a_join_token_lives_for_one_join(api: ApiServer) -> None:
    with join_token(api.kubeconfig(), "eu-worker-1", lambda _: None) as token:
        (made,) = (body for method, _, body in api.calls if method == "POST" and body)
        assert token == f"{made['stringData']['token-id']}.{made['stringData']['token-secret']}"
    assert api.calls[-1][:2] == (
        "DELETE",
        f"/api/v1/namespaces/kube-system/secrets/{made['metadata']['name']}",
    )


def test_a_join_token_is_deleted_after_a_failure_too(api: ApiServer) -> None:
    with pytest.raises(RuntimeError), join_token(api.kubeconfig(), "eu-worker-1", lambda _: None):
        raise RuntimeError
    assert api.calls[-1][0] == "DELETE"


class Nodes(ApiServer):
    """A node that is Ready until it was asked for so often, and when its kubelet has said last that it
    lives."""

    ready, renews = 3, False
    last = datetime.now(UTC) - timedelta(hours=1)

    def answer(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        if path == "/api/v1/nodes/eu-cp-2":
            self.ready -= 1
            condition = {"type": "Ready", "status": "True" if self.ready > 0 else "Unknown"}
            return 200, {"status": {"conditions": [condition]}}
        if path == "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/eu-cp-2":
            self.last += timedelta(seconds=10 * self.renews)
            return 200, {"spec": {"renewTime": self.last.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}}
        return super().answer(method, path, body)


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    monkeypatch.setattr(join_tokens, "POLL_SECONDS", 0.01)
    (tmp_path / "nodes").mkdir()
    found = Nodes(tmp_path / "nodes")
    yield found
    found.stop()


def joining(api: ApiServer) -> list[str]:
    """What is said until there is a token to join by."""
    said: list[str] = []
    with join_token(api.kubeconfig(), "eu-cp-2", said.append):
        return said


def test_a_machine_joins_in_the_place_of_a_silent_one_once_its_cluster_has_seen_that(nodes: Nodes) -> None:
    assert len(joining(nodes)) == 2
    assert nodes.ready == 0


@pytest.mark.parametrize(("seconds", "renews"), [(5, False), (3000, True)])
def test_nobody_waits_for_a_node_that_lives_whatever_the_clock_here_says(
    nodes: Nodes, seconds: int, renews: bool
) -> None:
    nodes.last, nodes.renews = datetime.now(UTC) - timedelta(seconds=seconds), renews
    assert joining(nodes) == []


def test_a_cluster_that_does_not_see_it_is_waited_for_no_longer(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join_tokens, "SEEN_SECONDS", 0.1)
    nodes.ready = 10**9
    joining(nodes)
    assert nodes.ready > 0


def secrets_of(kubeconfig: str, *, tokenless: bool) -> dict[str, str]:
    """What a run gives Ansible beside its variables, and what it says of that."""
    connection = Connection("127.0.0.1", "root", "", "/dev/null", port=9)
    request = RunRequest(
        "a1",
        "eu-cp-1",
        "control-plane",
        "/play.yml",
        connection,
        {},
        bootstrap_kubeconfig=kubeconfig,
        tokenless=tokenless,
    )
    said = io.StringIO()
    with Worker(request, said)._secrets() as secrets:
        return {**secrets, "said": said.getvalue()}


def test_a_host_that_may_make_its_cluster_joins_the_one_that_answers(api: ApiServer) -> None:
    found = secrets_of(api.kubeconfig(), tokenless=True)
    assert len(found["join_token"]) == len("abcdef.0123456789abcdef")
    assert api.calls[-1][0] == "DELETE"


def test_a_host_makes_its_cluster_where_nobody_answers(api: ApiServer) -> None:
    kubeconfig = api.kubeconfig()
    api.stop()
    found = secrets_of(kubeconfig, tokenless=True)
    assert "join_token" not in found
    assert "its cluster does not answer: going on without a token" in found["said"]


def test_a_host_that_needs_no_token_says_itself_what_it_has_against_another_authority(
    api: ApiServer,
) -> None:
    other = tls.issue(Request("another", 5, ca=True), tls.new_key(), None)
    found = secrets_of(api.kubeconfig(other), tokenless=True)
    assert "join_token" not in found
    assert "its certificate is not of the kubeconfig's CA" in found["said"]
    with pytest.raises(IdentityMismatch):
        secrets_of(api.kubeconfig(other), tokenless=False)


def test_a_host_that_joins_makes_no_cluster_when_nobody_answers(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("playbooks.provider.run.join_token.time.sleep", lambda _: None)
    kubeconfig = api.kubeconfig()
    api.stop()
    with pytest.raises(Unanswered):
        secrets_of(kubeconfig, tokenless=False)
