"""A real API server for tests: etcd and kube-apiserver on loopback, with certificates made for it.

There are no nodes and no controllers: objects are kept as they are applied, and nothing acts on them. It
needs no root, starts within seconds, and takes everything away with it: its processes die with the test's,
and its files are in one temporary directory.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest import mock

import httpx
import yaml

import toolchain
from access.cluster import Cluster
from access.kubeconfig import from_certificates
from playbooks.provider import tls
from playbooks.provider.tls import Issuer, Request

START_SECONDS = 90
"""Within this time it is ready, also on a machine that builds something else meanwhile."""
END_SECONDS = 10
CHANGE_SECONDS = 30
"""For what the server brings about by itself."""
_ATTEMPTS = 3
"""A port that was free may be taken before it is used."""
_PR_SET_PDEATHSIG = 1
_APPLY = "application/apply-patch+yaml"


class ApiServer:
    """Use as a context manager."""

    def __init__(self, name: str = "test", arguments: Sequence[str] = ()) -> None:
        """name: of the cluster, in its kubeconfigs. arguments: further ones; the last of a name counts."""
        self.name = name
        self._arguments = arguments
        self._directory = Path()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._port = 0
        self._files: dict[str, Path] = {}
        self.etcd = ""
        """Address of its etcd."""
        authority_key = tls.new_key()
        request = Request(f"kubernetes-{name}", 365, ca=True)
        self.authority = tls.issue(request, authority_key, None)
        self._issuer = Issuer(self.authority, authority_key, "", self.authority)

    def __enter__(self) -> ApiServer:
        self._directory = Path(tempfile.mkdtemp(prefix="crossmesh-api-server-"))
        try:
            for attempt in range(_ATTEMPTS):
                if self._start():
                    return self
                self._end_processes()
                assert attempt + 1 < _ATTEMPTS, self._words()
            raise AssertionError("unreachable")
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, and remove what it kept."""
        self._end_processes()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return self._port

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def kubeconfig(self) -> str:
        """Of an administrator."""
        return self.kubeconfig_of("administrator", "system:masters")

    def kubeconfig_of(self, user: str, *groups: str, age_days: int = 0, validity_days: int = 30) -> str:
        """Of a user with a client certificate that was issued `age_days` ago."""
        key = tls.new_key()
        request = Request(user, validity_days, organizations=groups, usages=("client auth",))
        with mock.patch.object(tls, "datetime") as clock:
            clock.now.return_value = datetime.now(UTC) - timedelta(days=age_days)
            certificate = tls.issue(request, key, self._issuer)
        return from_certificates(
            self.name, self.url, authority=self.authority, certificate=certificate, private_key=key
        )

    def kubeconfig_with_token(self, token: str) -> str:
        """With a token, whatever it is worth."""
        document = yaml.safe_load(self.kubeconfig)
        document["users"][0]["user"] = {"token": token}
        return yaml.safe_dump(document)

    def kubeconfig_with_user_of(self, other: str) -> str:
        """With the credentials of another kubeconfig."""
        document = yaml.safe_load(self.kubeconfig)
        document["users"][0]["user"] = yaml.safe_load(other)["users"][0]["user"]
        return yaml.safe_dump(document)

    @property
    def uid(self) -> str:
        """UID of `kube-system`: the cluster's identity."""
        found: dict[str, Any] = self.request("GET", "/api/v1/namespaces/kube-system")
        return str(found["metadata"]["uid"])

    def apply(self, path: str, manifest: dict[str, Any], *, manager: str = "crossmesh") -> dict[str, Any]:
        """Apply an object at `path` server-side, as the field manager; return it as the server has it."""
        parameters = f"fieldManager={manager}&force=true"
        return self.request("PATCH", f"{path}?{parameters}", manifest, content_type=_APPLY)

    def edit(self, path: str, patch: dict[str, Any], *, manager: str = "kubectl-edit") -> dict[str, Any]:
        """Merge a patch into the object at `path`, as somebody does by hand."""
        where = f"{path}?fieldManager={manager}"
        return self.request("PATCH", where, patch, content_type="application/merge-patch+json")

    def delete(self, path: str) -> None:
        """Delete the object at `path`."""
        self.request("DELETE", path)

    def exists(self, path: str) -> bool:
        """Whether there is anything at `path`."""
        with self._client() as client:
            return client.get(path).status_code == httpx.codes.OK

    def wait_for(self, path: str, *, there: bool = True) -> None:
        """Wait until there is something at `path`, or nothing any more: definitions take a moment."""
        deadline = time.monotonic() + CHANGE_SECONDS
        while self.exists(path) is not there:
            assert time.monotonic() < deadline, f"{path}: not within {CHANGE_SECONDS} s"
            time.sleep(0.05)

    def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """One request of the administrator's. Fails on an error status, with the server's words."""
        with self._client() as client:
            headers = {"Content-Type": content_type}
            content = None if body is None else json.dumps(body)
            answer = client.request(method, path, content=content, headers=headers)
            assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
            found: dict[str, Any] = answer.json()
            return found

    def _client(self) -> httpx.Client:
        with Cluster(self.name, self.kubeconfig) as cluster:
            configuration = cluster.api.configuration
            context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
            return httpx.Client(base_url=self.url, verify=context, trust_env=False, timeout=30)

    def _start(self) -> bool:
        """Start both programs; return whether they became ready. False: a port was taken."""
        etcd, peer, self._port = _free_ports(3)
        self.etcd = f"http://127.0.0.1:{etcd}"
        data = Path(tempfile.mkdtemp(dir=self._directory))
        self._run(
            "etcd",
            f"--data-dir={data}",
            f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
            "--log-level=error",
        )
        self._files = self._written(data)
        return self._serves()

    def restart(self, arguments: Sequence[str]) -> None:
        """Start the API server anew, with other arguments, on the same data."""
        self._arguments = arguments
        self._end(self._processes.pop())
        assert self._serves(), self._words()

    def _serves(self) -> bool:
        files = self._files
        self._run(
            "kube-apiserver",
            f"--etcd-servers={self.etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--tls-cert-file={files['server.crt']}",
            f"--tls-private-key-file={files['server.key']}",
            f"--client-ca-file={files['ca.crt']}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={files['server.crt']}",
            f"--service-account-signing-key-file={files['server.key']}",
            f"--cert-dir={files['ca.crt'].parent}",
            "--authorization-mode=Node,RBAC",
            "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.96.0.0/24",
            "--watch-cache=false",
            "--v=0",
            *self._arguments,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self._processes):
                return False
            with contextlib.suppress(httpx.HTTPError), self._client() as client:
                ready = client.get("/readyz", timeout=5).status_code == 200
                if ready and client.get("/api/v1/namespaces/kube-system", timeout=5).status_code == 200:
                    return True
            time.sleep(0.1)
        raise AssertionError(f"not ready after {START_SECONDS} s: {self._words()}")

    def _written(self, directory: Path) -> dict[str, Path]:
        key = tls.new_key()
        names = ("localhost", "kubernetes.default.svc")
        request = Request(
            "kube-apiserver", 30, dns_names=names, ip_addresses=("127.0.0.1",), usages=("server auth",)
        )
        texts = {
            "ca.crt": self.authority,
            "server.crt": tls.issue(request, key, self._issuer),
            "server.key": key,
        }
        for name, text in texts.items():
            (directory / name).touch(mode=0o600)
            (directory / name).write_text(text)
        return {name: directory / name for name in texts}

    def _run(self, program: str, *arguments: str) -> None:
        with (self._directory / f"{program}.log").open("wb") as log:
            process = subprocess.Popen(
                [toolchain.program(program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,
            )
        self._processes.append(process)

    def _end_processes(self) -> None:
        for process in reversed(self._processes):
            self._end(process)
        self._processes.clear()

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _words(self) -> str:
        """The end of what both programs said."""
        logs = sorted(self._directory.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-2000:]}" for log in logs)


def encoded(text: str) -> str:
    """A text as a Secret's data has it."""
    return base64.b64encode(text.encode()).decode()


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for found in sockets:
            found.bind(("127.0.0.1", 0))
        return [found.getsockname()[1] for found in sockets]


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
