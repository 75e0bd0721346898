"""A site's way out, on one address of this computer: an HTTP proxy, and a registry's mirror behind a login.

Both keep what they were asked, so that a test sees who came this way.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import shutil
import socket
import ssl
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

SECONDS = 60
"""How long either waits for the other side."""
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
_HOP = {"connection", "keep-alive", "proxy-authorization", "proxy-connection", "transfer-encoding"}


@dataclass(frozen=True)
class Asked:
    """One request."""

    client: str
    """Its address."""
    method: str
    target: str
    """As it stands in the request."""
    status: int


@dataclass
class Content:
    """What a registry has: manifests by `/v2/NAME/manifests/TAG` or digest, and blobs by digest."""

    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, archive: Path) -> Content:
        """The images of one of the lab's bundles."""
        found = cls()
        with tarfile.open(archive) as tar:

            def read(name: str) -> bytes:
                file = tar.extractfile(name)
                assert file is not None, f"{archive} has no {name}"
                return file.read()

            for image in json.loads(read("manifest.json")):
                manifest = {
                    "schemaVersion": 2,
                    "mediaType": _MANIFEST,
                    # containerd asks for no blob that it has, as the bundle's; this one is new.
                    "config": found._keep(read(image["Config"]) + b"\n", _CONFIG),
                    "layers": [found._keep(read(layer), _LAYER) for layer in image["Layers"]],
                }
                written = json.dumps(manifest).encode()
                for reference in image["RepoTags"]:
                    name, _, tag = reference.partition("/")[2].rpartition(":")
                    for which in (tag, _digest(written)):
                        found.manifests[f"/v2/{name}/manifests/{which}"] = written
        return found

    def _keep(self, content: bytes, kind: str) -> dict[str, str | int]:
        """Keep a blob; returns what a manifest says of it."""
        self.blobs[_digest(content)] = content
        return {"mediaType": kind, "digest": _digest(content), "size": len(content)}

    def answer(self, path: str) -> tuple[bytes, str] | None:
        """Content and type of a path; None where there is nothing."""
        if path == "/v2/":
            return b"{}", "application/json"
        if path in self.manifests:
            return self.manifests[path], _MANIFEST
        if (blob := self.blobs.get(path.rpartition("/blobs/")[2])) is not None:
            return blob, "application/octet-stream"
        return None


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@contextmanager
def proxy(address: str, port: int) -> Iterator[list[Asked]]:
    """An HTTP proxy for as long as the context lasts; what it is asked is added to the list."""
    asked: list[Asked] = []

    class Handler(_Handler):
        def do_GET(self) -> None:
            asked.append(Asked(self.client_address[0], self.command, self.path, self._pass_on()))

        do_HEAD = do_GET

        def do_CONNECT(self) -> None:
            host, _, there = self.path.rpartition(":")
            try:
                upstream = socket.create_connection((host, int(there)), SECONDS)
            except OSError as error:
                self.send_error(502, str(error))
                asked.append(Asked(self.client_address[0], self.command, self.path, 502))
                return
            asked.append(Asked(self.client_address[0], self.command, self.path, 200))
            self.send_response(200)
            self.end_headers()
            with upstream:
                _relay(self.connection, upstream)

    with _served(ThreadingHTTPServer((address, port), Handler)):
        yield asked


@contextmanager
def registry(
    address: str, port: int, content: Content, login: str, certificate: tuple[str, str]
) -> Iterator[list[Asked]]:
    """A registry over TLS that is read with a login alone, likewise.

    login: `user:password`. certificate: the certificate and its key, both in PEM.
    """
    asked: list[Asked] = []
    wanted = f"Basic {base64.b64encode(login.encode()).decode()}"

    class Handler(_Handler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            found, headers, status = content.answer(path), {}, 200
            if self.headers.get("Authorization") != wanted:
                found, status = None, 401
                headers = {"WWW-Authenticate": 'Basic realm="mirror"'}
            elif found is None:
                status = 404
            body, kind = found or (b"{}", "application/json")
            asked.append(Asked(self.client_address[0], self.command, path, status))
            self._send(
                status, body, {"Content-Type": kind, "Docker-Content-Digest": _digest(body), **headers}
            )

        do_HEAD = do_GET

        def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    server = ThreadingHTTPServer((address, port), Handler)
    server.socket = _secured(certificate).wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    with _served(server):
        yield asked


class _Handler(BaseHTTPRequestHandler):
    timeout = SECONDS

    def log_message(self, format: str, *args: object) -> None:
        """What is asked is kept, not printed."""

    def _pass_on(self) -> int:
        """Ask whom the request is for, and hand the answer back; returns its status."""
        to = urlsplit(self.path)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        path = f"{to.path or '/'}?{to.query}" if to.query else to.path or "/"
        there = http.client.HTTPConnection(to.hostname or "", to.port or 80, timeout=SECONDS)
        with contextlib.closing(there):
            try:
                there.request(self.command, path, headers={**headers, "Connection": "close"})
                answer = there.getresponse()
            except (OSError, http.client.HTTPException) as error:
                self.send_error(502, str(error))
                return 502
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                shutil.copyfileobj(answer, self.wfile)
        return answer.status


def _secured(certificate: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write("".join(certificate))
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Pass on what both say until both have ended."""

    def passed(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(1 << 16):
                target.sendall(part)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=passed, args=(other, one), daemon=True)
    back.start()
    passed(one, other)
    back.join(SECONDS)


@contextmanager
def _served(server: ThreadingHTTPServer) -> Iterator[None]:
    server.daemon_threads = True
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
