"""Write a cluster's Secrets anew, so that they are kept in the form that its API server writes now.

Nothing of them is changed: an API server keeps what is written as it was, but for what is stored in another
form than the one that it writes now.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import ssl
from contextlib import closing
from pathlib import Path
from typing import Any

PKI = Path("/etc/kubernetes/pki")
ADMIN = Path("/etc/kubernetes/admin.conf")
"""kubeadm's kubeconfig of whoever administers the cluster, with certificate and key in it."""
PAGE = 200
"""Secrets that are asked for at once: some megabytes at the most that each may have."""
_SECONDS = 30.0
_ATTEMPTS = 3
"""So often all of them are gone through, when the list grows old in between (five minutes, by default)."""
_GONE, _CONFLICT = 404, 409
_TRIES = 5
"""So often one is read and written anew that others write at the same time: another API server may keep it in
the form that is to go."""
_TOO_OLD = 410


class StoredSecretsError(Exception):
    """Some are as they were; says which, and why."""


class _OldListError(Exception):
    """The list cannot be gone on with."""


def rewrite(port: int) -> tuple[int, int]:
    """Write all of them anew by the API server on a port of this host.

    Returns how many there are, and how many were stored in another form. Raises StoredSecretsError.
    """
    context = ssl.create_default_context(cafile=str(PKI / "ca.crt"))
    # The address is this host's own; the names in its certificate are for others.
    context.check_hostname = False
    _show(context)
    for _ in range(_ATTEMPTS):
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=_SECONDS)
        with closing(connection):
            try:
                return _all(connection)
            except _OldListError:
                continue
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise StoredSecretsError(f"Secrets are not written anew: {error}") from None
    raise StoredSecretsError(f"Secrets are not written anew: the list grew old {_ATTEMPTS} times")


def _show(context: ssl.SSLContext) -> None:
    """Show who administers the cluster: since kubeadm 1.36, what API servers show kubelets has no right to
    Secrets. Raises StoredSecretsError."""
    try:
        said = dict(re.findall(r"^\s*(client-\w+-data):\s*(\S+)", ADMIN.read_text(), re.MULTILINE))
        pem = [base64.b64decode(said[name]) for name in ("client-certificate-data", "client-key-data")]
        # A file that no disk has, and that ends with us: the key lies in one place.
        with open(os.memfd_create("admin"), "wb") as file:
            file.write(b"".join(part.rstrip() + b"\n" for part in pem))
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    except KeyError as error:
        raise StoredSecretsError(f"Secrets are not written anew: {ADMIN} has no {error.args[0]}") from None
    except (OSError, ValueError) as error:
        raise StoredSecretsError(f"Secrets are not written anew: {error}") from None


def _all(connection: http.client.HTTPSConnection) -> tuple[int, int]:
    seen = rewritten = 0
    more = ""
    while True:
        status, page = _ask(connection, "GET", f"/api/v1/secrets?limit={PAGE}&continue={more}")
        if status == _TOO_OLD:
            raise _OldListError
        if status != 200:
            raise StoredSecretsError(f"Secrets cannot be listed: {page.get('message') or status}")
        for secret in page["items"]:
            seen += 1
            rewritten += _one(connection, secret)
        more = page["metadata"].get("continue") or ""
        if not more:
            return seen, rewritten


def _one(connection: http.client.HTTPSConnection, secret: dict[str, Any]) -> bool:
    """Write one anew; return whether it was stored in another form."""
    namespace, name = secret["metadata"]["namespace"], secret["metadata"]["name"]
    path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
    for _ in range(_TRIES):
        # In a list, items do not say of which kind they are.
        status, answer = _ask(connection, "PUT", path, {"apiVersion": "v1", "kind": "Secret", **secret})
        if status == 200:
            return bool(answer["metadata"]["resourceVersion"] != secret["metadata"]["resourceVersion"])
        if status == _CONFLICT:
            status, answer = _ask(connection, "GET", path)
            secret = answer
        if status == _GONE:
            return False
        if status != 200:
            why = answer.get("message") or status
            raise StoredSecretsError(f"the Secret {namespace}/{name} is not written anew: {why}")
    why = f"others wrote it meanwhile, {_TRIES} times"
    raise StoredSecretsError(f"the Secret {namespace}/{name} is not written anew: {why}")


def _ask(
    connection: http.client.HTTPSConnection, method: str, path: str, body: Any = None
) -> tuple[int, dict[str, Any]]:
    content = None if body is None else json.dumps(body)
    connection.request(method, path, content, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    found: dict[str, Any] = json.loads(answer.read())
    return answer.status, found
