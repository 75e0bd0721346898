"""Hosts that are directories here, with what kubeadm and kubelet put there."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from live.expiry import machines
from tests.unit.operations.support import Issued, issue

SCRIPT = Path(machines.__file__).with_name("host_script.py")
CA = issue("kubernetes", ca=True, days=3650)
ETCD = issue("etcd-ca", ca=True, days=3650)
SERVER = issue("kube-apiserver", CA, days=200)


def kubeconfig(client: Issued) -> str:
    """As kubeadm writes one, with certificate and key in it."""
    certificate = base64.b64encode(client.pem.encode()).decode()
    key = base64.b64encode(client.key_pem.encode()).decode()
    user = f"    client-certificate-data: {certificate}\n    client-key-data: {key}\n"
    return f"users:\n- name: x\n  user:\n{user}"


def public(pair: Issued) -> str:
    """The public part of a key pair."""
    key = pair.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key.decode()


def write(root: Path, path: str, text: str) -> Path:
    """A file of the host."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def control_plane(root: Path) -> None:
    """What is on a host of a control plane."""
    write(root, "/etc/kubernetes/pki/ca.crt", CA.pem)
    write(root, "/etc/kubernetes/pki/ca.key", CA.key_pem)
    write(root, "/etc/kubernetes/pki/apiserver.crt", SERVER.pem)
    write(root, "/etc/kubernetes/pki/apiserver.key", SERVER.key_pem)
    write(root, "/etc/kubernetes/pki/etcd/ca.crt", ETCD.pem)
    write(root, "/etc/kubernetes/pki/etcd/server.crt", issue("eu-cp-1", ETCD, days=200).pem)
    pair = issue("service accounts")
    write(root, "/etc/kubernetes/pki/sa.key", pair.key_pem)
    write(root, "/etc/kubernetes/pki/sa.pub", public(pair))
    write(root, "/etc/kubernetes/admin.conf", kubeconfig(issue("kubernetes-admin", CA, days=200)))
    write(root, "/etc/kubernetes/kubelet.conf", f"client-certificate: {machines.CLIENT}\n")
    kubelet(root)


def kubelet(root: Path) -> None:
    """What is on every node."""
    client = issue("system:node:x", CA, days=200)
    write(root, "/var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\nrotateCertificates: true\n")
    dated = write(root, "/var/lib/kubelet/pki/kubelet-client-2026.pem", client.pem + client.key_pem)
    (dated.parent / "kubelet-client-current.pem").symlink_to(dated)
    write(root, machines.SERVED, issue("x@1", days=200).pem)
    write(
        root,
        "/var/lib/kubelet/pki/kubelet.key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    )


def told(root: Path) -> Any:
    """What the script says of a host."""
    order = json.dumps({"root": str(root)})
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], input=order, capture_output=True, text=True, check=True
    )
    assert "PRIVATE KEY" not in done.stdout
    return json.loads(done.stdout)
