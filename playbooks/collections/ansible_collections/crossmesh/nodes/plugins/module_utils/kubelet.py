"""kubelet on a host that is a member: started anew, and seen to live."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run, wait_until_well

SECONDS = 180.0
"""For kubelet to be given a certificate, and to be heard of: it asks again after some seconds, and later each
time longer."""
_POLL, _SETTLE = 1.0, 0.0
_MOMENT = "%Y-%m-%dT%H:%M:%S"
"""As leases have it, without what is less than a second."""
_NODE = "--kubeconfig=/etc/kubernetes/kubelet.conf"


class KubeletError(Exception):
    """kubelet does not live; says why."""


def restart(node: str, lacking: Callable[[], list[str]] = list) -> None:
    """Start kubelet anew, and see that it says itself that it lives, by the API server that it reaches.

    lacking: what else is not well yet, in words. Pods go on. Raises KubeletError.
    """
    began = time.strftime(_MOMENT, time.gmtime())
    done = run("systemctl", "restart", "kubelet.service")
    if done.returncode:
        raise KubeletError(f"kubelet does not start: {done.stderr.strip()}")

    def complaints() -> list[str]:
        if words := lacking():
            return words
        lease = (f"lease/{node}", "--output=jsonpath={.spec.renewTime}")
        told = run("kubectl", _NODE, "--request-timeout=5s", "--namespace=kube-node-lease", "get", *lease)
        # Its own clock has both.
        if told.returncode or told.stdout[: len(began)] < began:
            return [f"kubelet has not said since that it lives: {told.stderr.strip() or told.stdout}"]
        return []

    if words := wait_until_well(complaints, timeout=SECONDS, settle=_SETTLE, poll=_POLL):
        raise KubeletError(f"after {SECONDS:.0f} s, {'; '.join(words)}")
