"""A bootstrap token for one `kubeadm join`: made just before it, deleted right after it."""

from __future__ import annotations

import contextlib
import secrets
import string
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from access.cluster import Cluster
from access.errors import STARTING, AccessError
from playbooks.provider.membership import is_ready
from stacks.system_namespaces import KUBE_SYSTEM

_ALPHABET = string.ascii_lowercase + string.digits
_SECRETS = f"/api/v1/namespaces/{KUBE_SYSTEM}/secrets"
# The cluster's own cleaner removes a token that nobody could delete.
LIFETIME = timedelta(minutes=15)
ATTEMPTS = 30
"""So often the API server is asked, once a second, until it is given up."""
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}"
_SILENT = timedelta(seconds=60)
"""A kubelet that lives renews its lease every ten seconds."""
SEEN_SECONDS = 150.0
"""For a cluster to see that a node is silent: a controller manager that has just been started waits 15 s for
the lease of the one before, then 50 s for the node (`--node-monitor-grace-period`)."""
POLL_SECONDS = 2.0


@contextlib.contextmanager
def join_token(
    kubeconfig: str, host: str, say: Callable[[str], None], *, attempts: int = ATTEMPTS
) -> Iterator[str]:
    """Make a token for `host` and delete it at the end. Raises OperationsError when nothing answers."""
    token_id, token_secret = _random(6), _random(16)
    name = f"bootstrap-token-{token_id}"
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": KUBE_SYSTEM},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": {
            "description": f"crossmesh: join of {host}",
            "token-id": token_id,
            "token-secret": token_secret,
            "expiration": (datetime.now(UTC) + LIFETIME).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "true",
            "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        },
    }
    with Cluster("", kubeconfig) as cluster:
        try:
            _persistently(lambda: cluster.post(_SECRETS, body), say, attempts)
            _until_silence_is_seen(cluster, host, say)
            yield f"{token_id}.{token_secret}"
        finally:
            # One that could not be deleted ends by itself: see LIFETIME.
            with contextlib.suppress(*STARTING):
                cluster.delete(f"{_SECRETS}/{name}")


def _until_silence_is_seen(cluster: Cluster, node: str, say: Callable[[str], None]) -> None:
    """Return once a node is not counted as there any more whose machine is silent, at the latest after
    `SEEN_SECONDS`: kubeadm refuses to have another machine join in the place of one that is Ready. So it is
    where a store that was brought back knows nodes of machines that are new.
    """
    deadline = time.monotonic() + SEEN_SECONDS
    with contextlib.suppress(AccessError):
        first = _renewed(cluster, node)
        # By this computer's clock, which may be wrong: so it has to stay the same too.
        while first and datetime.now(UTC) - datetime.fromisoformat(first) > _SILENT:
            ready = is_ready(cluster.get(f"/api/v1/nodes/{node}") or {})
            if not ready or _renewed(cluster, node) != first or time.monotonic() > deadline:
                return
            say(f"waiting for the cluster to see that {node} is silent since {first}")
            time.sleep(POLL_SECONDS)


def _renewed(cluster: Cluster, node: str) -> str:
    """When a node's kubelet has said last that it lives; empty for one that never has."""
    lease = cluster.get(_LEASE.format(node=node)) or {}
    return str((lease.get("spec") or {}).get("renewTime") or "")


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _persistently(action: Callable[[], object], say: Callable[[str], None], attempts: int) -> None:
    """Do it, and again while the API server cannot answer, once a second."""
    for attempt in range(attempts):
        try:
            action()
        except STARTING as exc:
            if attempt + 1 == attempts:
                raise
            say(f"waiting for the API server to make a join token: {exc.message}")
            time.sleep(1)
        else:
            return
