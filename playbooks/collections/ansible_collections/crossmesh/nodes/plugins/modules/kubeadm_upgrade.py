"""Ansible module: what kubeadm made on a node is brought to another version of Kubernetes; kubelet is not.

A kubelet is never newer than its API server, and reads a configuration that kubeadm of its version wrote. So
this comes before kubelet's package. kubeadm may be killed anywhere: what it may leave half done is a manifest
that is moved away and not back yet. All manifests are kept before its first step, so that one is put back.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run, wait_until_well, write
from ansible_collections.crossmesh.nodes.plugins.module_utils.kubeadm_program import (
    KubeadmError,
    alone,
    carry_out,
)
from ansible_collections.crossmesh.nodes.plugins.module_utils.upgraded_node import (
    Node,
    SilentError,
    refusal,
    unproven,
)

DOCUMENTATION = r"""
module: kubeadm_upgrade
short_description: Bring what kubeadm made on this node to another version of Kubernetes
description:
  - Runs C(kubeadm upgrade) of the kubeadm that is installed, on a host that is a member of a cluster, and
    proves what it left. On a control plane this is C(apply) for the first host of a version and C(node) for
    further ones. Before its first step it keeps the manifests of static pods and a snapshot of etcd on the
    host.
  - It refuses what Kubernetes does not support, a version before the one that there is, or more than one
    minor version after it, and a worker whose API server is not there yet. A run that was interrupted goes
    on.
author: Crossmesh (@crossmesh)
options:
  version:
    description: Version of Kubernetes, without a leading v.
    type: str
    required: true
  state:
    description: V(allowed) only sees whether it may be done.
    type: str
    choices: [allowed, upgraded]
    default: upgraded
  ignore_preflight:
    description: Checks of kubeadm whose errors become warnings.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for the API server before the upgrade, and for all that there was after it.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Upgrade what kubeadm made on this node
  crossmesh.nodes.kubeadm_upgrade:
    version: 1.35.3
"""

RETURN = r"""
command:
  description: Which C(kubeadm upgrade) it was, or would be.
  type: str
  returned: when it was not that far already
  sample: apply
snapshot:
  description: Where the snapshot of etcd from before the upgrade lies on the host; empty on a worker.
  type: str
  returned: when it was upgraded
  sample: /var/lib/crossmesh/upgrade-1.35.3/etcd-1.34.9.db
"""

STATE = Path("/var/lib/crossmesh")
KUBERNETES = Path("/etc/kubernetes")
ETCD = Path("/var/lib/etcd")
_POLL, _SETTLE, _STANDING = 2.0, 5.0, 60.0
_ATTEMPTS = 3
"""kubeadm's own check of a cluster waits 15 s for a Job's pod, which a busy host may miss."""
_PKI = "/etc/kubernetes/pki/etcd"
_SNAPSHOT = "crossmesh-snapshot.db"
_WHERE = "a guide of this project has the ways back: docs/guides/upgrades.md"


def allow(node: Node, ignored: list[str]) -> None:
    """Raise KubeadmError where it may not be done. Raises SilentError."""
    # One that was begun may have left nobody to ask; that it may be done was seen then.
    if not node.recorded() and (why_not := refusal(node, ignored)):
        raise KubeadmError(f"nothing was changed: {why_not}")


def put_back(node: Node) -> list[str]:
    """Put manifests back that a broken-off kubeadm has moved away; return which."""
    there, kept = node.manifests, node.kept / "manifests"
    missing = [file.name for file in sorted(kept.glob("*.yaml")) if not (there / file.name).exists()]
    for name in missing:
        write(there / name, (kept / name).read_text(), 0o600)
    return missing


def keep_manifests(node: Node) -> None:
    """Keep the manifests as they are before the first step, whole or not at all; those of earlier ones go."""
    kept = node.kept / "manifests"
    if kept.exists():
        return
    for other in STATE.glob("upgrade-*"):
        if other != node.kept:
            shutil.rmtree(other)
    partial = node.kept / ".manifests.new"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    for file in node.manifests.glob("*.yaml"):
        shutil.copy2(file, partial / file.name)
    partial.rename(kept)


def snapshot(node: Node, served: str) -> Path:
    """Have etcd's data from before the upgrade in a file on this host. Raises KubeadmError."""
    kept: Path = node.kept / f"etcd-{served}.db"
    # Once the API server is a newer one, what etcd holds is not from before.
    earlier: list[Path] = list(node.kept.glob("etcd-*.db"))
    if earlier:
        return earlier[0]
    files = [f"--cacert={_PKI}/ca.crt", f"--cert={_PKI}/healthcheck-client.crt"]
    files += [f"--key={_PKI}/healthcheck-client.key", "--endpoints=https://127.0.0.1:2379"]
    command = ["exec", "--namespace=kube-system", f"etcd-{node.name}", "--", "etcdctl", *files]
    # kubectl would break off a snapshot that takes longer than it waits for an answer.
    base = [word for word in node.kubectl() if not word.startswith("--request-timeout")]
    taken = run(
        *base, *command, "snapshot", "save", str(ETCD / _SNAPSHOT), env={**os.environ, "HOME": "/root"}
    )
    if taken.returncode:
        words = " ".join(f"{taken.stdout} {taken.stderr}".split())[-600:]
        raise KubeadmError(f"nothing was upgraded: etcd's snapshot from before it cannot be taken: {words}")
    partial = node.kept / ".snapshot.new"
    shutil.move(ETCD / _SNAPSHOT, partial)
    partial.chmod(0o600)
    partial.rename(kept)
    return kept


def command_of(node: Node) -> str:
    """`apply` where this host is the first of its cluster, or was when it began; else `node`."""
    if begun := node.recorded().get("command"):
        return str(begun)
    if not node.is_control_plane:
        return "node"
    where = ("get", "configmap", "kubeadm-config", "--namespace=kube-system", "--output=json")
    declared = json.loads(node.ask(*where))["data"]["ClusterConfiguration"]
    return "node" if f"kubernetesVersion: v{node.version}\n" in f"{declared}\n" else "apply"


def configuration(version: str, ignored: list[str]) -> str:
    """What `kubeadm upgrade` is told: it takes none of this from the cluster's own configuration."""
    own = {"ignorePreflightErrors": ignored, "imagePullPolicy": "IfNotPresent"}
    return json.dumps(
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "UpgradeConfiguration",
            "apply": {"kubernetesVersion": f"v{version}", **own},
            "node": own,
            # By default kubeadm takes all back after five minutes, which a slow disk may need for etcd.
            "timeouts": {"upgradeManifests": "10m0s"},
        }
    )


def run_kubeadm(node: Node, command: str, ignored: list[str], lock: int) -> None:
    """Run it. Raises KubeadmError that says what serves now."""
    flags = ("--yes",) if command == "apply" else ()
    words = ("kubeadm", "upgrade", command, *flags, "--config=/dev/stdin")
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            carry_out(words, configuration(node.version, ignored), lock)
            return
        except KubeadmError as error:
            if "[ERROR CreateJob]" in str(error) and attempt < _ATTEMPTS:
                continue
            raise KubeadmError(f"{error}\n{standing(node)}") from error


def standing(node: Node) -> str:
    """In words, what is left after a failure, and how to go on or back."""
    if not node.is_control_plane:
        return "kubelet was left as it was, and serves. Mend the cause and run again"
    silence = ""

    def answers() -> list[str]:
        nonlocal silence
        try:
            silence = ""
            node.ask("get", "--raw", "/readyz")
        except SilentError as error:
            silence = str(error)
        return [silence] if silence else []

    wait_until_well(answers, timeout=_STANDING, settle=0, poll=_POLL)
    kept = f"What there was before is kept in {node.kept}; {_WHERE}"
    if silence:
        return f"The API server of this host does not answer: {silence}. {kept}"
    return (
        f"The API server of this host serves, as {node.served()}; kubelet was left as it was. Mend the cause "
        f"and run again, which goes on. {kept}"
    )


def _wait_for_server(node: Node, seconds: float) -> None:
    def silent() -> list[str]:
        try:
            node.ask("get", "--raw", "/readyz")
        except SilentError as error:
            return [str(error)]
        return []

    if words := wait_until_well(silent, timeout=seconds, settle=0, poll=_POLL):
        raise KubeadmError(
            f"nothing was upgraded: the API server does not answer within {seconds:.0f} s: {words[0]}. See "
            "`journalctl -u kubelet` and /var/log/pods of this host or its control plane, mend it, run again"
        )


def upgrade(node: Node, module: AnsibleModule, lock: int) -> dict[str, Any]:
    """Bring it to the version; return what was done. Raises KubeadmError and SilentError."""
    if node.recorded().get("done"):
        return {"changed": False}
    if module.check_mode:
        return {"changed": True, "command": command_of(node)}
    seconds, taken = module.params["timeout"], ""
    if node.is_control_plane:
        put_back(node)
    _wait_for_server(node, seconds)
    if not node.recorded() and (why_not := refusal(node, module.params["ignore_preflight"])):
        raise KubeadmError(f"nothing was upgraded: {why_not}")
    if node.is_control_plane:
        keep_manifests(node)
        taken = str(snapshot(node, node.served()))
    command = command_of(node)
    node.note(command=command)
    run_kubeadm(node, command, module.params["ignore_preflight"], lock)
    if node.is_control_plane:
        words = wait_until_well(lambda: unproven(node), timeout=seconds, settle=_SETTLE, poll=_POLL)
        if words:
            told = f"{'; '.join(words)}.\n{standing(node)}"
            raise KubeadmError(f"kubeadm upgrade {command} ended well, and after {seconds} s {told}")
        # Each run of kubeadm leaves a copy of all of etcd's files; of the first one there is the snapshot.
        for copy in (KUBERNETES / "tmp").glob("kubeadm-backup-etcd-*"):
            shutil.rmtree(copy, ignore_errors=True)
    # Of a change of arguments that was broken off: manifests of the version before.
    shutil.rmtree(STATE / "manifests-before", ignore_errors=True)
    node.note(command=command, done=True)
    return {"changed": True, "command": command, "snapshot": taken}


def member() -> str:
    """Name of the node that this host is; empty for none, or for one that is only half there."""
    for mark in STATE.glob("*.finished"):
        return str(json.loads(mark.read_text())["identity"].get("node", ""))
    return ""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["allowed", "upgraded"], "default": "upgraded"},
            "ignore_preflight": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    node = Node(member(), module.params["version"], STATE, KUBERNETES)
    result: dict[str, Any] = {"changed": False}
    try:
        with nullcontext(-1) if module.check_mode else alone(STATE) as lock:
            if node.name and module.params["state"] == "allowed":
                # A control plane has its turn first: before it, nobody can say of its workers.
                if node.is_control_plane or not module.check_mode:
                    allow(node, module.params["ignore_preflight"])
            elif node.name:
                result = upgrade(node, module, lock)
    except KubeadmError as error:
        module.fail_json(msg=str(error))
    except SilentError as error:
        module.fail_json(msg=f"the API server of {node.name}'s cluster does not answer: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
