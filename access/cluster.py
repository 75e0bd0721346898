"""The client of a cluster: its API, and commands in its containers.

Synchronous and safe for threads: checks run in threads, and the provider asks from one. Typed APIs and
commands are the official client's (`access.official`), loaded when they are asked for. Certificates and keys,
which OpenSSL wants as files, never touch a disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from cryptography import x509
from urllib3.exceptions import HTTPError

from access import kubeconfig as kubeconfigs
from access import webhooks
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
from access.kubeconfig import KubeconfigError
from access.programs import Executed
from stacks.system_namespaces import KUBE_SYSTEM

if TYPE_CHECKING:
    from kubernetes.client import AppsV1Api, BatchV1Api, CoreV1Api

    from access import official

REQUEST_SECONDS = 8.0
"""Bound of one request to an API server."""
_HTTPS = 443
_AGAIN_SECONDS = 1.0
_NO_ANSWER = (HTTPError, OSError)
_CONNECTIONS = 16
_NOT_NOW = (9, 10)
_OTHER_NAME = (62, 64)
"""Results of a verification, by OpenSSL: not yet valid and expired; another name or address."""


class Busy(Unanswered):
    """The API server itself says that it cannot answer now."""


class Expired(AccessError):
    """A list took so long that its pages no longer belong together."""


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
        self._seconds = seconds
        token = self._kubeconfig.user.token
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End connections, and free the memory files. The cluster cannot be used any more."""
        if "_pool" in vars(self):
            self._pool.clear()
        while self._descriptors:
            os.close(self._descriptors.pop())

    @property
    def server(self) -> str:
        """URL of the API server."""
        return self._kubeconfig.server

    @property
    def client_certificate(self) -> str | None:
        """PEM of the certificate that the kubeconfig authenticates with, if it does so by one."""
        return self._kubeconfig.user.certificate or None

    @cached_property
    def api(self) -> official.Client:
        """The official client."""
        from access import official

        configuration = official.Configuration()
        configuration.host = self.server
        configuration.retries = False
        configuration.connection_pool_maxsize = _CONNECTIONS
        configuration.ssl_ca_cert = self._authority_file
        configuration.tls_server_name = self._kubeconfig.server_name or None
        if self._kubeconfig.proxy:
            configuration.proxy = self._kubeconfig.proxy
        if self.client_certificate:
            configuration.cert_file, configuration.key_file = self._user_files
        elif self._authorization:
            configuration.api_key = {"authorization": self._authorization["Authorization"]}
        refused = partial(_no_answer, self.server)
        return official.Client(configuration, self._seconds, refused, self._refusal)

    @property
    def core(self) -> CoreV1Api:
        """Typed client of the core group."""
        from kubernetes import client

        return client.CoreV1Api(self.api)

    @property
    def apps(self) -> AppsV1Api:
        """Typed client of Deployments and DaemonSets."""
        from kubernetes import client

        return client.AppsV1Api(self.api)

    @property
    def batch(self) -> BatchV1Api:
        """Typed client of Jobs."""
        from kubernetes import client

        return client.BatchV1Api(self.api)

    def served_certificate(self) -> bytes:
        """DER of the certificate that the server shows, though it has ended or is of another authority.

        Nothing is verified and nothing secret is sent. Raises `Unanswered`.
        """
        from access import network

        url, name = urlsplit(self.server), self._kubeconfig.server_name
        at, proxy = (url.hostname or "", url.port or _HTTPS), self._proxy or ""
        try:
            return network.shown_certificate(*at, name=name, proxy=proxy, seconds=self._seconds)
        except OSError as error:
            raise _no_answer(self.server, error) from error

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
        headers = {"Accept": "application/json, */*", "Content-Type": kind, **self._authorization}
        content = json.dumps(body) if isinstance(body, Mapping) else body
        try:
            response = self._pool.request(
                method, self.server + path, body=content, headers=headers, timeout=self._seconds
            )
        except _NO_ANSWER as error:
            raise _no_answer(self.server, error) from error
        return response.status, response.data.decode(errors="replace")

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
        from access import official

        where = f"{self.region}/{namespace}/{pod}/{container}"
        configuration = self.api.configuration
        try:
            return official.execute(configuration, namespace, pod, container, command, timeout)
        except TimeoutError:
            words = f"{' '.join(command)[:120]} did not end within {timeout:.0f} s"
            raise AccessError(f"{where}: {words}") from None
        except official.NO_ANSWER as error:
            raise AccessError(f"{where}: cannot run {command[0]}: {_words(error)}") from error

    def _memory_file(self, content: str) -> str:
        """Path of a new file with this content that is in memory only, and of this process alone."""
        descriptor = os.memfd_create("crossmesh", os.MFD_CLOEXEC)
        self._descriptors.append(descriptor)
        os.write(descriptor, content.encode())
        return f"/proc/self/fd/{descriptor}"

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        """Connections to the server, through the proxy that the environment names for it, if any."""
        options: dict[str, Any] = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": self._authority_file}
        if self._kubeconfig.server_name:
            options["server_hostname"] = self._kubeconfig.server_name
        if self.client_certificate:
            options["cert_file"], options["key_file"] = self._user_files
        proxy = self._proxy
        options |= {"maxsize": _CONNECTIONS, "retries": False}
        return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)

    @property
    def _proxy(self) -> str | None:
        """The proxy that the kubeconfig names, or else the environment for this server."""
        host = urlsplit(self.server).hostname or ""
        return self._kubeconfig.proxy or (None if proxy_bypass(host) else getproxies().get("https"))

    @cached_property
    def _authority_file(self) -> str:
        return self._memory_file(self._kubeconfig.authority)

    @cached_property
    def _user_files(self) -> tuple[str, str]:
        """Of a client certificate and its key."""
        user = self._kubeconfig.user
        return self._memory_file(user.certificate), self._memory_file(user.private_key)

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
        barred = webhooks.remedy(words, partial(self.answer, "GET"))
        match status:
            case 401:
                return CredentialsRefused(
                    f"{self.server} {REFUSED}: {words}{self._ended()}",
                    fix="They have expired or were withdrawn. `pulumi up` renews those of clusters on "
                    "machines; give an adopted cluster's stack a new kubeconfig.",
                )
            case 403:
                return NotAllowed(message, fix=barred or "Give the kubeconfig's user the right to do this.")
            case 404:
                return Missing(message)
            case 409:
                return Conflict(message)
            case 410:
                return Expired(message)
            case _ if 400 <= status < 500 and status != 429:
                return AccessError(message, fix=barred)
        fix = barred or "See the API server's log; `crossmesh doctor` says what it lacks."
        return Busy(message, fix=fix)

    def _ended(self) -> str:
        """Words for a client certificate that has expired; none for one that has not."""
        if self.client_certificate is None:
            return ""
        end = x509.load_pem_x509_certificate(self.client_certificate.encode()).not_valid_after_utc
        return f"; its client certificate expired on {end:%Y-%m-%d}" if end < datetime.now(UTC) else ""


def _require_usable(kubeconfig: kubeconfigs.Kubeconfig) -> None:
    where, user = f"the kubeconfig of {kubeconfig.server}", kubeconfig.user
    trouble = fix = ""
    if not kubeconfig.verified:
        trouble = f"the kubeconfig's cluster {kubeconfig.server} is not verified by TLS"
        fix = "Give one with an https:// server and its CA, without insecure-skip-tls-verify."
    elif user.command:
        trouble = f"{where} runs a plugin, {user.command}, for its credentials; not every machine has it"
        fix = "Give one with the token of a service account."
    elif kubeconfig.authority_path and not kubeconfig.authority:
        trouble = f"{where} names its CA by a path, {kubeconfig.authority_path}, that other machines have not"
        fix = kubeconfigs.FLATTEN
    elif not kubeconfig.authority:
        trouble = f"{where} embeds no CA: a server with a public authority's certificate is not supported yet"
        fix = "Give one with certificate-authority-data: the authority that the server's certificate is of."
    elif user.in_files:
        trouble = f"{where} names its credentials by paths that other machines have not"
        fix = kubeconfigs.FLATTEN
    elif not (user.certificate or user.token):
        trouble = f"{where} has neither a client certificate nor a token"
        fix = "Give one with the token of a service account, or a client certificate and its key."
    elif kubeconfig.proxy and urlsplit(kubeconfig.proxy).scheme not in ("http", "https"):
        # What else is in the URL may be secret.
        scheme = urlsplit(kubeconfig.proxy).scheme
        trouble = f"{where} has the proxy {scheme}://…; http:// and https:// are supported"
        fix = "Give one with such a proxy-url, or without, on a machine that reaches the server directly."
    if trouble:
        raise KubeconfigError(trouble, fix=fix)


def _no_answer(server: str, error: BaseException) -> AccessError:
    """Why a request got no answer, by the errors that led to it."""
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _not_proven(server, cause)
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


def _not_proven(server: str, error: ssl.SSLCertVerificationError) -> IdentityMismatch:
    """Why a server's certificate proves nothing; of an authority that is right it is said."""
    code, said = error.verify_code, error.verify_message
    if code in _OTHER_NAME:
        return IdentityMismatch(
            f"{server}: its certificate is of the kubeconfig's CA, and not for this name: {said}",
            fix="Nothing was sent to it. Name the cluster's own name by tls-server-name in the kubeconfig, "
            "or give a server URL with a name that the certificate has.",
        )
    if code in _NOT_NOW:
        return IdentityMismatch(
            f"{server}: its certificate does not hold at this time: {said}",
            fix="Set the clock of this machine, where it is wrong; else the server needs another one, which "
            "`crossmesh runbook run renew-certificates` makes where the cluster is on machines.",
        )
    return IdentityMismatch(
        f"{server}: its certificate is not of the kubeconfig's CA: {said}",
        fix="Another machine answers at this address, or the cluster's authority was replaced; "
        "nothing was written to it. Change nothing before you know why.",
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
