"""Access with kubeconfigs in memory, against a TLS server on loopback that wants a client certificate."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import tempfile
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from access.cluster import UNREACHABLE, Cluster
from report.errors import ClusterAccessError
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


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        listed = {"apiVersion": "v1", "kind": "NodeList", "metadata": {}, "items": []}
        status, body = (500, "[-]etcd failed") if self.path == "/readyz" else (200, json.dumps(listed))
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
        assert cluster.core.list_node(_request_timeout=5).items == []
        assert cluster.get("/readyz") == (500, "[-]etcd failed")
        assert set(tmp_path.iterdir()) == before


def test_a_server_of_another_authority_is_refused(port: int) -> None:
    text = kubeconfig(port, issue("admin", CA), issue("other", ca=True))
    with Cluster("eu", text) as cluster, pytest.raises(OSError, match="certificate verify failed"):
        cluster.get("/version")


def test_a_client_of_another_authority_is_refused(port: int) -> None:
    text = kubeconfig(port, issue("admin", issue("other", ca=True)))
    with Cluster("eu", text) as cluster, pytest.raises(UNREACHABLE):
        cluster.get("/version")


def test_memory_files_are_gone_when_the_cluster_is_left(port: int) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Cluster("eu", kubeconfig(port, issue("admin", CA))):
        assert len(list(Path("/proc/self/fd").iterdir())) > before
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("text", ["", "a: [", "clusters: []", "contexts: []"])
def test_a_text_that_is_no_kubeconfig_is_refused_with_the_region(text: str) -> None:
    with pytest.raises(ClusterAccessError, match="eu"):
        Cluster("eu", text)
