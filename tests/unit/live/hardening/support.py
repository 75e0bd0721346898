"""A host as kubeadm and the roles make it, and changes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from live.hardening import host_script
from live.hardening.facts import KUBELET, Arguments, Authentication, File, HostFacts, merged
from live.hardening.judges import API_SERVER, CONTROLLER_MANAGER, ETCD, SCHEDULER
from live.hardening.points import ORDER

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "playbooks"
"""What the roles write, kept in step with them by their own tests."""
PKI = "/etc/kubernetes/pki"
Change = Callable[[HostFacts], HostFacts]

_KUBEADM: Mapping[str, Mapping[str, str]] = {
    API_SERVER: {
        "enable-admission-plugins": "NodeRestriction",
        "service-account-key-file": f"{PKI}/sa.pub",
        "client-ca-file": f"{PKI}/ca.crt",
        "tls-cert-file": f"{PKI}/apiserver.crt",
        "tls-private-key-file": f"{PKI}/apiserver.key",
        "kubelet-client-certificate": f"{PKI}/apiserver-kubelet-client.crt",
        "kubelet-client-key": f"{PKI}/apiserver-kubelet-client.key",
        "etcd-cafile": f"{PKI}/etcd/ca.crt",
        "etcd-certfile": f"{PKI}/apiserver-etcd-client.crt",
        "etcd-keyfile": f"{PKI}/apiserver-etcd-client.key",
        "authorization-mode": "Node,RBAC",
    },
    CONTROLLER_MANAGER: {
        "bind-address": "127.0.0.1",
        "root-ca-file": f"{PKI}/ca.crt",
        "service-account-private-key-file": f"{PKI}/sa.key",
        "use-service-account-credentials": "true",
    },
    SCHEDULER: {"bind-address": "127.0.0.1"},
    ETCD: {
        "cert-file": f"{PKI}/etcd/server.crt",
        "key-file": f"{PKI}/etcd/server.key",
        "trusted-ca-file": f"{PKI}/etcd/ca.crt",
        "client-cert-auth": "true",
        "peer-cert-file": f"{PKI}/etcd/peer.crt",
        "peer-key-file": f"{PKI}/etcd/peer.key",
        "peer-client-cert-auth": "true",
    },
}
"""What kubeadm 1.35.3 gives its programs (`getAPIServerCommand` and its like), as far as points ask."""
_KUBELET = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous:
    enabled: false
  webhook:
    cacheTTL: 0s
    enabled: true
  x509:
    clientCAFile: /etc/kubernetes/pki/ca.crt
authorization:
  mode: Webhook
rotateCertificates: true
streamingConnectionIdleTimeout: 0s
"""
"""What kubeadm 1.35.3 writes of kubelet's settings."""


def _declared() -> dict[str, dict[str, str]]:
    """What the role `control_plane` adds to kubeadm's."""
    documents = yaml.safe_load_all((GOLDEN / "control_plane" / "kubeadm.yaml").read_text())
    (cluster,) = (one for one in documents if one["kind"] == "ClusterConfiguration")
    parts = {"apiServer": API_SERVER, "controllerManager": CONTROLLER_MANAGER, "scheduler": SCHEDULER}
    return {
        program: {extra["name"]: extra["value"] for extra in cluster[part].get("extraArgs", ())}
        for part, program in parts.items()
    }


def _arguments() -> dict[str, Arguments]:
    added = _declared()
    given = {program: {**own, **added.get(program, {})} for program, own in _KUBEADM.items()}
    given[KUBELET] = {"config": "/var/lib/kubelet/config.yaml"}
    return {program: Arguments.of(list(flags.items())) for program, flags in given.items()}


def _files() -> dict[str, tuple[File, ...]]:
    manifests = {
        f"/etc/kubernetes/manifests/{name}.yaml": 0o600
        for name in (API_SERVER, CONTROLLER_MANAGER, SCHEDULER, ETCD)
    }
    modes = {
        **manifests,
        "/var/lib/etcd": 0o700,
        "/etc/kubernetes/admin.conf": 0o600,
        "/etc/kubernetes/super-admin.conf": 0o600,
        "/etc/kubernetes/scheduler.conf": 0o600,
        "/etc/kubernetes/controller-manager.conf": 0o600,
        "/etc/kubernetes/kubelet.conf": 0o600,
        PKI: 0o755,
        f"{PKI}/ca.crt": 0o644,
        "/var/lib/kubelet/config.yaml": 0o600,
        "/usr/lib/systemd/system/kubelet.service": 0o600,
    }
    of_pattern = {
        "/etc/cni/net.d/*": ("/etc/cni/net.d/10-crossmesh.conflist", 0o600),
        f"{PKI}/*.crt": (f"{PKI}/ca.crt", 0o644),
        f"{PKI}/*.key": (f"{PKI}/ca.key", 0o600),
    }
    single = {path: (path, mode) for path, mode in modes.items()}
    return {
        pattern: (File(path, mode, "root:root"),)
        for pattern, (path, mode) in {**single, **of_pattern}.items()
    }


_SETTINGS = f"{GOLDEN}/control_plane"

MADE = HostFacts(
    encryption=tuple(host_script.providers(_SETTINGS, "/encryption.yaml")),
    audit=tuple(host_script.audited(_SETTINGS, "/audit-policy.yaml", ORDER["audited"])),
    authentication=Authentication.told(host_script.authenticated(_SETTINGS, "/authentication.yaml")),
    files=_files(),
    arguments=_arguments(),
    kubelet=merged([_KUBELET, (GOLDEN / "kubelet" / "host.conf").read_text()]),
    sshd={
        "permitrootlogin": "without-password",
        "passwordauthentication": "yes",
        "kbdinteractiveauthentication": "no",
        "permitemptypasswords": "no",
    },
    sysctls={
        "vm.overcommit_memory": "1",
        "vm.panic_on_oom": "0",
        "kernel.panic": "10",
        "kernel.panic_on_oops": "1",
        "kernel.randomize_va_space": "2",
        "fs.protected_hardlinks": "1",
        "fs.protected_symlinks": "1",
        "fs.suid_dumpable": "0",
        "kernel.dmesg_restrict": "1",
        "kernel.kptr_restrict": "1",
        "kernel.unprivileged_bpf_disabled": "2",
        "net.ipv4.tcp_syncookies": "1",
        "net.ipv4.conf.all.accept_source_route": "0",
        "net.ipv4.conf.default.accept_redirects": "0",
        "net.ipv4.conf.all.send_redirects": "0",
        "net.ipv6.conf.all.accept_redirects": "0",
    },
)
"""A host with a control plane, as kubeadm and the roles make it on a Debian."""


def flag(program: str, name: str, value: str | None) -> Change:
    """With a flag of another value, or without it."""

    def change(facts: HostFacts) -> HostFacts:
        values = {key: known for key, known in facts.arguments[program].values.items() if key != name}
        if value is not None:
            values[name] = (value,)
        return replace(facts, arguments={**facts.arguments, program: Arguments(values)})

    return change


def kubelet(**settings: Any) -> Change:
    """With other settings of kubelet's."""
    return lambda facts: replace(facts, kubelet={**facts.kubelet, **settings})


def file(pattern: str, mode: int | None = None, owner: str | None = None) -> Change:
    """With files of another mode or owner; there are some then."""

    def change(facts: HostFacts) -> HostFacts:
        found = facts.files.get(pattern) or (File(pattern, 0o600, "root:root"),)
        other = tuple(
            replace(one, mode=one.mode if mode is None else mode, owner=owner or one.owner) for one in found
        )
        return replace(facts, files={**facts.files, pattern: other})

    return change


def sysctl(name: str, value: str) -> Change:
    """With another setting of the kernel."""
    return lambda facts: replace(facts, sysctls={**facts.sysctls, name: value})


def sshd(name: str, value: str) -> Change:
    """With another setting of sshd."""
    return lambda facts: replace(facts, sshd={**facts.sshd, name: value})


def together(*changes: Change) -> Change:
    """Several changes."""

    def change(facts: HostFacts) -> HostFacts:
        for one in changes:
            facts = one(facts)
        return facts

    return change
