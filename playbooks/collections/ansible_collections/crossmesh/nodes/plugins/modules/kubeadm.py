"""Ansible module: kubeadm init, join and reset, safe to interrupt at any point.

kubeadm refuses to go on from the middle. So two marks lie on the host: one from before its first step, one
from after its last. Where only the first is found, what is there is cleared before kubeadm starts anew. A
lock keeps two runs apart when the first has lost its connection and still works.
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.crossmesh.nodes.plugins.module_utils import (
    authorities,
    control_plane,
    encryption_keys,
    endpoint,
    etcd,
    kubeadm_program,
    restored,
    settings,
    stored_secrets,
    trust,
)
from ansible_collections.crossmesh.nodes.plugins.module_utils.authorities import AuthoritiesError
from ansible_collections.crossmesh.nodes.plugins.module_utils.control_plane import ControlPlaneError
from ansible_collections.crossmesh.nodes.plugins.module_utils.encryption_keys import EncryptionKeysError
from ansible_collections.crossmesh.nodes.plugins.module_utils.endpoint import EndpointError
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run, write
from ansible_collections.crossmesh.nodes.plugins.module_utils.kubeadm_program import (
    KubeadmError,
    carry_out,
)
from ansible_collections.crossmesh.nodes.plugins.module_utils.stored_secrets import StoredSecretsError

DOCUMENTATION = r"""
module: kubeadm
short_description: Make this host a member of a cluster, or no longer one
description:
  - Runs C(kubeadm init), C(join) or C(reset) once. A run that was interrupted is cleared and started anew by
    the next one.
  - On a control plane that runs, a changed configuration is brought into effect, one program after the other,
    each proven to answer before the next. Where one does not, all are started as they were before. In check
    mode, it is said which arguments of which programs differ.
author: Crossmesh (@crossmesh)
options:
  command:
    description: What to do.
    type: str
    choices: [init, join, reset]
    required: true
  config:
    description: kubeadm's configuration, as YAML; it reaches kubeadm through a pipe and is never on disk. Of
      a control plane, that of C(init), by which it is kept, also where it joins one that is there.
    type: str
    default: ""
  control_plane:
    description: Whether C(join) adds a control plane; one that is there stays, whichever command made it.
    type: bool
    default: false
  joining:
    description: The configuration of C(join) for a further control plane, with its token; needed until it
      has joined.
    type: str
    default: ""
  identity:
    description:
      - What cannot change on a member. A later run with another value fails instead of doing harm.
      - Its C(endpoint) may, where the API server goes on to be served at the one before (I(served)). The API
        server then gets a certificate for the new one as well, and once the cluster answers there, all is led
        to it that asks or tells of it, C(kube-proxy) and C(cluster-info) among that. A host that is none of
        the control plane follows - its kubelet starts anew.
    type: dict
    default: {}
  served:
    description: Addresses of this control plane at which its API server goes on to be served; its own is the
      first.
    type: list
    elements: str
    default: []
  names:
    description:
      - Further names in I(config) that the API server's certificate is for. Other ones make it anew.
    type: list
    elements: str
    default: []
  settings:
    description:
      - Files below C(/etc/kubernetes/crossmesh) that programs of the control plane read, root's alone. On the
        host, and in I(config), each has a part of the digest of its content in its name, so that another
        content starts anew who reads it, and what was before is there until that is proven.
      - Where an C(encryption-provider-config) has another first key, all Secrets are written anew by it. That
        is refused where another control plane could not read them; and that a key is taken out, where some
        API server writes by it, or etcd has Secrets of it.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where I(config) has it, absolute.
        type: path
        required: true
      content:
        description: Its content.
        type: str
        required: true
  authorities:
    description:
      - The cluster's authorities, also on a host that is a member. By the first of them all is issued that
        the host shows, and all of them are trusted. It is refused that others show what would not be trusted,
        or would not trust what this host is to show.
    type: dict
    default: {}
    suboptions:
      trusted:
        description: Their certificates, PEM.
        type: list
        elements: str
        default: []
      key:
        description: Private key of the first, PEM; of a control plane.
        type: str
        default: ""
  directories:
    description: Directories that have to be there before kubeadm starts, root's alone.
    type: list
    elements: path
    default: []
  files:
    description: Files that have to be there before kubeadm starts.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where the file belongs, absolute.
        type: path
        required: true
      content:
        description: Its content.
        type: str
        required: true
      mode:
        description: Its mode, octal.
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Have the host join as a further control plane
  crossmesh.nodes.kubeadm:
    command: join
    control_plane: true
    config: "{{ lookup('ansible.builtin.template', 'kubeadm.yaml.j2') }}"
    joining: "{{ lookup('ansible.builtin.template', 'join.yaml.j2') }}"
    identity:
      endpoint: 192.0.2.100:6443

- name: Initialise the control plane with a certificate authority that is given
  crossmesh.nodes.kubeadm:
    command: init
    config: "{{ lookup('ansible.builtin.template', 'kubeadm.yaml.j2') }}"
    identity:
      endpoint: 192.0.2.11:6443
    files:
      - {path: /etc/kubernetes/pki/ca.crt, mode: "0644", content: "{{ ca_certificate }}"}
      - {path: /etc/kubernetes/pki/ca.key, mode: "0600", content: "{{ ca_private_key }}"}

- name: Leave the cluster
  crossmesh.nodes.kubeadm:
    command: reset
"""

RETURN = r"""
told:
  description: What of a control plane that runs is changed, or was.
  type: list
  elements: str
  returned: success
  sample: ["kube-apiserver with --profiling=false"]
"""

PKI = Path("/etc/kubernetes/pki")
STATE = Path("/var/lib/crossmesh")
KUBELET = Path("/var/lib/kubelet/config.yaml")
BEGUN_TRUST = "authorities.begun"
"""In `STATE`, while a host is brought to other authorities."""
_CRI = "--cri-socket=unix:///run/containerd/containerd.sock"
_KUBECTL = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")
_UPLOAD = ("kubeadm", "init", "phase", "upload-config", "all", "--config=/dev/stdin")
_CERTIFICATE = ("kubeadm", "init", "phase", "certs", "apiserver", "--config=/dev/stdin")
_PROXY = (
    ("kubeadm", "init", "phase", "addon", "kube-proxy", "--config=/dev/stdin"),
    (*_KUBECTL, "--namespace=kube-system", "rollout", "restart", "daemonset/kube-proxy"),
)
_MARK = ("kubeadm", "init", "phase", "mark-control-plane", "--config=/dev/stdin")
# kubeadm adds it where it is declared, and never takes it away; to apply a list without it does not either.
_TAINT = "node-role.kubernetes.io/control-plane"

REFUSALS = (
    AuthoritiesError,
    ControlPlaneError,
    EncryptionKeysError,
    EndpointError,
    KubeadmError,
    StoredSecretsError,
    etcd.EtcdError,
)
"""What ends the module with its words alone."""


def different(recorded: dict[str, Any], declared: dict[str, Any]) -> list[str]:
    """One line for each value of the identity that is not the recorded one."""
    return [
        f"{key} is {recorded[key]!r} on the host and {declared[key]!r} in the declaration"
        for key in sorted(recorded.keys() & declared.keys())
        if recorded[key] != declared[key]
    ]


def reset(lock: int) -> None:
    """Take apart whatever kubeadm has made here, finished or not."""
    # With it, kubeadm would ask an API server that may never answer.
    Path("/etc/kubernetes/admin.conf").unlink(missing_ok=True)
    carry_out(("kubeadm", "reset", "--force", "--cleanup-tmp-dir", _CRI), "", lock)


def alone() -> AbstractContextManager[int]:
    """Hold the host's lock: wait until a run that lost its operator has ended."""
    held: AbstractContextManager[int] = kubeadm_program.alone(STATE)
    return held


def member(module: AnsibleModule, lock: int) -> list[str] | None:
    """Make the host a member; return what was changed, in words, or None for nothing."""
    command, identity = module.params["command"], module.params["identity"]
    carries = command == "init" or module.params["control_plane"]
    begun, finished = marks(command, carries=carries)
    contents, config = settings.named(module.params["settings"], module.params["config"])
    if finished.exists():
        record = json.loads(finished.read_text())
        recorded, served = record["identity"], module.params["served"]
        if endpoint.moves(recorded, identity) and (not carries or endpoint.is_served_on(recorded, served)):
            recorded = {**recorded, "endpoint": identity["endpoint"]}
        differences = different(recorded, identity)
        if differences:
            raise KubeadmError(
                "this cannot be changed on a host that is a member of a cluster: "
                f"{'; '.join(differences)}. Take the change back; or take the host out of the "
                "declaration, which resets it, and declare it anew in a later change."
            )
        if carries:
            return changed(module, finished, contents, config, lock)
        words = [*(trusting(module, lock) or []), *following(module, finished)]
        return words or None
    if module.check_mode:
        return []
    if shutil.which("kubeadm") is None:
        raise KubeadmError("kubeadm is not installed: run the phase prepare first")
    joins = carries and command == "join"
    if joins and not module.params["joining"]:
        raise KubeadmError("there is no token to join by: run again, and the cluster is asked for one")
    if begun.exists():
        if joins:
            # Half a member would be one of those that have to agree, and never does.
            leave_etcd()
        restored.keep(STATE)
        reset(lock)
    write(begun, "", 0o644)
    for file in module.params["files"]:
        write(Path(file["path"]), file["content"], int(file["mode"], 8))
    settings.lay(contents)
    settings.make(module.params["directories"])
    # The command that joins is not printed: it would have a token in it.
    skip = ("--skip-phases=show-join-command", *restored.lay(STATE)) if command == "init" else ()
    given = module.params["joining"] if joins else config
    carry_out(("kubeadm", command, "--config=/dev/stdin", *skip), given, lock)
    # kubeadm lets everybody read it.
    if KUBELET.exists():
        KUBELET.chmod(0o600)
    # A join's configuration has its token in it, and nothing in it concerns the host later on.
    record = recorded_as(module, config)
    write(finished, json.dumps(record if carries else {**record, "config": ""}), 0o600)
    begun.unlink()
    restored.forget(STATE)
    if carries:
        encryption_keys.say(identity["node"], config)
    if trusted := wanted_trust(module):
        authorities.trust_from_now_on(trusted, STATE / BEGUN_TRUST, partial(carried_out, lock), config)
    return []


def marks(command: str, *, carries: bool) -> tuple[Path, Path]:
    """The marks of begin and end; of those that a control plane may have, those that were made.

    carries: whether it is a control plane, which either command may have made.
    """
    commands = dict.fromkeys((command, "init", "join") if carries else (command,))
    pairs = [(STATE / f"{name}.begun", STATE / f"{name}.finished") for name in commands]
    found = [pair for pair in pairs if pair[1].exists()] or [pair for pair in pairs if pair[0].exists()]
    return (found or pairs)[0]


def leave_etcd() -> None:
    """Take this host's member out of etcd, if there is one. Raises KubeadmError where that cannot be."""
    try:
        if etcd.is_here():
            etcd.withdraw()
    except etcd.EtcdError as error:
        raise KubeadmError(
            f"an earlier join was interrupted, and what it left cannot be taken out of etcd: {error}"
        ) from None


def changed(
    module: AnsibleModule, finished: Path, contents: dict[Path, str], config: str, lock: int
) -> list[str] | None:
    """Bring a control plane that runs to a configuration; return what that changed, or None for nothing.

    finished: the mark that it has, which tells what it was brought to.
    """
    record = json.loads(finished.read_text())
    lost = settings.missing(contents)
    kept = STATE / "manifests-before"
    trusted, node = wanted_trust(module), module.params["identity"]["node"]
    distrusted = trust.lacking(trusted, STATE / BEGUN_TRUST) if trusted else []
    moves = endpoint.moves(record["identity"], module.params["identity"])
    is_restored = bool(set(restored.exchanged()) - set(record.get("restored", [])))
    # With what was before, a change was begun and not finished.
    due_anew = kept.exists() or bool(distrusted) or moves or is_restored
    if record["config"] == config and not due_anew:
        if not module.check_mode:
            if lost:
                settings.lay(contents)
            encryption_keys.say(node, config)
        return [f"{path} as it was" for path in lost] if lost else None
    wanted = control_plane.generated(lambda command, more: carry_out(command, config, lock, more))
    due = control_plane.differing(wanted, kept)
    words: list[str] = control_plane.told(due, kept)
    is_proxied_anew = moves or is_restored or _proxy(config) != _proxy(record["config"])
    words += ["kube-proxy's configuration"] if is_proxied_anew else []
    words += [f"the API is reached at {module.params['identity']['endpoint']}"] if moves else []
    words += (
        ["what the cluster tells of itself, since etcd has the objects of a backup"] if is_restored else []
    )
    words += distrusted
    before = encryption_keys.orders(record["config"], control_plane.present("kube-apiserver"))
    after = encryption_keys.order(contents.get(Path(encryption_keys.configured(config)), ""))
    encrypts_anew = any(order[:1] != after[:1] for order in before)
    if module.check_mode:
        return [*words, *(["all Secrets are written anew"] if encrypts_anew else [])]
    if before != [after]:
        encryption_keys.prepare(node, before, after, partial(rewritten, config))
    if trusted and distrusted:
        authorities.prepare(trusted)
    settings.lay(contents)
    settings.make(module.params["directories"])
    if trusted and distrusted:
        authorities.bring(trusted, STATE / BEGUN_TRUST, partial(carried_out, lock), config)
    if moves or record.get("names", []) != module.params["names"]:
        # kubeadm keeps one that is there. The API server takes the new one up by itself.
        for file in ("apiserver.crt", "apiserver.key"):
            (PKI / file).unlink(missing_ok=True)
    # Made where it is missing: here, or in a run that was interrupted in between.
    carry_out(_CERTIFICATE, config, lock)
    control_plane.exchange(due, kept)
    if moves:
        endpoint.see(module.params["identity"]["endpoint"])
    for step in (_UPLOAD, *(_PROXY if is_proxied_anew else ()), _MARK):
        carry_out(step, config, lock)
    tolerate(config, module.params["identity"])
    if before != [after]:
        encryption_keys.publish(node, after)
    if encrypts_anew:
        words.append(rewritten(config))
    if trusted and (distrusted or is_restored):
        authorities.announce(trusted)
    if trusted and distrusted:
        authorities.publish(trusted, trust.present(trusted))
    if is_restored:
        endpoint.announce(module.params["identity"]["endpoint"])
    if moves:
        led(record["identity"], module.params["identity"], module.params["served"])
    write(finished, json.dumps(recorded_as(module, config)), 0o600)
    control_plane.prove(kept)
    settings.clear(contents)
    return words


def recorded_as(module: AnsibleModule, config: str) -> dict[str, Any]:
    """What the mark of a member that is finished says."""
    said = {name: module.params[name] for name in ("identity", "names")}
    return {**said, "config": config, "restored": restored.exchanged()}


def wanted_trust(module: AnsibleModule) -> trust.Wanted | None:
    """The authorities that are wanted; None where nothing is said of them."""
    given = module.params["authorities"]
    if not given.get("trusted"):
        return None
    return trust.Wanted(module.params["identity"]["node"], tuple(given["trusted"]), given.get("key") or "")


def trusting(module: AnsibleModule, lock: int) -> list[str] | None:
    """Bring a node that is none of the control plane to its authorities; return what that changed."""
    trusted = wanted_trust(module)
    words: list[str] = trust.lacking(trusted, STATE / BEGUN_TRUST) if trusted else []
    if trusted and words and not module.check_mode:
        authorities.follow(trusted, STATE / BEGUN_TRUST, partial(carried_out, lock))
    return words or None


def led(before: dict[str, Any], identity: dict[str, Any], served: list[str]) -> None:
    """Have who joins learn of the endpoint that answers now, and all on this control plane reach the API
    there. before: the identity that it was brought to."""
    endpoint.announce(identity["endpoint"])
    endpoint.lead_control_plane(identity["node"], before["endpoint"], identity["endpoint"], served[0])


def following(module: AnsibleModule, finished: Path) -> list[str]:
    """Have a node that is none of the control plane reach the API at its endpoint; say what that changed."""
    record, identity = json.loads(finished.read_text()), module.params["identity"]
    if not endpoint.moves(record["identity"], identity):
        return []
    if not module.check_mode:
        endpoint.follow(identity["node"], record["identity"]["endpoint"], identity["endpoint"])
        write(finished, json.dumps({**record, "identity": identity}), 0o600)
    return [f"kubelet reaches the API at {identity['endpoint']}"]


def carried_out(lock: int, command: tuple[str, ...], config: str) -> None:
    """Run kubeadm with a configuration, with the host's lock held."""
    carry_out(command, config, lock)


def tolerate(config: str, identity: dict[str, Any]) -> None:
    """Take kubeadm's taint away where it is not declared."""
    if _TAINT in config:
        return
    taken = run(*_KUBECTL, "taint", "node", identity["node"], f"{_TAINT}:NoSchedule-")
    if taken.returncode and "not found" not in taken.stderr:
        raise KubeadmError(f"kubectl taint ended with {taken.returncode}:\n{taken.stderr.strip()}")


def rewritten(config: str) -> str:
    """Write all Secrets anew, as the API server keeps them now; say what that was."""
    port = re.search(r"^\s*bindPort: (\d+)", config, re.MULTILINE)
    there, other = stored_secrets.rewrite(int(port.group(1)) if port else 6443)
    return f"{there} Secrets written anew, of which {other} were kept in another form"


def _proxy(config: str) -> str:
    """kube-proxy's part of a configuration."""
    return next((part for part in config.split("\n---\n") if "kind: KubeProxyConfiguration" in part), "")


def no_member(module: AnsibleModule, lock: int) -> list[str] | None:
    """Take the host out of its cluster; return None where nothing was changed."""
    marks = [mark for mark in STATE.glob("*") if mark.suffix in (".begun", ".finished")]
    if marks and not module.check_mode:
        if shutil.which("kubeadm"):
            reset(lock)
        # kubeadm leaves the pods' bridge; it would answer for a slice that may be another node's soon.
        run("ip", "link", "delete", "cni0")
        shutil.rmtree("/var/lib/cni", ignore_errors=True)
        for mark in marks:
            mark.unlink()
        # What was well on the node that it was is nothing to whom it becomes; nor are its keys.
        (STATE / "well-before.json").unlink(missing_ok=True)
        (STATE / "upgrade.json").unlink(missing_ok=True)
        for kept in (STATE / "manifests-before", *STATE.glob("upgrade-*")):
            shutil.rmtree(kept, ignore_errors=True)
        settings.remove()
    return [] if marks else None


def main() -> None:
    suboptions: dict[str, Any] = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True, "no_log": True},
        "mode": {"type": "str", "required": True},
    }
    files = {"type": "list", "elements": "dict", "options": suboptions}
    of_settings = {name: option for name, option in suboptions.items() if name != "mode"}
    module = AnsibleModule(
        argument_spec={
            "command": {"type": "str", "choices": ["init", "join", "reset"], "required": True},
            "config": {"type": "str", "default": "", "no_log": True},
            "control_plane": {"type": "bool", "default": False},
            "joining": {"type": "str", "default": "", "no_log": True},
            "identity": {"type": "dict", "default": {}},
            "served": {"type": "list", "elements": "str", "default": []},
            "names": {"type": "list", "elements": "str", "default": []},
            "settings": {**files, "options": of_settings, "default": []},
            "directories": {"type": "list", "elements": "path", "default": []},
            "files": {**files, "default": [], "no_log": True},
            "authorities": {
                "type": "dict",
                "default": {},
                "no_log": True,
                "options": {
                    "trusted": {"type": "list", "elements": "str", "default": []},
                    "key": {"type": "str", "default": "", "no_log": True},
                },
            },
        },
        supports_check_mode=True,
    )
    try:
        with nullcontext(-1) if module.check_mode else alone() as lock:
            leave = module.params["command"] == "reset"
            words = no_member(module, lock) if leave else member(module, lock)
    except REFUSALS as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=words is not None, told=words or [])


if __name__ == "__main__":
    main()
