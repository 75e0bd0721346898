"""Access with kubeconfigs in memory, against a TLS server on loopback that wants a client certificate."""

from __future__ import annotations

import base64
import http.server
import json
import os
import select
import socket
import socketserver
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def served(directory: Path, *names: x509.GeneralName) -> Iterator[int]:
    """The port of a server whose certificate is for these names."""
    own = issue("server", CA, sans=names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = directory / "server.pem"
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


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with served(tmp_path, x509.IPAddress(IPv4Address("127.0.0.1"))) as port:
        yield port


class Proxy(socketserver.StreamRequestHandler):
    """Takes `CONNECT host:port`, and hands bytes on both ways."""

    def handle(self) -> None:
        target = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        self.server.asked.append(target)  # type: ignore[attr-defined]
        host, _, port = target.partition(":")
        with socket.create_connection((host, int(port))) as there:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            other = {self.connection: there, there: self.connection}
            while True:
                for ready in select.select(list(other), [], [])[0]:
                    if not (data := ready.recv(65536)):
                        return
                    other[ready].sendall(data)


@pytest.fixture
def proxy() -> Iterator[tuple[int, list[str]]]:
    """Port of a proxy, and what it is asked to connect to."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server.server_address[1], server.asked  # type: ignore[attr-defined]
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
        ({"certificate-authority-data": ""}, "embeds no CA: a server with a public authority's certificate"),
        (
            {"certificate-authority-data": "", "certificate-authority": "/ca.crt"},
            "names its CA by a path, /ca",
        ),
        ({"proxy-url": "socks5://user:secret@192.0.2.1:1080"}, "has the proxy socks5://…; http:// and https"),
    ],
)
def test_a_kubeconfig_that_proves_nothing_is_refused(change: dict[str, Any], words: str) -> None:
    config = yaml.safe_load(kubeconfig(1, issue("admin", CA)))
    config["clusters"][0]["cluster"] |= change
    with pytest.raises(KubeconfigError, match=words) as refused:
        Cluster("eu", yaml.safe_dump(config))
    assert refused.value.fix
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({}, "neither a client certificate nor a token"),
        ({"client-certificate": "/a.crt", "client-key": "/a.key"}, "credentials by paths"),
        ({"tokenFile": "/token"}, "credentials by paths"),
        ({"exec": {"command": "aws"}}, "runs a plugin, aws, for its credentials"),
        ({"auth-provider": {"name": "gcp"}}, "runs a plugin, gcp, for its credentials"),
    ],
)
def test_a_user_that_cannot_be_used_is_told_why(user: dict[str, Any], words: str) -> None:
    config = yaml.safe_load(kubeconfig(1, issue("admin", CA)))
    config["users"][0]["user"] = user
    with pytest.raises(KubeconfigError, match=words):
        Cluster("eu", yaml.safe_dump(config))


def test_a_server_is_known_by_the_name_that_the_kubeconfig_gives_it(tmp_path: Path) -> None:
    name = "kube.internal.example"
    with served(tmp_path, x509.DNSName(name)) as port:
        config = yaml.safe_load(kubeconfig(port, issue("admin", CA)))
        with (
            Cluster("eu", yaml.safe_dump(config)) as cluster,
            pytest.raises(IdentityMismatch, match=r"is of the kubeconfig's CA, and not for this name"),
        ):
            cluster.get("/version")
        config["clusters"][0]["cluster"]["tls-server-name"] = name
        with Cluster("eu", yaml.safe_dump(config)) as cluster:
            assert cluster.get("/api/v1/nodes") == LISTED
            assert cluster.core.list_node().items == []


def test_a_proxy_of_the_kubeconfig_is_asked_for_the_way(port: int, proxy: tuple[int, list[str]]) -> None:
    listens, asked = proxy
    config = yaml.safe_load(kubeconfig(port, issue("admin", CA)))
    config["clusters"][0]["cluster"]["proxy-url"] = f"http://127.0.0.1:{listens}"
    with Cluster("eu", yaml.safe_dump(config)) as cluster:
        assert cluster.get("/api/v1/nodes") == LISTED
        assert cluster.core.list_node().items == []
    assert set(asked) == {f"127.0.0.1:{port}"}


def test_a_kubeconfig_that_runs_a_program_is_refused_with_the_way_out() -> None:
    config = yaml.safe_load(kubeconfig(1, issue("admin", CA)))
    config["users"][0]["user"] = {"exec": {"command": "aws"}}
    with pytest.raises(KubeconfigError, match=r"runs a plugin, aws, for its credentials[^$]*service account"):
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
