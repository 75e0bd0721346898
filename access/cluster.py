"""The client of a cluster: its API, and commands in its containers.

Synchronous and safe for threads, on the official client: checks run in threads, and the provider asks from
one. Certificates and keys, which the client and OpenSSL want as files, never touch a disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from urllib3.exceptions import HTTPError

from access import kubeconfig as kubeconfigs
from access.errors import (
    REFUSED,
    AccessError,
    Conflict,
    CredentialsRefused,
    IdentityMismatch,
    Missing,
    NotAllowed,
    Unanswered,
    causes,
)
from access.kubeconfig import ClientCertificate, Exec, KubeconfigError, Token
from access.programs import Executed
from stacks.system_namespaces import KUBE_SYSTEM

REQUEST_SECONDS = 8.0
"""Bound of one request to an API server."""
_AGAIN_SECONDS = 1.0
_NO_ANSWER = (ApiException, HTTPError, OSError)
"""What the client raises when no answer comes at all: it reports a failed TLS handshake as its own error."""


class Busy(Unanswered):
    """The API server itself says that it cannot answer now."""


class Expired(AccessError):
    """A list took so long that its pages no longer belong together."""


class _Client(client.ApiClient):  # type: ignore[misc]
    """The official client, with a bound on each request and with errors of ours."""

    def __init__(
        self,
        configuration: client.Configuration,
        seconds: float,
        refusal: Callable[[str, int, str], AccessError],
    ) -> None:
        super().__init__(configuration)
        self._seconds = seconds
        self._refusal = refusal

    def call_api(self, *arguments: Any, _request_timeout: Any = None, **more: Any) -> Any:
        """As the official client does it. Raises `AccessError` when no answer comes."""
        try:
            return super().call_api(*arguments, _request_timeout=_request_timeout or self._seconds, **more)
        except _NO_ANSWER as error:
            raise _no_answer(self.configuration.host, error) from error

    def response_deserialize(self, response_data: Any, response_types_map: Any = None) -> Any:
        """As the official client does it. Raises `AccessError` for an answer that is a refusal."""
        try:
            return super().response_deserialize(response_data, response_types_map)
        except ApiException as error:
            path = str(response_data.response.url).partition("?")[0]
            status, body = int(error.status or 0), _text(response_data.data)
            raise self._refusal(path.removeprefix(self.configuration.host), status, body) from error


class Cluster:
    """One cluster. Use as a context manager: leaving it frees the memory files. Raises `AccessError` only."""

    def __init__(self, region: str, kubeconfig: str, *, seconds: float = REQUEST_SECONDS) -> None:
        """region: for messages. kubeconfig: text with one current context. seconds: for each request.

        Raises `KubeconfigError` if it is none, or names no authority, or no credentials of its own.
        """
        self.region = region
        self._kubeconfig = kubeconfigs.read(kubeconfig)
        _require_usable(self._kubeconfig)
        self._descriptors: list[int] = []
        self._configuration = self._configure()
        self.api = _Client(self._configuration, seconds, self._refusal)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the memory files. The cluster cannot be used any more."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    @property
    def server(self) -> str:
        """URL of the API server."""
        return self._kubeconfig.server

    @property
    def client_certificate(self) -> str | None:
        """PEM of the certificate that the kubeconfig authenticates with, if it does so by one."""
        user = self._kubeconfig.user
        return user.certificate if isinstance(user, ClientCertificate) else None

    @property
    def core(self) -> client.CoreV1Api:
        """Typed client of the core group."""
        return client.CoreV1Api(self.api)

    @property
    def apps(self) -> client.AppsV1Api:
        """Typed client of Deployments and DaemonSets."""
        return client.AppsV1Api(self.api)

    @property
    def batch(self) -> client.BatchV1Api:
        """Typed client of Jobs."""
        return client.BatchV1Api(self.api)

    def uid(self) -> str:
        """What tells this cluster from every other one: the UID of its namespace `kube-system`."""
        namespace = self.get(f"/api/v1/namespaces/{KUBE_SYSTEM}")
        if namespace is None:
            raise Unanswered(f"{self.server} has no namespace {KUBE_SYSTEM} yet")
        return str(namespace["metadata"]["uid"])

    def answer(
        self, method: str, path: str, body: dict[str, Any] | str | None = None, kind: str = "application/json"
    ) -> tuple[int, str]:
        """Status and body of a request, for example `GET /readyz`; an error status is an answer too.

        kind: media type of the body.
        """
        request = self.api.param_serialize(
            method,
            path,
            header_params={"Accept": "application/json, */*", "Content-Type": kind},
            body=body,
            auth_settings=["BearerToken"],
        )
        response = self.api.call_api(*request)
        try:
            return int(response.status), _text(response.read())
        except _NO_ANSWER as error:
            raise _no_answer(self.server, error) from error

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at `path`; None if there is none."""
        try:
            try:
                return self._object("GET", path)
            except Busy:
                # One that is just being restarted, or is asked too much, is asked once more.
                time.sleep(_AGAIN_SECONDS)
                return self._object("GET", path)
        except Missing:
            return None

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create `body` under `path`; what the server made of it."""
        return self._object("POST", path, body)

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Merge `body` into the object at `path`; what became of it."""
        return self._object("PATCH", path, body, "application/merge-patch+json")

    def apply(self, path: str, body: dict[str, Any], *, manager: str, force: bool = False) -> dict[str, Any]:
        """Have `body` in the object at `path` by server-side apply; what became of it.

        manager: the field manager. Raises `Conflict` where another one holds a field with another value,
        unless `force` is to take it over.
        """
        query = f"?fieldManager={manager}&force={str(force).lower()}"
        return self._object("PATCH", path + query, json.dumps(body), "application/apply-patch+yaml")

    def delete(self, path: str) -> None:
        """Delete the object at `path`; one that is gone already is no error."""
        with contextlib.suppress(Missing):
            self._object("DELETE", path)

    def execute(
        self, namespace: str, pod: str, container: str, command: list[str], timeout: float = REQUEST_SECONDS
    ) -> Executed:
        """Run a command in a container. Raises `AccessError` if it does not end within `timeout` seconds."""
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
        except _NO_ANSWER as error:
            raise AccessError(f"{where}: cannot run {command[0]}: {_words(error)}") from error
        try:
            session.run_forever(timeout=timeout)
            if session.is_open():
                raise AccessError(f"{where}: {' '.join(command)[:120]} did not end within {timeout:.0f} s")
            return Executed(
                int(session.returncode or 0), session.read_stdout() or "", session.read_stderr() or ""
            )
        finally:
            session.close()

    def _memory_file(self, content: str) -> str:
        """Path of a new file with this content that is in memory only, and of this process alone."""
        descriptor = os.memfd_create("crossmesh", os.MFD_CLOEXEC)
        self._descriptors.append(descriptor)
        os.write(descriptor, content.encode())
        return f"/proc/self/fd/{descriptor}"

    def _configure(self) -> client.Configuration:
        configuration = client.Configuration()
        configuration.host = self.server
        configuration.verify_ssl = True
        configuration.retries = False
        configuration.connection_pool_maxsize = 16
        configuration.ssl_ca_cert = self._memory_file(self._kubeconfig.authority)
        configuration.tls_server_name = self._kubeconfig.server_name or None
        match self._kubeconfig.user:
            case ClientCertificate(certificate, private_key):
                configuration.cert_file = self._memory_file(certificate)
                configuration.key_file = self._memory_file(private_key)
            case Token(value):
                configuration.api_key = {"authorization": f"Bearer {value}"}
        return configuration

    def _object(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | str | None = None,
        kind: str = "application/json",
    ) -> dict[str, Any]:
        status, text = self.answer(method, path, body, kind)
        value = _json(text)
        if 200 <= status < 300 and isinstance(value, dict):
            return value
        raise self._refusal(f"{method} {path.partition('?')[0]}", status, text)

    def _refusal(self, request: str, status: int, body: str) -> AccessError:
        """What an answer other than the wanted one means."""
        value = _json(body)
        words = str(value.get("message") if isinstance(value, dict) else body[:200]) or "no reason given"
        message = f"{self.server} answers {request} with {status}: {words}"
        match status:
            case 401:
                return CredentialsRefused(
                    f"{self.server} {REFUSED}: {words}{self._ended()}",
                    fix="They have expired or were withdrawn. `pulumi up` renews those of clusters on "
                    "machines; give an adopted cluster's stack a new kubeconfig.",
                )
            case 403:
                fix = "Give the kubeconfig's user the right to do this."
                return NotAllowed(message, fix=fix)
            case 404:
                return Missing(message)
            case 409:
                return Conflict(message)
            case 410:
                return Expired(message)
            case _ if 400 <= status < 500 and status != 429:
                return AccessError(message)
        return Busy(message, fix="See the API server's log; `crossmesh doctor` says what it lacks.")

    def _ended(self) -> str:
        """Words for a client certificate that has expired; none for one that has not."""
        if self.client_certificate is None:
            return ""
        end = x509.load_pem_x509_certificate(self.client_certificate.encode()).not_valid_after_utc
        return f"; its client certificate expired on {end:%Y-%m-%d}" if end < datetime.now(UTC) else ""


def _require_usable(kubeconfig: kubeconfigs.Kubeconfig) -> None:
    fix = "Give one with an embedded CA, and an embedded client certificate or a token."
    if not kubeconfig.verified:
        raise KubeconfigError(f"the kubeconfig's cluster {kubeconfig.server} is not verified by TLS", fix=fix)
    where = f"the kubeconfig of {kubeconfig.server}"
    if isinstance(kubeconfig.user, Exec):
        raise KubeconfigError(
            f"{where} runs {kubeconfig.user.command} for its credentials; not every machine has it",
            fix="Give one with the token of a service account.",
        )
    if not kubeconfig.authority or kubeconfig.user is None:
        raise KubeconfigError(f"{where} embeds no CA, or neither client certificate nor token", fix=fix)


def _no_answer(server: str, error: BaseException) -> AccessError:
    """Why a request got no answer, by the errors that led to it."""
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return IdentityMismatch(
                f"{server}: its certificate is not of the kubeconfig's CA: {cause.verify_message}",
                fix="Another machine answers at this address, or the cluster's authority was replaced; "
                "nothing was written to it. Change nothing before you know why.",
            )
        if isinstance(cause, ssl.SSLError) and "_ALERT_" in (cause.reason or ""):
            return CredentialsRefused(
                f"{server} refuses the client certificate: {_words(error)}",
                fix="It has expired or is of another authority. `pulumi up` issues a new one.",
            )
        if isinstance(cause, ssl.SSLError) and cause.reason in ("KEY_VALUES_MISMATCH", "NO_START_LINE"):
            return KubeconfigError(
                f"the kubeconfig of {server}: client certificate and key cannot be used: {cause.reason}",
                fix="Give the certificate and the key that belong together.",
            )
    return Unanswered(
        f"{server} does not answer: {_words(error)}",
        fix="See that its machines run and that this one has a route to them.",
    )


def _words(error: BaseException) -> str:
    """An error of the client in one line."""
    reason = getattr(error, "reason", None)
    return " ".join(str(reason or error).split()) or type(error).__name__


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _text(body: object) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
