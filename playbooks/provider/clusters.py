"""Ways into clusters. Their client is loaded with the first: the engine waits for a provider to come up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from access.cluster import Cluster


def open_cluster(region: str, kubeconfig: str, *, seconds: float | None = None) -> Cluster:
    """The cluster that a kubeconfig leads to; for a `with` statement. region: for messages. seconds: for each
    request, or the client's own bound. Raises `AccessError`.
    """
    from access.cluster import REQUEST_SECONDS, Cluster

    return Cluster(region, kubeconfig, seconds=REQUEST_SECONDS if seconds is None else seconds)
