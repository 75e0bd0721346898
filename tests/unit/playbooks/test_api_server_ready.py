"""What keepalived asks: whether this node's API server is ready. It is run as it is on hosts, a program."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from playbooks.phase import COLLECTION
from playbooks.provider import tls
from playbooks.provider.tls import Issuer, Request

PROGRAM = COLLECTION / "roles" / "api_address" / "files" / "api_server_ready.py"


@dataclass
class Server:
    """An API server that asks who calls; `status` is what it says of itself."""

    port: int
    status: int = 200


def authority() -> Issuer:
    key = tls.new_key()
    certificate = tls.issue(Request.of({"common_name": "ca", "validity_days": 1}, ca=True), key, None)
    return Issuer(certificate, key, certificate, certificate)


def pair(directory: Path, name: str, issuer: Issuer, usage: str) -> Path:
    key = tls.new_key()
    wanted = {"common_name": name, "validity_days": 1, "usages": [usage], "dns_names": ["kubernetes"]}
    (directory / f"{name}.key").write_text(key)
    (directory / f"{name}.crt").write_text(tls.issue(Request.of(wanted, ca=False), key, issuer))
    return directory / name


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    own = authority()
    (tmp_path / "ca.crt").write_text(own.certificate)
    pair(tmp_path, "apiserver-kubelet-client", own, "client auth")
    served = pair(tmp_path, "served", own, "server auth")
    told = Server(0)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(told.status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{served}.crt", f"{served}.key")
    context.load_verify_locations(tmp_path / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    told.port = listening.server_address[1]
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield told
    listening.shutdown()
    listening.server_close()


def ends(directory: Path, port: int) -> int:
    """How the program ends, with its certificates below a directory of the test's."""
    text = PROGRAM.read_text()
    own = text.replace('"/etc/kubernetes/pki"', repr(str(directory)))
    assert own != text
    return subprocess.run([sys.executable, "-I", "-c", own, str(port)], check=False, timeout=30).returncode


def test_one_that_is_ready_is_so_by_the_certificate_that_it_shows(server: Server, tmp_path: Path) -> None:
    assert ends(tmp_path, server.port) == 0


def test_one_that_says_that_it_is_not_ready_is_not(server: Server, tmp_path: Path) -> None:
    server.status = 500
    assert ends(tmp_path, server.port) == 1


def test_one_of_another_authority_is_not_this_node_s(server: Server, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(authority().certificate)
    assert ends(tmp_path, server.port) == 1


def test_where_there_is_none_yet_nothing_is_ready(tmp_path: Path) -> None:
    """Before kubeadm, there are no certificates either."""
    assert ends(tmp_path, 1) == 1
