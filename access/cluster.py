"""Access to one cluster with a kubeconfig that never touches a disk.

The Kubernetes client and OpenSSL want certificates and keys as files. They get anonymous memory files of
this process (`memfd_create`), named through `/proc/self/fd`, which vanish with it.
"""

from __future__ import annotations

import base64
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from urllib3.exceptions import HTTPError

from report.errors import ClusterAccessError

REQUEST_SECONDS = 8
"""Bound of one request to an API server."""

UNREACHABLE = (HTTPError, OSError)
"""What the client raises when no answer comes at all."""


@dataclass(frozen=True)
class Executed:
    """What a command in a container answered."""

    returncode: int
    stdout: str
    stderr: str


class Cluster:
    """One region's cluster. Use as a context manager: leaving it frees the memory files."""

    def __init__(self, region: str, kubeconfig: str) -> None:
        """`kubeconfig` is the text of a file with one current context. Raises `ClusterAccessError` if it is
        none.
        """
        self.region = region
        self._kubeconfig = kubeconfig
        self._files: list[int] = []
        try:
            self._configuration = self._configure(yaml.safe_load(kubeconfig))
        except (AttributeError, LookupError, TypeError, ValueError, StopIteration, yaml.YAMLError) as error:
            self.close()
            raise ClusterAccessError(f"kubeconfig of region {region!r} cannot be read: {error!r}") from error
        self.api = client.ApiClient(self._configuration)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the memory files. The cluster cannot be used any more."""
        while self._files:
            os.close(self._files.pop())

    @property
    def server(self) -> str:
        """URL of the API server."""
        return str(self._configuration.host)

    @property
    def client_certificate(self) -> bytes | None:
        """PEM of the certificate that the kubeconfig authenticates with, if it does so by one."""
        user = _current(yaml.safe_load(self._kubeconfig))[1]
        data = user.get("client-certificate-data")
        return base64.b64decode(data) if data else None

    @property
    def core(self) -> client.CoreV1Api:
        """Client of the core group."""
        return client.CoreV1Api(self.api)

    @property
    def apps(self) -> client.AppsV1Api:
        """Client of Deployments and DaemonSets."""
        return client.AppsV1Api(self.api)

    @property
    def batch(self) -> client.BatchV1Api:
        """Client of Jobs."""
        return client.BatchV1Api(self.api)

    @property
    def custom(self) -> client.CustomObjectsApi:
        """Client of custom resources."""
        return client.CustomObjectsApi(self.api)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of `GET path` at the API server (for example `/readyz`).

        An error status is an answer too. Raises `OSError` or urllib3's `HTTPError` when none comes.
        """
        try:
            answer = self.api.call_api(
                *self.api.param_serialize("GET", path, auth_settings=["BearerToken"]),
                _request_timeout=REQUEST_SECONDS,
            )
        except ApiException as error:
            # The client reports a failed TLS handshake as status 0: that is no answer of the API server.
            if not error.status:
                raise OSError(say(error)) from error
            return int(error.status), _text(error.body)
        return int(answer.status), _text(answer.read())

    def execute(
        self, namespace: str, pod: str, container: str, command: list[str], timeout: float = REQUEST_SECONDS
    ) -> Executed:
        """Run a command in a container and wait at most `timeout` seconds for its end.

        Raises `ClusterAccessError` if it cannot be started or does not end in time.
        """
        # `stream` swaps the request method of its client while it runs: a client of its own keeps threads
        # apart.
        where = f"{self.region}/{namespace}/{pod}/{container}"
        private = client.CoreV1Api(client.ApiClient(self._configuration))
        try:
            session = stream(
                private.connect_get_namespaced_pod_exec,
                pod,
                namespace,
                container=container,
                command=command,
                stdin=False,
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
                _request_timeout=timeout,
            )
        except (ApiException, *UNREACHABLE) as error:
            raise ClusterAccessError(f"{where}: cannot run {command[0]}: {say(error)}") from error
        try:
            session.run_forever(timeout=timeout)
            if session.is_open():
                raise ClusterAccessError(
                    f"{where}: {' '.join(command)[:120]} did not end within {timeout:.0f} s"
                )
            return Executed(
                int(session.returncode or 0), session.read_stdout() or "", session.read_stderr() or ""
            )
        finally:
            session.close()

    def run_program(
        self, program: Path, *arguments: str, timeout: float = 30
    ) -> subprocess.CompletedProcess[str]:
        """Run a local program (kubectl, istioctl) that reads this cluster's kubeconfig from memory."""
        descriptor = self._memory_file(self._kubeconfig.encode())
        environment = {**os.environ, "KUBECONFIG": f"/proc/self/fd/{descriptor}"}
        return subprocess.run(
            [str(program), *arguments],
            env=environment,
            pass_fds=(descriptor,),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def _configure(self, kubeconfig: dict[str, Any]) -> client.Configuration:
        cluster, user = _current(kubeconfig)
        configuration = client.Configuration()
        configuration.host = cluster["server"].rstrip("/")
        configuration.verify_ssl = True
        configuration.retries = False
        configuration.connection_pool_maxsize = 16
        authority = cluster["certificate-authority-data"]
        configuration.ssl_ca_cert = self._path(base64.b64decode(authority))
        if cluster.get("tls-server-name"):
            configuration.tls_server_name = cluster["tls-server-name"]
        if user.get("client-certificate-data"):
            configuration.cert_file = self._path(base64.b64decode(user["client-certificate-data"]))
            configuration.key_file = self._path(base64.b64decode(user["client-key-data"]))
        elif user.get("token"):
            configuration.api_key = {"authorization": f"Bearer {user['token']}"}
        else:
            raise ValueError("the user has neither client-certificate-data nor token")
        return configuration

    def _path(self, content: bytes) -> str:
        return f"/proc/self/fd/{self._memory_file(content)}"

    def _memory_file(self, content: bytes) -> int:
        descriptor = os.memfd_create("crossmesh", os.MFD_CLOEXEC)
        self._files.append(descriptor)
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor


def say(error: BaseException) -> str:
    """An error of the Kubernetes client in one line, in the API server's own words where it gave some."""
    if isinstance(error, ApiException):
        body = _text(error.body)
        try:
            message = yaml.safe_load(body)["message"] if body else ""
        except (yaml.YAMLError, KeyError, TypeError):
            message = body[:300]
        if not error.status:
            return " ".join(str(error.reason).split())
        return f"HTTP {error.status} {error.reason or ''}: {message}".strip().rstrip(":")
    reason = getattr(error, "reason", None)
    return str(reason if isinstance(reason, BaseException) else error).strip() or type(error).__name__


def _current(kubeconfig: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    wanted = kubeconfig.get("current-context") or kubeconfig["contexts"][0]["name"]
    context = next(c["context"] for c in kubeconfig["contexts"] if c["name"] == wanted)
    cluster = next(c["cluster"] for c in kubeconfig["clusters"] if c["name"] == context["cluster"])
    user = next(u["user"] for u in kubeconfig["users"] if u["name"] == context["user"])
    return cluster, user


def _text(body: object) -> str:
    if body is None:
        return ""
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body)
