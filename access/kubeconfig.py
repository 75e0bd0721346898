"""Kubeconfigs as text: read for what is in them, made from certificates, and narrowed to a token. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import yaml

from access.errors import AccessError

FLATTEN = "Write it with `kubectl config view --raw --flatten --minify`."


class KubeconfigError(AccessError):
    """A text is no kubeconfig, or none that serves here. The text is never quoted: it holds secrets."""


@dataclass(frozen=True)
class User:
    """What a user shows: a certificate and its key (PEM), a token, or what a program of a cloud's makes.

    The others are empty; all are of a user without credentials.
    """

    certificate: str = ""
    private_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    command: str = ""
    in_files: bool = False
    """Whether paths stand in place of them, which mean nothing on another machine."""


@dataclass(frozen=True)
class Kubeconfig:
    """The current context: one cluster and one user."""

    server: str
    """URL of the API server."""
    authority: str
    """PEM of the certificate authority; empty when the text does not hold it."""
    server_name: str
    """Name that the server's certificate must have, where it is not the one in the URL."""
    verified: bool
    """Whether the server must prove to be of that authority."""
    user: User
    authority_path: str = ""
    """Path of the certificate authority, where it is named by one."""
    proxy: str = ""
    """URL of the proxy by which this machine reaches the API server."""

    @property
    def is_local(self) -> bool:
        """Whether the server's address means another machine on each: a tunnel, or a cluster on a laptop."""
        host = urlsplit(self.server).hostname or ""
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return address.is_loopback or address.is_unspecified


def read(text: str) -> Kubeconfig:
    """Read the current context, or the only one. Raises `KubeconfigError`."""
    try:
        document = yaml.safe_load(text)
        context = _context(document)
        cluster = _named(document, "clusters", "cluster", context["cluster"])
        user = _named(document, "users", "user", context["user"]) if context.get("user") else {}
        return Kubeconfig(
            server=str(cluster["server"]).rstrip("/"),
            authority=_decoded(cluster.get("certificate-authority-data")),
            server_name=str(cluster.get("tls-server-name") or ""),
            verified=str(cluster["server"]).startswith("https://")
            and not cluster.get("insecure-skip-tls-verify"),
            user=_user(user or {}),
            authority_path=str(cluster.get("certificate-authority") or ""),
            proxy=str(cluster.get("proxy-url") or ""),
        )
    except (yaml.YAMLError, AttributeError, LookupError, TypeError, ValueError) as error:
        key = f": nothing is found under {error}" if isinstance(error, KeyError) else ""
        raise KubeconfigError(
            f"the kubeconfig cannot be read ({type(error).__name__}){key}",
            fix=f"Give one with a current context. {FLATTEN}",
        ) from None


def from_certificates(
    cluster: str, server: str, *, authority: str, certificate: str, private_key: str
) -> str:
    """A kubeconfig that authenticates by a client certificate.

    cluster: name of cluster, context and, with `-admin`, user. server: URL. The other three: PEM.
    """
    user = {"client-certificate-data": _encoded(certificate), "client-key-data": _encoded(private_key)}
    return _kubeconfig(cluster, server, authority, f"{cluster}-admin", user)


def leading_to(kubeconfig: str, server: str) -> str:
    """A kubeconfig whose current context leads to another URL, and is the same else. Raises
    `KubeconfigError`."""
    read(kubeconfig)
    document = yaml.safe_load(kubeconfig)
    name = _context(document)["cluster"]
    clusters = [
        {**entry, "cluster": {**entry["cluster"], "server": server}} if entry["name"] == name else entry
        for entry in document["clusters"]
    ]
    return yaml.safe_dump({**document, "clusters": clusters})


def for_others(kubeconfig: str, *, cluster: str, server: str = "") -> Kubeconfig:
    """A kubeconfig as other clusters can use it.

    server: URL by which they reach the API server, where it is another one. Raises `KubeconfigError` when
    the server's address means nothing in another cluster.
    """
    current = read(kubeconfig)
    if server:
        current = replace(current, server=server.rstrip("/"))
    if current.is_local:
        raise KubeconfigError(
            f"the kubeconfig of cluster '{cluster}' names {current.server}, which means another machine in "
            "every other cluster; istiod there reads this API server",
            fix="Declare the address by which other clusters reach it: "
            f"`regions.{cluster}.cluster.apiServer`.",
        )
    return current


def with_token(kubeconfig: str, *, cluster: str, token: str, server: str = "") -> str:
    """A kubeconfig of the same API server that authenticates by a token, as istiod reads other clusters with.

    As `for_others`; the CA must be in the text itself as well. The proxy by which this machine reaches the
    server is none of theirs.
    """
    current = for_others(kubeconfig, cluster=cluster, server=server)
    if not current.authority:
        raise KubeconfigError(
            f"kubeconfig of cluster '{cluster}': no certificate-authority-data; istiod in other clusters "
            "needs the CA itself, not a path",
            fix=FLATTEN,
        )
    user = {"token": token}
    return _kubeconfig(
        cluster, current.server, current.authority, f"istiod-{cluster}", user, current.server_name
    )


def _context(document: Any) -> dict[str, Any]:
    contexts = {entry["name"]: entry["context"] for entry in document["contexts"]}
    if not document.get("current-context") and len(contexts) == 1:
        return dict(next(iter(contexts.values())))
    return dict(contexts[document["current-context"]])


def _named(document: Any, holder: str, kind: str, name: str) -> dict[str, Any]:
    return dict({entry["name"]: entry[kind] for entry in document[holder]}[name] or {})


def _user(user: dict[str, Any]) -> User:
    if user.get("client-certificate-data"):
        return User(_decoded(user["client-certificate-data"]), _decoded(user["client-key-data"]))
    if user.get("token"):
        return User(token=str(user["token"]))
    if user.get("exec"):
        return User(command=str(user["exec"]["command"]))
    if user.get("auth-provider"):
        return User(command=str(user["auth-provider"]["name"]))
    return User(in_files=bool({"client-certificate", "client-key", "tokenFile"} & set(user)))


def _kubeconfig(
    cluster: str, url: str, authority: str, name: str, user: dict[str, str], server_name: str = ""
) -> str:
    where = {"certificate-authority-data": _encoded(authority), "server": url}
    if server_name:
        where["tls-server-name"] = server_name
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "clusters": [{"cluster": where, "name": cluster}],
            "contexts": [{"context": {"cluster": cluster, "user": name}, "name": cluster}],
            "current-context": cluster,
            "kind": "Config",
            "preferences": {},
            "users": [{"name": name, "user": user}],
        }
    )


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str | None) -> str:
    return base64.b64decode(text).decode() if text else ""
