"""What an Envoy of the mesh says of itself, asked through its agent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from access.cluster import Cluster
from access.errors import AccessError

CONTAINER = "istio-proxy"
_DOMAIN = ".svc.cluster.local"


@dataclass(frozen=True)
class Passed:
    """Requests that an Envoy passed on to one endpoint since it knows it."""

    requests: int = 0
    errors: int = 0
    """Of these, those that were answered with a status from 500 on, or not at all."""


def clusters(cluster: Cluster, namespace: str, pod: str) -> dict[str, Any]:
    """Envoy's own `clusters?format=json`: the services that it knows, and their endpoints.

    Raises AccessError.
    """
    command = ["pilot-agent", "request", "GET", "clusters?format=json"]
    done = cluster.execute(namespace, pod, CONTAINER, command)
    try:
        return dict(json.loads(done.stdout))
    except (ValueError, TypeError) as error:
        words = (done.stderr or done.stdout).strip()[:200]
        raise AccessError(f"{pod} does not say its endpoints: {words or error}") from error


def passed_on(document: Mapping[str, Any]) -> dict[tuple[str, str], Passed]:
    """What `clusters` counts, by service (`name.namespace`) and endpoint; what is no service of Kubernetes is
    left out.

    Counters of endpoints are always kept (`/clusters` in Envoy's `operations/admin`), while Istio has Envoy
    keep few of its statistics, and none of its requests unless Istio's own filters are in it.
    """
    found = {}
    for status in document.get("cluster_statuses", ()):
        direction, _, rest = str(status.get("name", "")).partition("|")
        service = rest.rpartition("|")[2]
        if direction != "outbound" or not service.endswith(_DOMAIN):
            continue
        for host in status.get("host_statuses", ()):
            # Counters that are 0 have no value.
            counts = {one.get("name"): int(one.get("value") or 0) for one in host.get("stats", ())}
            key = service.removesuffix(_DOMAIN), _endpoint(host, status["name"])
            found[key] = Passed(counts.get("rq_total", 0), counts.get("rq_error", 0))
    return found


def _endpoint(host: Mapping[str, Any], cluster: str) -> str:
    """An endpoint's address and port, and by which of a service's clusters it is known."""
    address = host.get("address", {}).get("socket_address", {})
    return f"{address.get('address', '')}:{address.get('port_value', '')} {cluster}"
