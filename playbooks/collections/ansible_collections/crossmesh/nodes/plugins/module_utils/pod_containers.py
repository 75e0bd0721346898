"""The containers of a node's pods: ended before the runtime under them is taken away."""

from __future__ import annotations

import time

from ansible_collections.crossmesh.nodes.plugins.module_utils.facts import containers
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run

NAMESPACE = "k8s.io"
"""kubelet's, in containerd."""
GRACE_SECONDS = 30.0
"""Between the two signals: `terminationGracePeriodSeconds` of a pod that does not say."""
KILL_SECONDS = 30.0
"""For containers to be gone after the second one."""
_POLL = 0.5
_CTR = ("ctr", f"--namespace={NAMESPACE}", "tasks")


class PodsError(Exception):
    """Containers of pods cannot be ended; says why."""


def are_there() -> bool:
    """Whether containers of pods run on this host."""
    return bool(containers().get(NAMESPACE))


def end() -> None:
    """Stop kubelet, which would start them anew, and end all containers of pods: SIGTERM, later SIGKILL.

    Raises PodsError; kubelet is started again then, and brings back what has ended.
    """
    _must("systemctl", "stop", "kubelet.service")
    try:
        if are_there():
            # It is containerd that ends them in its order, and takes away what held them.
            _must("systemctl", "start", "containerd.service")
            _signal("SIGTERM", GRACE_SECONDS)
        if are_there():
            _signal("SIGKILL", KILL_SECONDS)
        if are_there():
            raise PodsError(f"{containers()[NAMESPACE]} containers of pods do not end, also by SIGKILL")
    except BaseException:
        bring_back()
        raise


def bring_back() -> None:
    """Have kubelet start the node's pods again."""
    run("systemctl", "start", "kubelet.service")


def _signal(name: str, seconds: float) -> None:
    listed = _must(*_CTR, "list", "--quiet")
    for task in listed.split():
        # One that has ended meanwhile is none any more.
        run(*_CTR, "kill", f"--signal={name}", task)
    deadline = time.monotonic() + seconds
    while are_there() and time.monotonic() < deadline:
        time.sleep(_POLL)


def _must(*command: str) -> str:
    done = run(*command)
    if done.returncode:
        raise PodsError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return str(done.stdout)
