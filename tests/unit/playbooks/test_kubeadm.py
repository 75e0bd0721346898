"""The module kubeadm on a control plane that runs, with a kubeadm and a kubectl that are scripts, and a
kubelet that starts whatever a manifest says, but for what is broken."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.crossmesh.nodes.plugins.module_utils import (
    authorities,
    control_plane,
    encryption_keys,
    endpoint,
    etcd,
    host,
    kubeadm_program,
    restored,
    settings,
    stored_secrets,
    trust,
)
from ansible_collections.crossmesh.nodes.plugins.module_utils.trust import Said

from tests.unit.operations.support import Issued, issue
from tests.unit.playbooks.conftest import ModuleFailed

IDENTITY = {"node": "eu-cp-1"}
TAINTED = 'taints: [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]'
UNTAINT = "taint node eu-cp-1 node-role.kubernetes.io/control-plane:NoSchedule-"
KUBEADM = """\
#!/bin/sh
cat > {directory}/config
echo "{name} $*" >> {directory}/log
. {directory}/then
case "$*" in *--dry-run*) ;; *) exit 0;; esac
for name in etcd kube-apiserver kube-controller-manager kube-scheduler; do
  {{ printf '    - %s\\n' "$name"; grep -e "- --$name" {directory}/config | sed "s/--$name-/--/"; }} \\
    > "$KUBEADM_INIT_DRYRUN_DIR/$name.yaml"
done
"""
"""Starts each program with the lines of its configuration that begin with `- --PROGRAM-`."""


REFUSED = (
    authorities.AuthoritiesError,
    control_plane.ControlPlaneError,
    encryption_keys.EncryptionKeysError,
    endpoint.EndpointError,
    etcd.EtcdError,
    kubeadm_program.KubeadmError,
    stored_secrets.StoredSecretsError,
)


class Module:
    """What Ansible gives the module."""

    check_mode = False

    def __init__(self, config: str, names: list[str] | None = None, **more: Any) -> None:
        self.params: dict[str, Any] = {
            "command": "init",
            "identity": IDENTITY,
            "served": [],
            "config": config,
            "files": [],
            "names": names or [],
            "settings": [],
            "directories": [],
            "control_plane": True,
            "joining": "",
            "authorities": {},
            **more,
        }


class Kubelet:
    """Starts what manifests say; what has the argument `--broken` ends again and again."""

    def __init__(self, directory: Path) -> None:
        self.processes, self.logs = directory / "proc", directory / "pods"
        self.started: list[str] = []

    def write(self, path: Path, content: str, mode: int) -> None:
        host.write(path, content, mode)
        if path.parent.name == "manifests":
            self.started.append(path.stem)
            self.start(path.stem, content)

    def start(self, name: str, manifest: str) -> None:
        number = control_plane.PROGRAMS.index(name) + 1
        process = self.processes / str(number)
        process.mkdir(parents=True, exist_ok=True)
        words = control_plane.arguments(manifest)
        if "--broken" in words:
            (process / "cmdline").unlink(missing_ok=True)
            log = self.logs / f"kube-system_{name}-eu-cp-1_{len(self.started)}" / name
            log.mkdir(parents=True)
            for count in (2, 3):
                line = "2026-11-30T00:00:00.0Z stderr F Error: unknown flag: --broken\n"
                (log / f"{count}.log").write_text(line)
        else:
            (process / "cmdline").write_bytes("\0".join([f"/usr/bin/{name}", *words, ""]).encode())


@pytest.fixture
def kubelet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubelet:
    made = Kubelet(tmp_path)
    monkeypatch.setattr(control_plane, "write", made.write)
    monkeypatch.setattr(control_plane, "MANIFESTS", tmp_path / "manifests")
    monkeypatch.setattr(control_plane, "PROC", made.processes)
    monkeypatch.setattr(control_plane, "LOGS", made.logs)
    monkeypatch.setattr(control_plane, "_url", lambda *_: "")
    monkeypatch.setattr(control_plane, "_SETTLE", 0.0)
    monkeypatch.setattr(settings, "DIRECTORY", tmp_path / "settings")
    for name in control_plane.PROGRAMS:
        made.write(tmp_path / "manifests" / f"{name}.yaml", f"    - {name}\n", 0o600)
    made.started.clear()
    return made


@pytest.fixture
def kubeadm(
    ansible_module: Callable[[str], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kubelet: Kubelet,
) -> ModuleType:
    """The module on a host whose control plane was made with another configuration."""
    module = ansible_module("kubeadm")
    monkeypatch.setattr(module, "STATE", tmp_path)
    monkeypatch.setattr(module, "PKI", tmp_path)
    monkeypatch.setattr(restored, "ETCD", tmp_path / "etcd")
    monkeypatch.setattr(module, "KUBELET", tmp_path / "kubelet.yaml")
    for file in ("apiserver.crt", "apiserver.key"):
        (tmp_path / file).touch()
    (tmp_path / "init.finished").write_text(json.dumps({"identity": IDENTITY, "config": "another"}))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("kubeadm", "kubectl"):
        script = programs / name
        script.write_text(KUBEADM.format(directory=tmp_path, name=name))
        script.chmod(0o755)
    (tmp_path / "then").touch()
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return module


def log(directory: Path) -> list[str]:
    return (directory / "log").read_text().splitlines()


def run(module: ModuleType, asked: Module) -> list[str] | None:
    with module.alone() as lock:
        words: list[str] | None = module.member(asked, lock)
        return words


def started_by(directory: Path, name: str) -> list[str]:
    return control_plane.arguments((directory / "manifests" / f"{name}.yaml").read_text())


def test_a_control_plane_that_is_to_take_workload_loses_kubeadm_s_taint(
    kubeadm: ModuleType, tmp_path: Path
) -> None:
    assert run(kubeadm, Module("taints: []")) == []
    assert log(tmp_path)[-1] == f"kubectl --kubeconfig=/etc/kubernetes/admin.conf {UNTAINT}"


def test_one_that_is_to_take_none_gets_it_back_from_kubeadm(kubeadm: ModuleType, tmp_path: Path) -> None:
    assert run(kubeadm, Module(TAINTED)) == []
    assert log(tmp_path)[-1] == "kubeadm init phase mark-control-plane --config=/dev/stdin"


@pytest.mark.parametrize(("words", "fails"), [("taint not found", False), ("connection refused", True)])
def test_a_taint_that_is_gone_is_no_error_and_another_refusal_is_one(
    kubeadm: ModuleType, tmp_path: Path, words: str, fails: bool
) -> None:
    (tmp_path / "then").write_text(f'case "$*" in *" taint "*) echo "error: {words}" >&2; exit 1;; esac\n')
    if fails:
        with pytest.raises(kubeadm.KubeadmError, match=words):
            run(kubeadm, Module("taints: []"))
    else:
        run(kubeadm, Module("taints: []"))
    done = json.loads((tmp_path / "init.finished").read_text())
    assert done["config"] == ("another" if fails else "taints: []")


def test_other_names_of_the_api_server_make_its_certificate_anew(kubeadm: ModuleType, tmp_path: Path) -> None:
    assert run(kubeadm, Module("other", names=["tower.lab.example.org"])) == []
    assert not (tmp_path / "apiserver.crt").exists()
    assert not (tmp_path / "apiserver.key").exists()
    assert "kubeadm init phase certs apiserver --config=/dev/stdin" in log(tmp_path)
    assert json.loads((tmp_path / "init.finished").read_text())["names"] == ["tower.lab.example.org"]


def test_the_same_names_leave_the_certificate_alone(kubeadm: ModuleType, tmp_path: Path) -> None:
    assert run(kubeadm, Module("other")) == []
    assert (tmp_path / "apiserver.crt").exists()


def test_a_certificate_is_made_before_it_is_recorded(kubeadm: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "then").write_text("exit 1\n")
    with pytest.raises(kubeadm.KubeadmError):
        run(kubeadm, Module("other", names=["a.example.org"]))
    (tmp_path / "then").write_text("")
    assert run(kubeadm, Module("other", names=["a.example.org"])) == []
    assert "kubeadm init phase certs apiserver --config=/dev/stdin" in log(tmp_path)


def test_other_arguments_start_those_programs_anew_and_no_other(
    kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path
) -> None:
    words = run(kubeadm, Module("- --kube-apiserver-profiling=false\n- --etcd-quota=2"))
    assert words == ["etcd with --quota=2", "kube-apiserver with --profiling=false"]
    assert kubelet.started == ["etcd", "kube-apiserver"]
    assert started_by(tmp_path, "kube-apiserver") == ["--profiling=false"]
    assert "kubeadm init phase upload-config all --config=/dev/stdin" in log(tmp_path)
    assert not (tmp_path / "manifests-before").exists()


def test_a_second_run_changes_nothing_and_asks_nobody(kubeadm: ModuleType, tmp_path: Path) -> None:
    asked = "- --kube-apiserver-profiling=false"
    assert run(kubeadm, Module(asked))
    (tmp_path / "log").unlink()
    assert run(kubeadm, Module(asked)) is None
    assert not (tmp_path / "log").exists()


def test_check_mode_says_what_would_change_and_changes_nothing(
    kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path
) -> None:
    (tmp_path / "manifests" / "kube-scheduler.yaml").write_text("    - kube-scheduler\n    - --v=9\n")
    asked = Module("- --kube-apiserver-profiling=false\nkind: KubeProxyConfiguration")
    asked.check_mode = True
    assert kubeadm.member(asked, -1) == [
        "kube-apiserver with --profiling=false",
        "kube-scheduler without --v=9",
        "kube-proxy's configuration",
    ]
    assert all("--dry-run" in line for line in log(tmp_path))
    assert not kubelet.started
    assert json.loads((tmp_path / "init.finished").read_text())["config"] == "another"


def test_a_program_that_ends_again_and_again_is_taken_back_with_all_that_changed_before_it(
    kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path
) -> None:
    asked = "- --etcd-quota=2\n- --kube-apiserver-broken\n- --kube-scheduler-v=2"
    with pytest.raises(kubeadm.ControlPlaneError) as failed:
        run(kubeadm, Module(asked))
    words = str(failed.value)
    assert words.startswith("kube-apiserver does not answer with its new arguments: it ends again and again")
    assert "Error: unknown flag: --broken" in words
    assert words.endswith("All are as they were before, and answer")
    assert kubelet.started == ["etcd", "kube-apiserver", "etcd", "kube-apiserver"]
    assert all(not started_by(tmp_path, name) for name in control_plane.PROGRAMS)
    assert json.loads((tmp_path / "init.finished").read_text())["config"] == "another"
    assert not any("upload-config" in line for line in log(tmp_path))


def test_what_was_there_before_an_interrupted_change_is_what_a_failed_one_goes_back_to(
    kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path
) -> None:
    """Killed between the write and the proof: the next run must not take the unproven for what was before."""
    before = tmp_path / "manifests-before" / "kube-apiserver.yaml"
    host.write(before, "    - kube-apiserver\n    - --v=1\n", 0o600)
    kubelet.write(
        tmp_path / "manifests" / "kube-apiserver.yaml", "    - kube-apiserver\n    - --broken\n", 0o600
    )
    with pytest.raises(kubeadm.ControlPlaneError):
        run(kubeadm, Module("- --kube-apiserver-broken"))
    assert started_by(tmp_path, "kube-apiserver") == ["--v=1"]


def test_what_a_member_of_etcd_joined_is_kept(kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path) -> None:
    joined = "    - --initial-cluster=a=https://1,b=https://2\n    - --initial-cluster-state=existing\n"
    manifest = f"    - etcd\n{joined}"
    kubelet.write(tmp_path / "manifests" / "etcd.yaml", manifest, 0o600)
    kubelet.started.clear()
    run(kubeadm, Module("    - --etcd-initial-cluster=b=https://2"))
    assert not kubelet.started
    run(kubeadm, Module("    - --etcd-initial-cluster=b=https://2\n    - --etcd-quota=2"))
    assert kubelet.started == ["etcd"]
    assert (tmp_path / "manifests" / "etcd.yaml").read_text() == f"{manifest}    - --quota=2\n"


@pytest.mark.parametrize(
    ("there", "wanted", "brought"),
    [
        ("3.7.0-0", "3.6.8-0", "3.7.0-0"),
        ("3.6.10-0", "3.6.8-0", "3.6.10-0"),
        ("3.6.8-0", "3.7.0-0", "3.7.0-0"),
    ],
)
def test_an_etcd_is_never_exchanged_for_an_earlier_one(
    there: str, wanted: str, brought: str, kubelet: Kubelet, tmp_path: Path
) -> None:
    """An upgrade that stopped behind etcd left a later one than the API server's own kubeadm brings: an
    earlier one does not start over its data."""

    def manifest(version: str, more: str = "") -> str:
        return f"    - etcd\n{more}    image: registry.k8s.io/etcd:{version}\n"

    kubelet.write(tmp_path / "manifests" / "etcd.yaml", manifest(there), 0o600)
    generated = {name: control_plane.present(name) for name in control_plane.PROGRAMS}
    again = control_plane.differing({**generated, "etcd": manifest(wanted)}, tmp_path / "kept")
    assert again == ({} if there == brought else {"etcd": manifest(brought)})
    more = "    - --quota=2\n"
    changed = control_plane.differing({**generated, "etcd": manifest(wanted, more)}, tmp_path / "kept")
    assert changed == {"etcd": manifest(brought, more)}


def test_kube_proxy_starts_anew_only_where_its_own_configuration_is_another(
    kubeadm: ModuleType, tmp_path: Path
) -> None:
    proxy = "kind: KubeProxyConfiguration\nmode: iptables"
    assert run(kubeadm, Module(f"a\n---\n{proxy}")) == ["kube-proxy's configuration"]
    assert any("rollout restart" in line for line in log(tmp_path))
    (tmp_path / "log").unlink()
    assert run(kubeadm, Module(f"b\n---\n{proxy}")) == []
    assert not any("kube-proxy" in line for line in log(tmp_path))


def test_a_host_that_has_joined_keeps_kubelet_s_configuration_to_root(
    kubeadm: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "init.finished").unlink()
    (tmp_path / "kubelet.yaml").touch(mode=0o644)
    assert run(kubeadm, Module("first")) == []
    assert (tmp_path / "kubelet.yaml").stat().st_mode & 0o777 == 0o600


# -- Settings

POLICY = "/etc/kubernetes/crossmesh/policy.yaml"


def with_setting(tmp_path: Path, content: str, flag: str = "audit-policy-file") -> Module:
    path = str(tmp_path / "settings" / "policy.yaml")
    config = f"- --kube-apiserver-{flag}={path}\n# {{name: {flag}, value: {path}}}"
    return Module(config, settings=[{"path": path, "content": content}])


def test_a_setting_is_named_after_its_content_for_root_alone(kubeadm: ModuleType, tmp_path: Path) -> None:
    run(kubeadm, with_setting(tmp_path, "one"))
    (file,) = (tmp_path / "settings").iterdir()
    assert re.fullmatch(r"policy-[0-9a-f]{12}\.yaml", file.name)
    assert file.read_text() == "one"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert started_by(tmp_path, "kube-apiserver") == [f"--audit-policy-file={file}"]


def test_another_content_starts_anew_who_reads_it_and_the_old_one_goes_when_that_is_proven(
    kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path
) -> None:
    run(kubeadm, with_setting(tmp_path, "one"))
    assert run(kubeadm, with_setting(tmp_path, "one")) is None
    kubelet.started.clear()
    assert run(kubeadm, with_setting(tmp_path, "two"))
    assert kubelet.started == ["kube-apiserver"]
    assert [file.read_text() for file in (tmp_path / "settings").iterdir()] == ["two"]


def test_a_setting_of_a_change_that_was_taken_back_leaves_the_one_before(
    kubeadm: ModuleType, tmp_path: Path
) -> None:
    run(kubeadm, with_setting(tmp_path, "one"))
    broken = with_setting(tmp_path, "two")
    broken.params["config"] += "\n- --kube-apiserver-broken"
    with pytest.raises(kubeadm.ControlPlaneError):
        run(kubeadm, broken)
    (argument,) = started_by(tmp_path, "kube-apiserver")
    assert Path(argument.partition("=")[2]).read_text() == "one"


@pytest.mark.parametrize("check", [True, False])
def test_a_setting_that_somebody_took_away_or_opened_is_put_back_and_nothing_starts_anew(
    kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path, check: bool
) -> None:
    run(kubeadm, with_setting(tmp_path, "one"))
    kubelet.started.clear()
    (file,) = (tmp_path / "settings").iterdir()
    file.chmod(0o644)
    asked = with_setting(tmp_path, "one")
    asked.check_mode = check
    assert run(kubeadm, asked) == [f"{file} as it was"]
    assert file.stat().st_mode & 0o777 == (0o644 if check else 0o600)
    assert not kubelet.started


def test_directories_are_root_s_alone(kubeadm: ModuleType, tmp_path: Path) -> None:
    run(kubeadm, Module("other", directories=[str(tmp_path / "log-of-requests")]))
    assert (tmp_path / "log-of-requests").stat().st_mode & 0o777 == 0o700


def keys_of(directory: Path, *names: str) -> Module:
    """What has these keys of Secrets; `identity` among them for none."""
    lines = [
        "- identity: {}" if name == "identity" else f"- {{name: {name}, secret: AAAA}}" for name in names
    ]
    asked = with_setting(directory, "\n".join(lines), flag="encryption-provider-config")
    asked.params["config"] += "\n  bindPort: 7443"
    return asked


def said_of(*order: str) -> encryption_keys.Said:
    return encryption_keys.Said.of(order)


class Others:
    """What other control planes say they have, what this one says, and what etcd has Secrets by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.there: dict[str, encryption_keys.Said] = {}
        self.said: list[tuple[list[str], ...]] = []
        self.stored: Counter[str] = Counter()
        self.writer = ""
        self.ports: list[int] = []
        monkeypatch.setattr(encryption_keys, "others", lambda node: self.there)
        monkeypatch.setattr(encryption_keys, "publish", lambda node, *orders: self.said.append(orders))
        monkeypatch.setattr(encryption_keys.etcd, "secrets_by_key", lambda: self.stored)
        monkeypatch.setattr(stored_secrets, "rewrite", self.rewrite)

    def rewrite(self, port: int) -> tuple[int, int]:
        self.ports.append(port)
        there = sum(self.stored.values())
        other = there - self.stored[self.writer]
        if self.writer:
            self.stored = Counter({self.writer: there})
        return there, other


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Others:
    return Others(monkeypatch)


def test_another_first_key_writes_all_secrets_anew_and_nothing_else_does(
    kubeadm: ModuleType, tmp_path: Path, others: Others
) -> None:
    run(kubeadm, with_setting(tmp_path, "one"))
    others.stored, others.writer = Counter({"identity": 5, "key-1": 2}), "key-1"
    words = run(kubeadm, keys_of(tmp_path, "key-1", "identity"))
    assert words is not None
    assert words[-1] == "7 Secrets written anew, of which 5 were kept in another form"
    words = run(kubeadm, keys_of(tmp_path, "key-1", "key-2", "identity"))
    assert words is not None and "written anew" not in words[-1]
    assert others.ports == [7443]
    others.writer = "key-2"
    words = run(kubeadm, keys_of(tmp_path, "key-2", "key-1", "identity"))
    assert words is not None
    assert words[-1] == "7 Secrets written anew, of which 7 were kept in another form"
    assert others.said[-1] == (["key-2", "key-1", "identity"],)


def test_a_key_that_another_control_plane_lacks_is_written_by_nobody(
    kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path, others: Others
) -> None:
    others.there = {"eu-cp-2": said_of("identity", "key-1"), "eu-cp-3": said_of()}
    with pytest.raises(encryption_keys.EncryptionKeysError, match="by key-1, and eu-cp-3 could not read"):
        run(kubeadm, keys_of(tmp_path, "key-1", "identity"))
    assert not kubelet.started and not others.said
    others.there["eu-cp-3"] = said_of("identity", "key-1")
    assert run(kubeadm, keys_of(tmp_path, "key-1", "identity"))


def test_a_key_by_which_something_writes_is_not_taken_out(
    kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path, others: Others
) -> None:
    run(kubeadm, keys_of(tmp_path, "key-1", "identity"))
    kubelet.started.clear()
    with pytest.raises(encryption_keys.EncryptionKeysError, match="key-1 would be taken out, and this host"):
        run(kubeadm, keys_of(tmp_path, "key-2", "identity"))
    run(kubeadm, keys_of(tmp_path, "key-2", "key-1", "identity"))
    others.there = {"eu-cp-2": said_of("key-1", "key-2", "identity")}
    with pytest.raises(encryption_keys.EncryptionKeysError, match="eu-cp-2 writes Secrets by it"):
        run(kubeadm, keys_of(tmp_path, "key-2", "identity"))


def test_a_key_that_secrets_are_stored_by_is_taken_out_once_they_are_written_anew(
    kubeadm: ModuleType, tmp_path: Path, others: Others
) -> None:
    run(kubeadm, keys_of(tmp_path, "key-2", "key-1", "identity"))
    others.stored, others.writer = Counter({"key-2": 3, "key-1": 1}), "key-1"
    with pytest.raises(encryption_keys.EncryptionKeysError, match=r"only a key can read .*: 4 by key-1"):
        run(kubeadm, keys_of(tmp_path, "key-2", "identity"))
    others.writer = "key-2"
    assert run(kubeadm, keys_of(tmp_path, "key-2", "identity"))
    # Nobody counts on a key while it is taken out.
    assert others.said[-2:] == [
        (["key-2", "key-1", "identity"], ["key-2", "identity"]),
        (["key-2", "identity"],),
    ]


def test_what_a_run_that_broke_off_has_started_counts_too(
    kubeadm: ModuleType, tmp_path: Path, others: Others
) -> None:
    """It went from key 1 to key 2, and comes back: others must not take for granted what it was proven by."""
    run(kubeadm, keys_of(tmp_path, "key-1", "key-2"))
    (tmp_path / "then").write_text('case "$*" in *upload-config*) exit 1;; esac\n')
    with pytest.raises(kubeadm.KubeadmError):
        run(kubeadm, keys_of(tmp_path, "key-2", "key-1"))
    (tmp_path / "then").write_text("")
    others.ports.clear()
    assert run(kubeadm, keys_of(tmp_path, "key-1", "key-2"))
    assert others.said[-2:] == [
        (["key-1", "key-2"], ["key-2", "key-1"], ["key-1", "key-2"]),
        (["key-1", "key-2"],),
    ]
    assert others.ports, "what was written by key 2 is written anew"


def test_the_node_says_its_keys_also_where_nothing_changes(
    kubeadm: ModuleType, tmp_path: Path, others: Others
) -> None:
    run(kubeadm, keys_of(tmp_path, "key-1", "identity"))
    others.said.clear()
    assert run(kubeadm, keys_of(tmp_path, "key-1", "identity")) is None
    assert others.said == [(["key-1", "identity"],)]


def test_where_secrets_are_not_written_anew_the_next_run_does_it(
    kubeadm: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: Others
) -> None:
    def fails(port: int) -> tuple[int, int]:
        raise stored_secrets.StoredSecretsError("the Secret a/b is not written anew: no")

    monkeypatch.setattr(stored_secrets, "rewrite", fails)
    asked = keys_of(tmp_path, "key-1", "identity")
    with pytest.raises(kubeadm.StoredSecretsError):
        run(kubeadm, asked)
    monkeypatch.setattr(stored_secrets, "rewrite", lambda _: (2, 2))
    words = run(kubeadm, asked)
    assert words is not None
    assert words[-1] == "2 Secrets written anew, of which 2 were kept in another form"


def test_a_change_that_was_not_finished_can_be_given_up(
    kubeadm: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(kubeadm, Module("- --kube-apiserver-v=1"))
    (tmp_path / "then").write_text('case "$*" in *upload-config*) exit 1;; esac\n')
    with pytest.raises(kubeadm.KubeadmError):
        run(kubeadm, Module("- --kube-apiserver-v=2"))
    (tmp_path / "then").write_text("")
    assert run(kubeadm, Module("- --kube-apiserver-v=1")) == []
    assert started_by(tmp_path, "kube-apiserver") == ["--v=1"]


def test_a_host_that_leaves_keeps_no_key(
    kubeadm: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(kubeadm, with_setting(tmp_path, "one"))
    for name in ("run", "reset"):
        monkeypatch.setattr(kubeadm, name, lambda *_: None)
    monkeypatch.setattr(kubeadm.shutil, "rmtree", _only_below(tmp_path))
    asked = Module("", command="reset")
    with kubeadm.alone() as lock:
        assert kubeadm.no_member(asked, lock) == []
        assert kubeadm.no_member(asked, lock) is None
    assert not (tmp_path / "settings").exists()


def _only_below(directory: Path) -> Callable[..., None]:
    """Removes nothing of the computer that the test runs on."""
    remove = shutil.rmtree
    return lambda path, **more: remove(path, **more) if directory in Path(path).parents else None


class Joining(Module):
    """One that joins a cluster that is there."""

    def __init__(self, config: str, joining: str = "token") -> None:
        super().__init__(config)
        self.params |= {"command": "join", "joining": joining}


def test_a_further_control_plane_joins_once_and_is_kept_by_the_configuration_of_all(
    kubeadm: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "init.finished").unlink()
    with kubeadm.alone() as lock:
        assert kubeadm.member(Joining("all"), lock) == []
        assert kubeadm.member(Joining("all", joining=""), lock) is None
    assert log(tmp_path) == ["kubeadm join --config=/dev/stdin"]
    record = json.loads((tmp_path / "join.finished").read_text())
    assert record == {"identity": IDENTITY, "config": "all", "names": [], "restored": []}
    with kubeadm.alone() as lock:
        assert kubeadm.member(Joining("other", joining=""), lock) is not None
    assert "kubeadm init phase certs apiserver --config=/dev/stdin" in log(tmp_path)


def test_one_that_has_joined_never_makes_a_cluster_of_its_own(kubeadm: ModuleType, tmp_path: Path) -> None:
    """The first of a cluster was taken out, and this one is the first now."""
    (tmp_path / "init.finished").rename(tmp_path / "join.finished")
    with kubeadm.alone() as lock:
        assert kubeadm.member(Module("another"), lock) is None
        assert kubeadm.member(Module("other"), lock) is not None
    assert not any(line.startswith("kubeadm init --config") for line in log(tmp_path))
    assert json.loads((tmp_path / "join.finished").read_text())["config"] == "other"
    assert not (tmp_path / "init.finished").exists()


def test_the_one_that_made_the_cluster_does_not_join_it(kubeadm: ModuleType, tmp_path: Path) -> None:
    with kubeadm.alone() as lock:
        assert kubeadm.member(Joining("another"), lock) is None
    assert not (tmp_path / "log").exists()


def test_a_join_that_was_interrupted_leaves_etcd_before_it_begins_anew(
    kubeadm: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "init.finished").unlink()
    (tmp_path / "join.begun").touch()
    left: list[list[str]] = []
    monkeypatch.setattr(kubeadm.etcd, "is_here", lambda: True)
    monkeypatch.setattr(kubeadm.etcd, "withdraw", lambda: left.append([]) or True)
    with kubeadm.alone() as lock:
        assert kubeadm.member(Joining("all"), lock) == []
    assert len(left) == 1
    assert [line.split()[1] for line in log(tmp_path)] == ["reset", "join"]


def test_a_join_whose_rest_cannot_leave_etcd_is_not_begun_anew(
    kubeadm: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "init.finished").unlink()
    (tmp_path / "join.begun").touch()

    def withdraw() -> bool:
        raise kubeadm.etcd.EtcdError("nobody answers")

    monkeypatch.setattr(kubeadm.etcd, "is_here", lambda: True)
    monkeypatch.setattr(kubeadm.etcd, "withdraw", withdraw)
    with kubeadm.alone() as lock, pytest.raises(kubeadm.KubeadmError, match=r"interrupted.*nobody answers"):
        kubeadm.member(Joining("all"), lock)
    assert not (tmp_path / "log").exists()


def test_a_control_plane_begins_from_what_a_restore_has_put_on_its_host(
    kubeadm: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "init.finished").unlink()
    monkeypatch.setattr(kubeadm.restored, "ETCD", tmp_path / "etcd")
    (tmp_path / "etcd-restored" / "member").mkdir(parents=True)
    (tmp_path / "then").write_text("exit 1")
    with pytest.raises(kubeadm.KubeadmError):
        run(kubeadm, Module("all"))
    (tmp_path / "then").write_text('[ "$1" != reset ] || rm -rf ' + str(tmp_path / "etcd" / "member"))
    assert run(kubeadm, Module("all")) == []
    option = "--ignore-preflight-errors=DirAvailable--var-lib-etcd"
    init = f"kubeadm init --config=/dev/stdin --skip-phases=show-join-command {option}"
    assert [line.partition(" --force")[0] for line in log(tmp_path)] == [init, "kubeadm reset", init]
    assert (tmp_path / "etcd" / "member").is_dir()
    assert not (tmp_path / "etcd-restored").exists()


def test_nobody_joins_without_a_token(kubeadm: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "init.finished").unlink()
    with kubeadm.alone() as lock, pytest.raises(kubeadm.KubeadmError, match="no token"):
        kubeadm.member(Joining("all", joining=""), lock)
    assert not (tmp_path / "join.begun").exists()


OLD, NEW = issue("kubernetes-eu", ca=True), issue("kubernetes-eu-2", ca=True)
A, B = (trust.names(each.pem)[0] for each in (OLD, NEW))


class Trust:
    """What the host lacks, what it trusts, and what was done to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lacks: list[str] = []
        self.now = Said(frozenset({A}), frozenset({A}))
        self.there: dict[str, Said] = {}
        self.done: list[Any] = []
        monkeypatch.setattr(trust, "lacking", lambda wanted, begun: self.lacks)
        monkeypatch.setattr(trust, "present", lambda wanted: self.now)
        monkeypatch.setattr(authorities, "others", lambda node: self.there)
        monkeypatch.setattr(authorities, "recover", lambda: self.done.append("recovered"))
        monkeypatch.setattr(authorities, "publish", lambda wanted, said: self.done.append(said))
        monkeypatch.setattr(authorities, "publish_soon", lambda wanted: self.done.append("said"))
        monkeypatch.setattr(authorities, "announce", lambda wanted: self.done.append("announced"))
        monkeypatch.setattr(authorities, "bring", self.bring)

    def bring(self, wanted: Any, begun: Path, carry: Any, config: str) -> None:
        assert begun.name == "authorities.begun"
        self.done.append("brought")
        self.lacks = []
        self.now = Said(frozenset(wanted.names), frozenset(wanted.names[:1]))


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Trust:
    return Trust(monkeypatch)


def trusting(*authority: Issued, key: str = "key") -> dict[str, Any]:
    return {"trusted": [each.pem for each in authority], "key": key}


def test_other_authorities_come_before_programs_start_anew_and_are_announced_after(
    kubeadm: ModuleType, kubelet: Kubelet, trusted: Trust
) -> None:
    trusted.lacks = ["what ca.crt trusts"]
    words = run(kubeadm, Module("- --kube-apiserver-v=2", authorities=trusting(OLD, NEW)))
    assert words == ["kube-apiserver with --v=2", "what ca.crt trusts"]
    both = Said(frozenset({A, B}), frozenset({A}))
    assert trusted.done == [Said(frozenset({A}), frozenset({A})), "brought", "announced", both]
    assert run(kubeadm, Module("- --kube-apiserver-v=2", authorities=trusting(OLD, NEW))) is None


def test_what_is_lacking_of_trust_alone_is_mended_and_starts_no_program(
    kubeadm: ModuleType, kubelet: Kubelet, trusted: Trust
) -> None:
    run(kubeadm, Module("- --kube-apiserver-v=2", authorities=trusting(OLD)))
    kubelet.started.clear()
    trusted.lacks = ["what admin.conf trusts"]
    words = run(kubeadm, Module("- --kube-apiserver-v=2", authorities=trusting(OLD)))
    assert words == ["what admin.conf trusts"]
    assert "brought" in trusted.done
    assert not kubelet.started


def test_an_authority_that_another_node_does_not_trust_issues_nothing(
    kubeadm: ModuleType, kubelet: Kubelet, trusted: Trust
) -> None:
    trusted.lacks, trusted.there = ["the certificate of apiserver"], {"eu-worker-1": Said()}
    with pytest.raises(authorities.AuthoritiesError, match="eu-worker-1 does not trust"):
        run(kubeadm, Module("- --kube-apiserver-v=2", authorities=trusting(NEW, OLD)))
    assert not trusted.done and not kubelet.started


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.__name__)
def test_what_is_refused_ends_the_module_with_its_words_alone(
    kubeadm: ModuleType,
    run_module: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    refused: type[Exception],
) -> None:
    def refuse(*_: object) -> None:
        raise refused("eu-worker-1 does not trust it yet")

    monkeypatch.setattr(kubeadm, "member", refuse)
    with pytest.raises(ModuleFailed, match=r"^eu-worker-1 does not trust it yet$"):
        run_module(kubeadm, command="init")


def test_check_mode_says_what_would_be_trusted_and_issued(
    kubeadm: ModuleType, kubelet: Kubelet, trusted: Trust
) -> None:
    trusted.lacks = ["what ca.crt trusts"]
    asked = Module("- --kube-apiserver-v=2", authorities=trusting(OLD, NEW))
    asked.check_mode = True
    assert run(kubeadm, asked) == ["kube-apiserver with --v=2", "what ca.crt trusts"]
    assert not trusted.done


@pytest.mark.parametrize("check", [True, False])
def test_a_worker_that_has_joined_is_brought_to_other_authorities(
    kubeadm: ModuleType, tmp_path: Path, trusted: Trust, check: bool
) -> None:
    (tmp_path / "init.finished").unlink()
    (tmp_path / "join.finished").write_text(json.dumps({"identity": IDENTITY, "config": ""}))
    worker = {"command": "join", "control_plane": False}
    asked = Module("", authorities=trusting(OLD, NEW, key=""), **worker)
    asked.check_mode = check
    assert run(kubeadm, asked) is None
    trusted.lacks = ["what ca.crt trusts"]
    assert run(kubeadm, asked) == ["what ca.crt trusts"]
    both = Said(frozenset({A, B}), frozenset({A}))
    assert trusted.done == ([] if check else ["recovered", trusted.done[1], "brought", both])
    assert run(kubeadm, Module("", **worker)) is None, "a role that says nothing of authorities"


@pytest.mark.parametrize("several", [True, False])
def test_who_joins_trusts_all_authorities_and_says_so_where_there_are_several(
    kubeadm: ModuleType, tmp_path: Path, trusted: Trust, several: bool
) -> None:
    (tmp_path / "init.finished").unlink()
    given = trusting(OLD, NEW, key="") if several else trusting(OLD, key="")
    assert run(kubeadm, Module("", command="join", control_plane=False, authorities=given)) == []
    assert trusted.done == (["said"] if several else [])


OWN, VIRTUAL = "192.0.2.21:6443", "192.0.2.20:6443"


class Endpoint:
    """What was done to lead the host to another endpoint, in its order, with what ran before it."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.done: list[str] = []
        self.kill_at = ""
        for name in ("see", "announce", "lead_control_plane", "follow"):
            monkeypatch.setattr(endpoint, name, partial(self.do, name))

    def do(self, name: str, *given: str) -> None:
        if name == self.kill_at:
            raise Kill
        self.done.append(" ".join((name, *given)))


class Kill(BaseException):
    """Stands for `kill -9`."""


@pytest.fixture
def moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    return Endpoint(tmp_path, monkeypatch)


def made_at(directory: Path, at: str, mark: str = "init", config: str = "another") -> None:
    (directory / "init.finished").unlink(missing_ok=True)
    record = {"identity": {**IDENTITY, "endpoint": at}, "config": config}
    (directory / f"{mark}.finished").write_text(json.dumps(record))


def moving(to: str = VIRTUAL, served: tuple[str, ...] = ("192.0.2.21",), **more: Any) -> Module:
    asked = Module(f"controlPlaneEndpoint: {to}", **more)
    asked.params |= {"identity": {**IDENTITY, "endpoint": to}, "served": list(served)}
    return asked


def test_a_cluster_at_its_node_s_address_is_led_to_another_and_programs_go_on(
    kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path, moved: Endpoint
) -> None:
    made_at(tmp_path, OWN)
    words = run(kubeadm, moving())
    assert words == ["kube-proxy's configuration", f"the API is reached at {VIRTUAL}"]
    assert not kubelet.started
    assert not (tmp_path / "apiserver.crt").exists(), "it is made anew, with the other address"
    assert moved.done == [
        f"see {VIRTUAL}",
        f"announce {VIRTUAL}",
        f"lead_control_plane eu-cp-1 {OWN} {VIRTUAL} 192.0.2.21",
    ]
    done = [line for line in log(tmp_path) if "--dry-run" not in line]
    assert done[0] == "kubeadm init phase certs apiserver --config=/dev/stdin"
    assert "kubeadm init phase addon kube-proxy --config=/dev/stdin" in done
    assert any("rollout restart daemonset/kube-proxy" in line for line in done)
    assert json.loads((tmp_path / "init.finished").read_text())["identity"]["endpoint"] == VIRTUAL
    moved.done.clear()
    assert run(kubeadm, moving()) is None
    assert not moved.done


@pytest.mark.parametrize("kill_at", ["see", "announce", "lead_control_plane"])
def test_a_control_plane_that_was_killed_on_its_way_goes_on(
    kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path, moved: Endpoint, kill_at: str
) -> None:
    made_at(tmp_path, OWN)
    moved.kill_at = kill_at
    with pytest.raises(Kill):
        run(kubeadm, moving())
    assert json.loads((tmp_path / "init.finished").read_text())["identity"]["endpoint"] == OWN
    moved.kill_at = ""
    assert run(kubeadm, moving()) is not None
    assert [words.partition(" ")[0] for words in moved.done[-3:]] == ["see", "announce", "lead_control_plane"]
    assert run(kubeadm, moving()) is None


def test_nothing_is_told_of_an_endpoint_at_which_the_cluster_does_not_answer(
    kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path, moved: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_: str) -> None:
        raise endpoint.EndpointError("this cluster does not answer")

    monkeypatch.setattr(endpoint, "see", silent)
    made_at(tmp_path, OWN)
    with pytest.raises(endpoint.EndpointError):
        run(kubeadm, moving())
    assert not moved.done
    assert not any("upload-config" in line or "addon" in line for line in log(tmp_path))


def test_check_mode_says_where_the_api_would_be_reached_and_leads_nobody(
    kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path, moved: Endpoint
) -> None:
    made_at(tmp_path, OWN)
    asked = moving()
    asked.check_mode = True
    assert run(kubeadm, asked) == ["kube-proxy's configuration", f"the API is reached at {VIRTUAL}"]
    assert not moved.done
    assert (tmp_path / "apiserver.crt").exists()


@pytest.mark.parametrize("served", [(), ("192.0.2.22",)])
def test_an_endpoint_that_would_be_served_no_more_is_not_left(
    kubeadm: ModuleType, tmp_path: Path, moved: Endpoint, served: tuple[str, ...]
) -> None:
    made_at(tmp_path, OWN)
    with pytest.raises(kubeadm.KubeadmError, match=f"endpoint is '{OWN}' on the host and '{VIRTUAL}'"):
        run(kubeadm, moving(served=served))
    made_at(tmp_path, VIRTUAL)
    with pytest.raises(kubeadm.KubeadmError, match=f"endpoint is '{VIRTUAL}' on the host and '{OWN}'"):
        run(kubeadm, moving(OWN))
    assert not moved.done


@pytest.mark.parametrize("check", [True, False])
def test_a_worker_follows_once(kubeadm: ModuleType, tmp_path: Path, moved: Endpoint, check: bool) -> None:
    made_at(tmp_path, OWN, "join", "")
    asked = moving(served=(), command="join", control_plane=False)
    asked.check_mode = check
    assert run(kubeadm, asked) == [f"kubelet reaches the API at {VIRTUAL}"]
    assert moved.done == ([] if check else [f"follow eu-cp-1 {OWN} {VIRTUAL}"])
    if not check:
        assert run(kubeadm, asked) is None
        record = json.loads((tmp_path / "join.finished").read_text())
        assert record == {"identity": {**IDENTITY, "endpoint": VIRTUAL}, "config": ""}


def test_a_worker_that_was_killed_follows_again(kubeadm: ModuleType, tmp_path: Path, moved: Endpoint) -> None:
    made_at(tmp_path, OWN, "join", "")
    asked = moving(served=(), command="join", control_plane=False)
    moved.kill_at = "follow"
    with pytest.raises(Kill):
        run(kubeadm, asked)
    moved.kill_at = ""
    assert run(kubeadm, asked) == [f"kubelet reaches the API at {VIRTUAL}"]


def put_back(directory: Path, name: str) -> None:
    """A restore has exchanged the store of this host's etcd."""
    (directory / "etcd" / name).mkdir(parents=True)
    (directory / "etcd" / name / "exchanged").touch()


def test_after_a_restore_a_control_plane_tells_the_cluster_anew_what_it_is_once(
    kubeadm: ModuleType, kubelet: Kubelet, tmp_path: Path, moved: Endpoint
) -> None:
    """A backup from before a change of the declaration brings what the cluster told of itself by then."""
    made_at(tmp_path, VIRTUAL)
    assert run(kubeadm, moving()) is not None
    (tmp_path / "log").write_text("")
    moved.done.clear()
    put_back(tmp_path, "before-1")
    asked = moving()
    asked.check_mode = True
    told = [
        "kube-proxy's configuration",
        "what the cluster tells of itself, since etcd has the objects of a backup",
    ]
    assert run(kubeadm, asked) == told
    assert not moved.done
    assert run(kubeadm, moving()) == told
    assert moved.done == [f"announce {VIRTUAL}"]
    assert not kubelet.started
    done = [line for line in log(tmp_path) if "--dry-run" not in line]
    assert "kubeadm init phase upload-config all --config=/dev/stdin" in done
    assert "kubeadm init phase addon kube-proxy --config=/dev/stdin" in done
    assert run(kubeadm, moving()) is None
    put_back(tmp_path, "before-2")
    assert run(kubeadm, moving()) == told, "each restore counts"


def test_a_restore_from_before_a_rotation_has_the_authorities_announced_again(
    kubeadm: ModuleType, tmp_path: Path, trusted: Trust, moved: Endpoint
) -> None:
    made_at(tmp_path, VIRTUAL)
    run(kubeadm, moving(authorities=trusting(OLD)))
    trusted.done.clear()
    put_back(tmp_path, "before-1")
    assert run(kubeadm, moving(authorities=trusting(OLD)))
    assert trusted.done == ["announced"]
