"""Ansible module: whether a node is as well after a change of its host as it was before.

What was well before is written down on the host, and stays there until it is well again: a run that is made
again after a failure still knows it. Everything is asked with kubelet's own rights.
"""

from __future__ import annotations

import json
import os
import socket
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.crossmesh.nodes.plugins.module_utils import etcd
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run, wait_until_well, write

DOCUMENTATION = r"""
module: node_health
short_description: See that a change of a node's host left its pods well
description:
  - Called before a change with O(state=remembered), it keeps which pods of this node are ready, and which
    addresses of its cluster's services answer from here. Called after it with O(state=proven), it waits
    until the node is ready, its kubelet has reported since, and all of these that still exist are well, for
    O(settle) seconds without a break; on a control plane with all members of etcd. Where etcd would serve
    nobody without this host's member, O(state=remembered) fails. On a host that is no member of a cluster it
    does nothing.
author: Crossmesh (@crossmesh)
options:
  state:
    description: Which of the two.
    type: str
    choices: [remembered, proven]
    required: true
  timeout:
    description: Seconds to wait.
    type: int
    default: 300
  settle:
    description: Seconds for which all has to be well.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: Keep in mind what is well on this node
  crossmesh.nodes.node_health:
    state: remembered

- name: See that the node and its pods are as well as before, within five minutes
  crossmesh.nodes.node_health:
    state: proven
"""

RETURN = r"""
node:
  description: Name of the node; empty where the host is no member of a cluster.
  type: str
  returned: success
  sample: eu-worker-1
kubelet:
  description: Version of kubelet's package; empty where there is none, and where there is no cluster.
  type: str
  returned: success
  sample: 1.35.3-1.1
upgrading:
  description: The version to which an upgrade that was begun here has not come yet; empty for none.
  type: str
  returned: success
  sample: ""
"""

STATE = Path("/var/lib/crossmesh")
MEMORY = STATE / "well-before.json"
UPGRADE = STATE / "upgrade.json"
"""How far C(kubeadm_upgrade) has come."""
_KUBECTL = ("kubectl", "--kubeconfig=/etc/kubernetes/kubelet.conf", "--request-timeout=5s", "get")
_POLL = 2.0
_CONNECT = 3.0
_SHOWN = 5


class SilentError(Exception):
    """The API server does not answer; says why."""


def member() -> str:
    """Name of the node that this host is; empty for none, or for one that is only half there."""
    for mark in STATE.glob("*.finished"):
        return str(json.loads(mark.read_text())["identity"].get("node", ""))
    return ""


def versions() -> dict[str, str]:
    """What of Kubernetes the node runs, and what it is on its way to."""
    # Without the package nothing is said, and the program fails.
    installed = run("dpkg-query", "-W", "-f", "${Version}", "kubelet").stdout
    begun = json.loads(UPGRADE.read_text()) if UPGRADE.exists() else {}
    return {"kubelet": installed, "upgrading": "" if begun.get("done") else str(begun.get("to", ""))}


def ask(*what: str) -> dict[str, Any]:
    """What the API server has of it."""
    result = run(*_KUBECTL, *what, "--output=json", env={**os.environ, "HOME": "/root"})
    if result.returncode:
        raise SilentError(" ".join(result.stderr.split()) or f"kubectl ended with {result.returncode}")
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def is_true(entry: dict[str, Any], condition: str) -> bool:
    """Whether a node or pod has a condition."""
    conditions = (entry.get("status") or {}).get("conditions") or ()
    return any(found["type"] == condition and found["status"] == "True" for found in conditions)


def pods(node: str) -> dict[str, dict[str, Any]]:
    """The node's pods by UID, without those that are on their way out."""
    found = ask("pods", "--all-namespaces", f"--field-selector=spec.nodeName={node}")["items"]
    return {pod["metadata"]["uid"]: pod for pod in found if not pod["metadata"].get("deletionTimestamp")}


def gateways() -> list[str]:
    """`address:port` of what the cluster's services offer to the outside, TCP."""
    return sorted(
        f"{address}:{port['port']}"
        for service in ask("services", "--all-namespaces")["items"]
        for address in addresses(service)
        for port in service["spec"].get("ports") or ()
        if port.get("protocol", "TCP") == "TCP"
    )


def addresses(service: dict[str, Any]) -> list[str]:
    """A load balancer's, and such of machines that lead to the service."""
    balanced = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    given = [ingress["ip"] for ingress in balanced if ingress.get("ip")]
    return given + (service["spec"].get("externalIPs") or [])


def answers(place: str) -> bool:
    """Whether something accepts a connection there."""
    address, _, port = place.rpartition(":")
    try:
        socket.create_connection((address, int(port)), timeout=_CONNECT).close()
    except OSError:
        return False
    return True


def remember(node: str) -> None:
    """Write down what is well, unless an earlier change has, and was not proven."""
    if MEMORY.exists():
        return
    ready, answering = {}, []
    try:
        ready = {uid: named(pod) for uid, pod in pods(node).items() if is_true(pod, "Ready")}
        answering = [place for place in gateways() if answers(place)]
    except SilentError:
        # Nobody knows what was well; that the node is ready is asked for in any case.
        pass
    write(MEMORY, json.dumps({"pods": ready, "gateways": answering}), 0o600)


def missing(node: str, memory: dict[str, Any], since: float) -> list[str]:
    """What is not well yet, in words."""
    try:
        if not is_true(ask("node", node), "Ready"):
            return [f"the node {node} is not ready"]
        renewed = ask("lease", node, "--namespace=kube-node-lease")["spec"].get("renewTime") or ""
        if not renewed or datetime.fromisoformat(renewed.replace("Z", "+00:00")).timestamp() < since:
            return ["its kubelet has not reported since the change"]
        there = pods(node)
    except SilentError as error:
        return [f"the API server does not answer: {error}"]
    lost = [uid for uid in memory["pods"] if uid in there and not is_true(there[uid], "Ready")]
    words = [f"the pod {memory['pods'][uid]} is not ready" for uid in lost]
    words += [f"{place} does not answer" for place in memory["gateways"] if not answers(place)]
    # The next control plane is changed when all members are there again: etcd spares one of three.
    return [*words, *etcd.complaints()]


def named(pod: dict[str, Any]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def prove(node: str, timeout: float, settle: float) -> list[str]:
    """Wait until all is well; return what is not, when the time is over."""
    begun, memory = time.time(), json.loads(MEMORY.read_text())
    words: list[str] = wait_until_well(
        lambda: missing(node, memory, begun), timeout=timeout, settle=settle, poll=_POLL
    )
    return words


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["remembered", "proven"], "required": True},
            "timeout": {"type": "int", "default": 300},
            "settle": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    node = member()
    if node and not module.check_mode:
        if module.params["state"] == "remembered":
            if etcd.is_here() and (words := etcd.endangered()):
                module.fail_json(msg=f"{node} is not changed: {words}, and run again.")
            remember(node)
        elif MEMORY.exists():
            seconds = module.params["timeout"]
            if words := prove(node, seconds, module.params["settle"]):
                more = f", and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
                told = f"{'; '.join(words[:_SHOWN])}{more}"
                look = f"kubectl describe node {node}; journalctl -u kubelet -u containerd"
                msg = (
                    f"not as well as before the change, after {seconds} s: {told}. Look at the node ({look})"
                )
                module.fail_json(msg=f"{msg}, mend it, and run again.")
            MEMORY.unlink()
    of_kubernetes = versions() if node else {"kubelet": "", "upgrading": ""}
    module.exit_json(changed=False, node=node, **of_kubernetes)


if __name__ == "__main__":
    main()
