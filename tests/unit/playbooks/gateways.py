"""Gateways on loopback that speak TLS, and the prober of edge hosts as a process that looks at them."""

from __future__ import annotations

import http.server
import importlib.util
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from cryptography import x509

from playbooks.phase import COLLECTION
from tests.unit.operations.support import Issued, issue

PROGRAM = COLLECTION / "roles" / "gdnsd" / "files" / "gateway_health.py"
CA = issue("gateway CA", ca=True)
HOST, OTHER = "app.example.org", "shop.example.org"
LEAF = issue(HOST, CA, sans=(x509.DNSName(HOST), x509.DNSName(OTHER)))
EU, US = "127.0.0.1", "127.0.0.2"
INTERVAL, TIMEOUT = 0.5, 0.4


def imported() -> ModuleType:
    """The program as a module."""
    spec = importlib.util.spec_from_file_location("gateway_health", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look for their own module there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class Gateway:
    """What one gateway does; the test changes it as it goes."""

    status: dict[str, int] = field(default_factory=dict)
    """By path; 200 for what is not there, and 0 for silence."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Host and path of each request."""

    def handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gateway.asked.append((self.headers["Host"], self.path))
                status = gateway.status.get(self.path, 200)
                if status == 0:
                    time.sleep(3 * TIMEOUT)
                    return
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        return Handler


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Those who hang up are meant to."""


@dataclass
class Site:
    """Two gateways, and the prober that looks at them."""

    directory: Path
    port: int
    gateways: dict[str, Gateway]
    listening: socket.socket
    """What the prober tells systemd."""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, **changes: Any) -> subprocess.Popen[bytes]:
        """Run a prober; changes: of its configuration."""
        view = self.directory / "view"
        view.mkdir(exist_ok=True)
        config = {
            "ca_certificate": CA.pem,
            "directory": str(view),
            "down_threshold": 2,
            "gateways": {"eu": [EU], "us": [US]},
            "hosts": {HOST: ["/a", "/b"]},
            "interval": INTERVAL,
            "port": self.port,
            "timeout": TIMEOUT,
            "up_threshold": 2,
            **changes,
        }
        (self.directory / "health.json").write_text(json.dumps(config))
        command = [sys.executable, "-I", str(PROGRAM), "probe", str(self.directory / "health.json")]
        address = self.listening.getsockname()
        process = subprocess.Popen(command, env={**os.environ, "NOTIFY_SOCKET": address})
        self.processes.append(process)
        return process

    def told(self, seconds: float) -> set[bytes]:
        """What systemd is told in that time."""
        found, end = set(), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.listening.settimeout(left)
            try:
                found.add(self.listening.recv(100))
            except TimeoutError:
                break
        return found

    def handed_over(self) -> dict[str, str]:
        """What gdnsd reads."""
        try:
            lines = (self.directory / "view" / "gateways").read_text().splitlines()
        except FileNotFoundError:
            return {}
        return dict(line.split(" => ") for line in lines)

    def seen(self) -> dict[str, dict[str, Any]]:
        """What the prober keeps, by gateway."""
        views: dict[str, dict[str, Any]] = json.loads((self.directory / "view" / "state.json").read_text())[
            "gateways"
        ]
        return views

    def wait(self, eu: str, us: str, seconds: float = 15.0) -> None:
        """Until both gateways are handed over as such."""
        end = time.monotonic() + seconds
        while self.handed_over() != {EU: eu, US: us}:
            assert time.monotonic() < end, self.seen()
            time.sleep(0.05)


def tls(directory: Path, leaf: Issued) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = directory / "pair.pem"
    pem.write_text(leaf.pem + leaf.key_pem)
    context.load_cert_chain(pem)
    return context


@contextmanager
def two_gateways(tmp_path: Path) -> Iterator[Site]:
    """Both gateways answer, with a good certificate."""
    found = {EU: Gateway(), US: Gateway()}
    with ExitStack() as stack:
        port = 0
        for address, gateway in found.items():
            server = Server((address, port), gateway.handler())
            port = server.server_address[1]
            context = tls(tmp_path, LEAF)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        listening = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        listening.bind(str(tmp_path / "notify"))
        site = Site(tmp_path, port, found, listening)
        try:
            yield site
        finally:
            for process in site.processes:
                process.kill()
                process.wait()
