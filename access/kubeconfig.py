"""Kubeconfigs as text: made from certificates, read for what is in them, and narrowed to a token."""

from __future__ import annotations

import base64
from typing import Any

import yaml


def from_certificates(
    cluster: str, server: str, *, authority: str, certificate: str, private_key: str
) -> str:
    """A kubeconfig that authenticates by a client certificate.

    cluster: name of cluster, context and, with `-admin`, user. server: URL. The other three: PEM.
    """
    user = {"client-certificate-data": _encoded(certificate), "client-key-data": _encoded(private_key)}
    return _kubeconfig(cluster, server, _encoded(authority), f"{cluster}-admin", user)


def with_token(kubeconfig: str, *, cluster: str, token: str) -> str:
    """A kubeconfig of the same API server that authenticates by a token, as istiod reads other clusters with.

    Raises `ValueError` when the kubeconfig does not carry the CA itself: a path means nothing in another
    cluster.
    """
    current = _current_cluster(kubeconfig)
    authority = current.get("certificate-authority-data")
    if authority is None:
        raise ValueError(
            f"kubeconfig of cluster '{cluster}': no certificate-authority-data; istiod in other clusters "
            "needs the CA itself, not a path. Write it with `kubectl config view --raw --flatten --minify`."
        )
    return _kubeconfig(cluster, current["server"], authority, f"istiod-{cluster}", {"token": token})


def server(kubeconfig: str) -> str:
    """The URL of the API server that a kubeconfig's current context leads to."""
    return str(_current_cluster(kubeconfig)["server"])


def _current_cluster(kubeconfig: str) -> dict[str, Any]:
    document = yaml.safe_load(kubeconfig)
    if not isinstance(document, dict) or not document.get("clusters"):
        raise ValueError("a kubeconfig is a YAML document with `clusters`; this text is none")
    contexts = {entry["name"]: entry["context"] for entry in document.get("contexts") or []}
    clusters = {entry["name"]: entry["cluster"] for entry in document["clusters"]}
    context = contexts.get(document.get("current-context"))
    if context is None:
        if len(clusters) != 1:
            raise ValueError("a kubeconfig of more than one cluster needs a current-context that exists")
        return dict(next(iter(clusters.values())))
    return dict(clusters[context["cluster"]])


def _kubeconfig(cluster: str, url: str, authority: str, name: str, user: dict[str, str]) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "clusters": [
                {"cluster": {"certificate-authority-data": authority, "server": url}, "name": cluster}
            ],
            "contexts": [{"context": {"cluster": cluster, "user": name}, "name": cluster}],
            "current-context": cluster,
            "kind": "Config",
            "preferences": {},
            "users": [{"name": name, "user": user}],
        }
    )


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
