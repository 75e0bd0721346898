"""A small client of the Kubernetes API, from the text of a kubeconfig; keys never reach a disk."""

from __future__ import annotations

import base64
import os
import ssl
from datetime import UTC, datetime
from typing import Any

import httpx
import yaml
from cryptography import x509

from playbooks.provider.errors import ProviderError

REFUSED = "does not accept the kubeconfig's credentials"
"""What is said of a cluster that answers 401."""


class Unreachable(ProviderError):
    """The API server did not answer, for a reason that may pass."""


class KubernetesApi:
    """One API server. Use it as a context manager. Every call raises Unreachable or ProviderError."""

    def __init__(self, kubeconfig: str, *, timeout: float = 5.0) -> None:
        """kubeconfig: text with embedded certificates or a token. timeout: seconds for each request."""
        cluster, user = _current(kubeconfig)
        self.server: str = cluster["server"]
        context = ssl.create_default_context(cadata=_decoded(cluster, "certificate-authority-data"))
        self._ended = ""
        if "client-certificate-data" in user:
            _load_client_certificate(context, user)
            self._ended = _ended(_decoded(user, "client-certificate-data"))
        headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        self._client = httpx.Client(
            base_url=self.server, verify=context, headers=headers, timeout=timeout, trust_env=False
        )

    def __enter__(self) -> KubernetesApi:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str) -> dict[str, Any]:
        """Return the object at `path`."""
        found: dict[str, Any] = self._request("GET", path).json()
        return found

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create `body` under `path`; return what the server made of it."""
        made: dict[str, Any] = self._request("POST", path, body).json()
        return made

    def delete(self, path: str) -> None:
        """Delete the object at `path`; one that is gone already is no error."""
        self._request("DELETE", path, missing_ok=True)

    def _request(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, missing_ok: bool = False
    ) -> httpx.Response:
        try:
            response = self._client.request(method, path, json=body)
        except httpx.HTTPError as exc:
            raise self._transport_error(exc) from exc
        if response.is_success or (missing_ok and response.status_code == httpx.codes.NOT_FOUND):
            return response
        reason = _reason(response)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            msg = f"{self.server} {REFUSED} ({response.status_code}: {reason}){self._ended}"
            raise ProviderError(msg, fix="give a kubeconfig whose credentials hold")
        msg = f"{self.server} answered {method} {path} with {response.status_code}: {reason}"
        # An API server that starts answers 403 and 5xx until its own roles and storage are ready.
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or response.status_code in (403, 429):
            raise Unreachable(msg)
        raise ProviderError(msg)

    def _transport_error(self, exc: httpx.HTTPError) -> ProviderError:
        cause: BaseException | None = exc
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                msg = f"{self.server}: its certificate is not of the kubeconfig's CA: {cause.verify_message}"
                return ProviderError(
                    msg, fix="another cluster answers at this address; nothing was written to it"
                )
            cause = cause.__cause__ or cause.__context__
        return Unreachable(f"{self.server} cannot be reached: {str(exc) or type(exc).__name__}")


def cluster_of(kubeconfig: str) -> str:
    """Return the address and the CA of the current context's cluster: what tells one cluster from another."""
    cluster, _ = _current(kubeconfig)
    return f"{cluster['server']} {cluster.get('certificate-authority-data', '')}"


def _current(kubeconfig: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return cluster and user of the current context. Raises ProviderError, which never quotes the text."""
    fix = (
        "give a kubeconfig with one current context, an embedded CA, and embedded client certificate or token"
    )
    try:
        config = yaml.safe_load(kubeconfig)
        contexts = {item["name"]: item["context"] for item in config["contexts"]}
        context = contexts[config["current-context"]]
        cluster = {item["name"]: item["cluster"] for item in config["clusters"]}[context["cluster"]]
        user = {item["name"]: item["user"] for item in config["users"]}[context["user"]]
        server = cluster["server"]
    except (yaml.YAMLError, KeyError, TypeError) as exc:
        key = f": nothing is found under {exc}" if isinstance(exc, KeyError) else ""
        msg = f"the kubeconfig cannot be read ({type(exc).__name__}){key}"
        raise ProviderError(msg, fix=fix) from None
    if not str(server).startswith("https://") or cluster.get("insecure-skip-tls-verify"):
        msg = f"the kubeconfig's cluster {server} is not verified by TLS"
        raise ProviderError(msg, fix=fix)
    if "certificate-authority-data" not in cluster or not ({"client-certificate-data", "token"} & set(user)):
        msg = f"the kubeconfig of {server} embeds no CA, or neither client certificate nor token"
        raise ProviderError(msg, fix=fix)
    return cluster, user


def _decoded(entry: dict[str, Any], key: str) -> str:
    return base64.b64decode(entry[key]).decode()


def _load_client_certificate(context: ssl.SSLContext, user: dict[str, Any]) -> None:
    """Load certificate and key from memory: OpenSSL reads files only, so the file is one that exists in
    memory alone."""
    pem = _decoded(user, "client-certificate-data") + "\n" + _decoded(user, "client-key-data")
    descriptor = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    except ssl.SSLError as exc:
        msg = f"the kubeconfig's client certificate and key cannot be used: {exc.reason}"
        raise ProviderError(msg, fix="give the certificate and the key that belong together") from None
    finally:
        os.close(descriptor)


def _ended(certificate: str) -> str:
    """Words for a client certificate that has expired; none for one that has not."""
    end = x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc
    return f"; its client certificate expired on {end:%Y-%m-%d}" if end < datetime.now(UTC) else ""


def _reason(response: httpx.Response) -> str:
    """Return the server's own words: the message of the Status object, or the start of the text."""
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
