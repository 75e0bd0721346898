"""What the reader on a host tells of a directory that is one here, and what never leaves it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from live.hardening import host_script, machines
from live.hardening.facts import KUBELET, HostFacts
from live.hardening.judges import API_SERVER, ETCD, SCHEDULER
from live.hardening.points import ORDER

SCRIPT = Path(machines.__file__).with_name("host_script.py")
SECRET = "c2VjcmV0LWtleS1vZi1lbmNyeXB0aW9u"
MANIFEST = """\
spec:
  containers:
  - command:
    - kube-apiserver
    - --authorization-mode=Node,RBAC
    - --encryption-provider-config=/etc/kubernetes/encryption.yaml
    - --audit-policy-file=/etc/kubernetes/audit.yaml
    - "--request-timeout=30s"
    - --anonymous-auth
    - --etcd-prefix=/private
    env:
    - name: TOKEN
      value: hidden-value
"""
ENCRYPTION = f"""\
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - secretbox:
      keys:
      - name: one
        secret: {SECRET}
  - identity: {{}}
- resources: [configmaps]
  providers:
  # Not yet.
  - identity: {{}}
"""
AUDIT = """\
rules:
- level: None
  users: [system:kube-proxy]
- level: Metadata
  resources:
  - group: ""
    resources: [secrets, "pods/exec"]
"""


def write(root: Path, path: str, text: str, mode: int = 0o600) -> Path:
    """A file of the host."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def told(root: Path, **more: Any) -> tuple[HostFacts, str]:
    """What the script says of a host, and as what text."""
    order = json.dumps({**ORDER, "root": str(root), **more})
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], input=order, capture_output=True, text=True, check=True
    )
    return HostFacts.told(json.loads(done.stdout)), done.stdout


def running(root: Path, number: int, group: str, *words: str) -> None:
    """A process."""
    write(root, f"/proc/{number}/cmdline", "\0".join(words) + "\0")
    write(root, f"/proc/{number}/cgroup", f"0::{group}\n")


def test_flags_are_those_of_manifests_and_only_what_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "/etc/kubernetes/manifests/kube-apiserver.yaml", MANIFEST)
    facts, said = told(tmp_path)
    server = facts.arguments[API_SERVER]
    assert server.items("authorization-mode") == ["Node", "RBAC"]
    assert server.last("request-timeout") == "30s"
    assert server.last("anonymous-auth") == "true"
    assert "etcd-prefix" not in said and "hidden-value" not in said
    assert SCHEDULER not in facts.arguments and ETCD not in facts.arguments


def test_of_encryption_providers_are_told_and_no_key(tmp_path: Path) -> None:
    write(tmp_path, "/etc/kubernetes/manifests/kube-apiserver.yaml", MANIFEST)
    write(tmp_path, "/etc/kubernetes/encryption.yaml", ENCRYPTION)
    facts, said = told(tmp_path)
    assert facts.encryption == ("secretbox", "identity")
    assert SECRET not in said
    assert told(tmp_path / "nowhere")[0].encryption is None
    as_json = '{"resources": [{"resources": ["secrets"], "providers": [{"aescbc": {"keys": []}}]}]}'
    write(tmp_path, "/etc/kubernetes/encryption.yaml", as_json)
    assert told(tmp_path)[0].encryption == ("aescbc",)


_BOUNDED = """\
anonymous:
  # all
  conditions:
  - path: /livez
  - {path: '/a'}
  enabled: true
x: 1
"""
_AS_JSON = """\
{"kind": "x", "jwt": [{"issuer": {}}],
"anonymous": {"enabled": true, "conditions": [{"path": "/b"}]}}
"""


@pytest.mark.parametrize(
    ("text", "issuers", "anonymous"),
    [
        ("kind: AuthenticationConfiguration\njwt: []\n", 0, None),
        ("anonymous:\n  enabled: false\njwt:\n- issuer:\n    url: https://a\n- issuer: {url: b}\n", 2, []),
        ("anonymous:\n  enabled: true\nkind: x\n", 0, ["*"]),
        ("anonymous: {enabled: true}\n", 0, ["*"]),
        ("# anonymous:\n#   enabled: true\nkind: x\n", 0, None),
        (_BOUNDED, 0, ["/livez", "/a"]),
        (_AS_JSON, 1, ["/b"]),
        ("anonymous:\n- path: /z\nother:\n  path: /y\n", 0, ["/z"]),
    ],
)
def test_of_an_authentication_configuration_is_told_who_may_ask_without_a_name(
    tmp_path: Path, text: str, issuers: int, anonymous: list[str] | None
) -> None:
    write(tmp_path, "/x.yaml", text)
    found = host_script.authenticated(str(tmp_path), "/x.yaml")
    assert found == {"issuers": issuers, "anonymous": anonymous}
    assert host_script.authenticated(str(tmp_path), "/nowhere") is None
    assert host_script.authenticated(str(tmp_path), None) is None


def test_of_an_audit_policy_is_told_what_it_names(tmp_path: Path) -> None:
    write(tmp_path, "/etc/kubernetes/manifests/kube-apiserver.yaml", MANIFEST)
    write(tmp_path, "/etc/kubernetes/audit.yaml", AUDIT)
    assert told(tmp_path)[0].audit == ("secrets", "pods/exec")
    write(tmp_path, "/etc/kubernetes/audit.yaml", AUDIT + "- level: Metadata\n")
    assert told(tmp_path)[0].audit == ("secrets", "pods/exec", "*")
    write(tmp_path, "/etc/kubernetes/audit.yaml", AUDIT + "- level: None\n")
    assert told(tmp_path)[0].audit == ("secrets", "pods/exec")


def test_modes_are_those_of_what_links_lead_to_and_each_file_is_told_once(tmp_path: Path) -> None:
    one = write(tmp_path, "/etc/cni/net.d/10-one.conflist", "{}", 0o640)
    (one.parent / "20-two.conflist").symlink_to(one)
    (one.parent / "30-gone.conflist").symlink_to(tmp_path / "gone")
    (file,) = told(tmp_path)[0].files["/etc/cni/net.d/*"]
    assert file.mode == 0o640
    assert file.owner.count(":") == 1
    assert str(tmp_path) not in file.path


def test_kubelet_is_the_service_s_process_and_no_pod_s(tmp_path: Path) -> None:
    running(tmp_path, 7, "/kubepods/pod1/abc", "/usr/bin/kubelet", "--read-only-port=1")
    assert KUBELET not in told(tmp_path)[0].arguments
    running(
        tmp_path,
        9,
        "/system.slice/kubelet.service",
        "/usr/bin/kubelet",
        "--config-dir=/etc/kubernetes/kubelet.conf.d",
        "--hostname-override",
        "other",
        "--seccomp-default",
        "--node-ip=192.0.2.1",
    )
    arguments = told(tmp_path)[0].arguments[KUBELET]
    assert (arguments.last("hostname-override"), arguments.last("seccomp-default")) == ("other", "true")
    assert arguments.last("node-ip") is None and arguments.last("read-only-port") is None


def test_settings_are_those_of_all_of_kubelet_s_files_and_only_what_is_asked_for(tmp_path: Path) -> None:
    running(tmp_path, 9, "/system.slice/kubelet.service", "kubelet", "--config-dir=/etc/kubernetes/kubelet.d")
    text = "\n".join(
        [
            "authentication:",
            "  anonymous:",
            "    enabled: false",
            "staticPodURLHeader:",
            "  Authorization: [hidden-value]",
            "tlsCipherSuites:",
            "- A",
            "podPidsLimit: 1",
        ]
    )
    write(tmp_path, "/var/lib/kubelet/config.yaml", text)
    write(
        tmp_path, "/etc/kubernetes/kubelet.d/10-a.conf", '{"podPidsLimit": 2, "authentication": {"x509": {}}}'
    )
    write(tmp_path, "/etc/kubernetes/kubelet.d/20-b.conf", "podPidsLimit: 3\n---\nnone: 1\n")
    write(tmp_path, "/etc/kubernetes/kubelet.d/30-c.txt", "podPidsLimit: 4\n")
    facts, said = told(tmp_path)
    assert facts.kubelet["tlsCipherSuites"] == ["A"]
    assert facts.kubelet["authentication"] == {"anonymous": {"enabled": False}, "x509": {}}
    assert facts.kubelet["podPidsLimit"] == 3
    assert "hidden-value" not in said


def test_settings_of_the_kernel_are_those_it_has(tmp_path: Path) -> None:
    write(tmp_path, "/proc/sys/kernel/panic", "10\n")
    assert told(tmp_path)[0].sysctls == {"kernel.panic": "10"}


def test_of_sshd_is_told_what_holds_for_root_and_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    def said(*options: str) -> dict[str, str]:
        if options:
            return {"permitrootlogin": "no", "passwordauthentication": "no", "port": "22"}
        return {"permitrootlogin": "yes", "passwordauthentication": "yes"}

    monkeypatch.setattr(host_script, "sshd_says", said)
    assert host_script.sshd(["passwordauthentication", "permitrootlogin", "x"]) == {
        "passwordauthentication": "no,yes",
        "permitrootlogin": "no",
    }


def test_sshd_s_own_words_are_read_and_without_it_there_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = write(tmp_path, "/sshd", "#!/bin/sh\necho PermitRootLogin no\necho port 22\n", 0o700)
    monkeypatch.setattr(host_script, "SSHD", (str(program),))
    assert host_script.sshd_says() == {"permitrootlogin": "no", "port": "22"}
    monkeypatch.setattr(host_script, "SSHD", (str(tmp_path / "none"),))
    assert host_script.sshd_says() == {}


def test_a_value_that_may_be_secret_is_not_shown() -> None:
    assert host_script.shown("initial-cluster-token", "hidden") == "…"
    assert host_script.shown("token-auth-file", "/etc/tokens.csv") == "/etc/tokens.csv"
    assert host_script.shown("enable-bootstrap-token-auth", "true") == "true"
    assert host_script.shown("etcd-servers", "https://me:hidden@192.0.2.1") == "https://…@192.0.2.1"
