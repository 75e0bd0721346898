"""An API server that serves TLS with a client certificate, and knows a few paths."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playbooks.provider import tls
from playbooks.provider.tls import Issuer, Request


class ApiServer:
    """Remembers what was asked, and answers the few paths that are needed."""

    def __init__(self, directory: Path) -> None:
        self.uid = "uid-1"
        self.calls: list[tuple[str, str, dict[str, Any] | None]] = []
        self.failing = 0
        self.definition: dict[str, Any] | None = None
        """A definition as it is live, after how many questions it is served, and who set it."""
        self.unserved = 0
        self.nodes: dict[str, dict[str, Any]] = {}
        """Nodes as they are live, by name."""
        self.dry_runs: list[tuple[int, str]] = []
        """What the next dry runs are answered, with which words; after these they are let through."""
        self.meanwhile: list[Callable[[], None]] = []
        """What others do, one after the other, just before a Node is patched."""
        key = tls.new_key()
        authority = tls.issue(Request("ca", 10, ca=True), key, None)
        self.ca = Issuer(authority, key, "", authority)
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
                status, answer = api.answer(self.command, self.path, body)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def answer(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        if self.failing:
            self.failing -= 1
            return 503, {"message": "etcd is starting"}
        if path.endswith("?dryRun=All") and self.dry_runs:
            status, words = self.dry_runs.pop(0)
            return status, {"message": words}
        if path.endswith("/token"):
            end = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
            return 201, {"status": {"token": f"token-{len(self.calls)}", "expirationTimestamp": end}}
        if "/customresourcedefinitions/" in path:
            return self._definition(method, body)
        if path.startswith("/api/v1/nodes/"):
            return self._node(method, path.partition("?")[0].rpartition("/")[2], body)
        if path == "/api/v1/namespaces/kube-system":
            return 200, {"metadata": {"uid": self.uid}}
        return (201 if method == "POST" else 200), {}

    def edit(self, name: str, taints: list[dict[str, Any]]) -> None:
        """Have another one write a Node's list of taints."""
        node = self.nodes[name]
        node["spec"]["taints"] = taints
        node["metadata"]["resourceVersion"] = str(int(node["metadata"]["resourceVersion"]) + 1)

    def _node(self, method: str, name: str, body: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        if method == "PATCH" and self.meanwhile:
            self.meanwhile.pop(0)()
        if name not in self.nodes:
            return 404, {"message": "not found"}
        node = self.nodes[name]
        if method == "PATCH" and body:
            if body["metadata"].pop("resourceVersion") != node["metadata"]["resourceVersion"]:
                return 409, {"message": "the object has been modified"}
            node["metadata"] |= body["metadata"]
            self.edit(name, body["spec"]["taints"])
        return 200, node

    def _definition(self, method: str, body: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        live = self.definition
        if method == "PATCH" and body:
            generation = live["metadata"]["generation"] + (live["spec"] != body["spec"]) if live else 1
            self.definition = {**body, "metadata": {**body["metadata"], "generation": generation}}
            return 200, self.definition
        if live is None:
            return 404, {"message": "not found"}
        if method == "DELETE":
            self.definition = None
        elif self.unserved:
            self.unserved -= 1
            return 200, live
        return 200, {**live, "status": {"conditions": [{"type": "Established", "status": "True"}]}}
