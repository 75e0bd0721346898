"""Access with kubeconfigs in memory, against a TLS server on loopback that wants a client certificate."""

from __future__ import annotations

import base64
import http.server
import json
import os
import ssl
import tempfile
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from access.cluster import Cluster
from access.errors import CredentialsRefused, IdentityMismatch, Missing, NotAllowed, Unanswered
from access.kubeconfig import KubeconfigError
from tests.unit.operations.support import Issued, issue

CA = issue("cluster CA", ca=True)


def kubeconfig(port: int, admin: Issued, authority: Issued = CA) -> str:
    def encode(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": encode(authority.pem)}
    user = {"client-certificate-data": encode(admin.pem), "client-key-data": encode(admin.key_pem)}
    return yaml.safe_dump(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
        }
    )


LISTED = {"apiVersion": "v1", "kind": "NodeList", "metadata": {}, "items": []}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        refusals = {"gone": (404, "no such thing"), "closed": (403, "not you")}
        status, words = refusals.get(self.path.rpartition("/")[2], (200, ""))
        self.reply(status, {"kind": "Status", "message": words} if words else LISTED)

    do_DELETE = do_GET

    def do_PATCH(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(200, {"type": self.headers["Content-Type"], "body": json.loads(body)})

    def reply(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document)
        if self.path == "/readyz":
            status, body = 500, "[-]etcd failed"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    own = issue("server", CA, sans=(x509.IPAddress(IPv4Address("127.0.0.1")),))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = tmp_path / "server.pem"
    pem.write_text(own.pem + own.key_pem)
    context.load_cert_chain(pem)
    context.load_verify_locations(cadata=CA.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    # In TLS 1.3 a client may have sent its request before it hears of a refusal, and see a broken pipe first.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_a_kubeconfig_with_a_client_certificate_works_without_touching_a_disk(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    with Cluster("eu", kubeconfig(port, issue("admin", CA))) as cluster:
        assert cluster.core.list_node().items == []
        assert cluster.get("/api/v1/nodes") == LISTED
        assert cluster.answer("GET", "/readyz") == (500, "[-]etcd failed")
        assert set(tmp_path.iterdir()) == before


def test_a_server_of_another_authority_is_refused(port: int) -> None:
    text = kubeconfig(port, issue("admin", CA), issue("other", ca=True))
    with Cluster("eu", text) as cluster, pytest.raises(IdentityMismatch, match="not of the kubeconfig's CA"):
        cluster.get("/version")


def test_a_client_of_another_authority_is_refused(port: int) -> None:
    text = kubeconfig(port, issue("admin", issue("other", ca=True)))
    with Cluster("eu", text) as cluster, pytest.raises(CredentialsRefused):
        cluster.get("/version")


def memory_files() -> list[str]:
    links = Path("/proc/self/fd").iterdir()
    # One that another thread closes meanwhile is none of ours.
    return [target for link in links if "memfd:crossmesh" in (target := os.path.realpath(link))]


def test_memory_files_are_gone_when_the_cluster_is_left(port: int) -> None:
    with Cluster("eu", kubeconfig(port, issue("admin", CA))) as cluster:
        cluster.answer("GET", "/readyz")
        assert len(memory_files()) == 3
    assert not memory_files()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"insecure-skip-tls-verify": True}, "not verified by TLS"),
        ({"server": "http://127.0.0.1"}, "not verified by TLS"),
        ({"certificate-authority-data": ""}, "embeds no CA"),
    ],
)
def test_a_kubeconfig_that_proves_nothing_is_refused(change: dict[str, Any], words: str) -> None:
    config = yaml.safe_load(kubeconfig(1, issue("admin", CA)))
    config["clusters"][0]["cluster"] |= change
    with pytest.raises(KubeconfigError, match=words):
        Cluster("eu", yaml.safe_dump(config))


def test_a_kubeconfig_that_runs_a_program_is_refused_with_the_way_out() -> None:
    config = yaml.safe_load(kubeconfig(1, issue("admin", CA)))
    config["users"][0]["user"] = {"exec": {"command": "aws"}}
    with pytest.raises(KubeconfigError, match=r"runs aws for its credentials[^$]*service account"):
        Cluster("eu", yaml.safe_dump(config))


def test_a_key_that_is_of_another_certificate_is_a_kubeconfig_that_cannot_be_used(port: int) -> None:
    config = yaml.safe_load(kubeconfig(port, issue("admin", CA)))
    other = yaml.safe_load(kubeconfig(port, issue("admin", CA)))
    config["users"][0]["user"]["client-key-data"] = other["users"][0]["user"]["client-key-data"]
    with Cluster("eu", yaml.safe_dump(config)) as cluster, pytest.raises(KubeconfigError, match="MISMATCH"):
        cluster.get("/version")


def test_nobody_at_the_address_is_no_answer(port: int) -> None:
    with Cluster("eu", kubeconfig(1, issue("admin", CA))) as cluster:
        with pytest.raises(Unanswered, match="refused"):
            cluster.get("/version")
        with pytest.raises(Unanswered, match="refused"):
            cluster.core.list_node()


def test_typed_and_plain_requests_are_refused_in_the_same_words(port: int) -> None:
    with Cluster("eu", kubeconfig(port, issue("admin", CA))) as cluster:
        with pytest.raises(Missing, match=r"/api/v1/namespaces/gone.* 404: no such thing"):
            cluster.core.read_namespace("gone")
        assert cluster.get("/api/v1/namespaces/gone") is None
        cluster.delete("/api/v1/namespaces/gone")
        with pytest.raises(NotAllowed, match=r"/api/v1/namespaces/closed.* 403: not you"):
            cluster.core.read_namespace("closed")
        with pytest.raises(NotAllowed, match=r"/api/v1/namespaces/closed.* 403: not you"):
            cluster.get("/api/v1/namespaces/closed")


def test_an_object_is_patched_by_what_changes(port: int) -> None:
    with Cluster("eu", kubeconfig(port, issue("admin", CA))) as cluster:
        change = {"spec": {"unschedulable": True}}
        assert cluster.patch("/api/v1/nodes/one", change) == {
            "type": "application/merge-patch+json",
            "body": change,
        }
