"""The resources that talk to an API server, against one that serves TLS with a client certificate."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from access.errors import Unanswered
from playbooks.provider import tls
from playbooks.provider.errors import ProviderError
from playbooks.provider.fleet import Fleet
from playbooks.provider.resources import cluster_identity
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.cluster_identity import ClusterIdentity
from playbooks.provider.resources.service_account_token import ServiceAccountToken
from playbooks.provider.run.join_token import join_token
from playbooks.provider.tls import Issuer, Request
from playbooks.provider.values import UNKNOWN
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio


class ApiServer:
    """Remembers what was asked, and answers the few paths that are needed."""

    def __init__(self, directory: Path) -> None:
        self.uid = "uid-1"
        self.calls: list[tuple[str, str, dict[str, Any] | None]] = []
        self.failing = 0
        key = tls.new_key()
        self.ca = Issuer.of(tls.issue(Request("ca", 10, ca=True), key, None), key, None, None)
        server_key = tls.new_key()
        request = Request("server", 5, ip_addresses=("127.0.0.1",), usages=("server auth",))
        (directory / "server.pem").write_text(tls.issue(request, server_key, self.ca) + server_key)
        (directory / "ca.pem").write_text(self.ca.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "server.pem")
        context.load_verify_locations(directory / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def kubeconfig(self, ca: str | None = None) -> str:
        key = tls.new_key()
        request = Request("admin", 5, organizations=("system:masters",), usages=("client auth",))
        text = {
            "certificate-authority-data": ca or self.ca.certificate,
            "client-certificate-data": tls.issue(request, key, self.ca),
            "client-key-data": key,
        }
        data = {name: base64.b64encode(value.encode()).decode() for name, value in text.items()}
        server = f"https://127.0.0.1:{self._server.server_address[1]}"
        cluster = {"server": server, "certificate-authority-data": data.pop("certificate-authority-data")}
        config = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": data}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        return json.dumps(config)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                api.calls.append((self.command, self.path, body))
                status, answer = api.answer(self.command, self.path)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def answer(self, method: str, path: str) -> tuple[int, dict[str, Any]]:
        if self.failing:
            self.failing -= 1
            return 503, {"message": "etcd is starting"}
        if path.endswith("/token"):
            end = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
            return 201, {"status": {"token": f"token-{len(self.calls)}", "expirationTimestamp": end}}
        if path == "/api/v1/namespaces/kube-system":
            return 200, {"metadata": {"uid": self.uid}}
        return (201 if method == "POST" else 200), {}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path)
    yield server
    server.stop()


def context(engine: FakeEngine, *, preview: bool = False) -> Context:
    return Context(engine, Fleet(), None, preview=preview)  # type: ignore[arg-type]


UP = Operation("urn", "x", 0)


async def test_the_identity_of_a_cluster_is_the_uid_of_kube_system(
    api: ApiServer, engine: FakeEngine
) -> None:
    inputs = {"cluster": "eu", "kubeconfig": api.kubeconfig()}
    state = await ClusterIdentity().create(context(engine), UP, inputs)
    assert state == {**inputs, "uid": "uid-1"}
    assert not (await ClusterIdentity().diff(context(engine), "urn", state, inputs)).any


async def test_another_cluster_behind_the_same_address_is_refused(api: ApiServer, engine: FakeEngine) -> None:
    inputs = {"cluster": "eu", "kubeconfig": api.kubeconfig()}
    state = await ClusterIdentity().create(context(engine), UP, inputs)
    api.uid = "uid-2"
    with pytest.raises(ProviderError, match="another cluster answers") as refused:
        await ClusterIdentity().diff(context(engine), "urn", state, inputs)
    assert "uid-2" in str(refused.value)
    assert "uid-1" in str(refused.value)


async def test_no_answer_is_a_warning_at_preview_and_an_error_in_up(
    api: ApiServer, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_identity, "DIFF_TIMEOUT", 1.5)
    inputs = {"cluster": "eu", "kubeconfig": api.kubeconfig()}
    state = await ClusterIdentity().create(context(engine), UP, inputs)
    api.stop()
    assert not (await ClusterIdentity().diff(context(engine, preview=True), "urn", state, inputs)).any
    assert "not measurable" in engine.text("warning")
    with pytest.raises(Unanswered, match="cluster eu: after"):
        await ClusterIdentity().diff(context(engine), "urn", state, inputs)


async def test_a_wait_says_why_in_the_server_s_own_words(api: ApiServer, engine: FakeEngine) -> None:
    api.failing = 2
    state = await ClusterIdentity().create(
        context(engine), UP, {"cluster": "eu", "kubeconfig": api.kubeconfig()}
    )
    assert state["uid"] == "uid-1"
    assert "waiting for the API server (" in engine.text("status")
    assert "etcd is starting" in engine.text("status")


async def test_a_server_that_another_authority_signed_is_refused_at_once(
    api: ApiServer, engine: FakeEngine
) -> None:
    foreign = tls.issue(Request("ca", 10, ca=True), tls.new_key(), None)
    with pytest.raises(ProviderError, match="is not of the kubeconfig's CA"):
        inputs = {"cluster": "eu", "kubeconfig": api.kubeconfig(ca=foreign)}
        await ClusterIdentity().create(context(engine), UP, inputs)


async def test_a_preview_asks_nobody_for_an_identity_that_is_not_made_yet(engine: FakeEngine) -> None:
    inputs = {"cluster": "eu", "kubeconfig": UNKNOWN}
    state = await ClusterIdentity().create(context(engine), Operation("urn", "x", 0, preview=True), inputs)
    assert state["uid"] is UNKNOWN


async def test_a_token_is_requested_and_renewed_near_its_end(api: ApiServer, engine: FakeEngine) -> None:
    inputs = {
        "kubeconfig": api.kubeconfig(),
        "namespace": "istio-system",
        "service_account": "reader",
        "expiration_seconds": 3600,
        "renew_before_seconds": 600,
    }
    state = await ServiceAccountToken().create(context(engine), UP, inputs)
    assert state["token"] == "token-1"
    method, path, body = api.calls[-1]
    assert (method, path) == ("POST", "/api/v1/namespaces/istio-system/serviceaccounts/reader/token")
    assert body and body["spec"]["expirationSeconds"] == 3600
    # Another kubeconfig of the same cluster, as after the renewal of its certificate, changes nothing.
    same = {**inputs, "kubeconfig": api.kubeconfig()}
    assert not (await ServiceAccountToken().diff(context(engine), "urn", state, same)).any
    near = {**state, "expires_at": (datetime.now(UTC) + timedelta(seconds=500)).isoformat()}
    assert list((await ServiceAccountToken().diff(context(engine), "urn", near, inputs)).updates) == [
        "expires_at"
    ]


def test_a_join_token_lives_for_one_join(api: ApiServer) -> None:
    with join_token(api.kubeconfig(), "eu-worker-1", lambda _: None) as token:
        made = api.calls[-1][2]
        assert made
        assert token == f"{made['stringData']['token-id']}.{made['stringData']['token-secret']}"
    assert api.calls[-1][:2] == (
        "DELETE",
        f"/api/v1/namespaces/kube-system/secrets/{made['metadata']['name']}",
    )


def test_a_join_token_is_deleted_after_a_failure_too(api: ApiServer) -> None:
    with pytest.raises(RuntimeError), join_token(api.kubeconfig(), "eu-worker-1", lambda _: None):
        raise RuntimeError
    assert api.calls[-1][0] == "DELETE"
