"""The module kubeadm_upgrade, with kubeadm and kubectl as scripts: forward by one, proven, resumable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.playbooks.conftest import ModuleFailed

Run = Callable[..., dict[str, Any]]
OLD, NEW = "1.34.9", "1.35.3"
ETCD = {OLD: "3.6.5-0", NEW: "3.6.6-0"}
SERVERS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
KUBECTL = """#!/bin/sh
echo "kubectl $*" >> {log}
[ -e {root}/silent ] && echo "connection refused" >&2 && exit 1
case "$*" in
*/version) echo "{{\\"gitVersion\\": \\"v$(cat {root}/served)\\"}}";;
*/readyz) echo ok;;
*/metrics) cat {root}/metrics 2>/dev/null || :;;
*kubeadm-config*) cat {root}/kubeadm-config;;
*"get pods"*) cat {root}/pods;;
*"snapshot save"*)
    [ -e {root}/full ] && echo "no space left" >&2 && exit 1
    date > {root}/etcd/crossmesh-snapshot.db;;
esac
"""
KUBEADM = """#!/bin/sh
cat > {root}/told
echo "kubeadm $*" >> {log}
. {root}/then
"""


class Host:
    """A host of a cluster: its files, and what kubectl and kubeadm do there."""

    def __init__(self, root: Path, module: ModuleType) -> None:
        self.root, self.module = root, module
        self.state, self.kubernetes = root / "state", root / "kubernetes"
        for directory in (self.state, self.manifests, root / "etcd", root / "bin"):
            directory.mkdir(parents=True)
        for name, text in (("kubectl", KUBECTL), ("kubeadm", KUBEADM)):
            script = root / "bin" / name
            script.write_text(text.format(root=root, log=root / "log"))
            script.chmod(0o755)
        (self.state / "init.finished").write_text(json.dumps({"identity": {"node": "eu-cp-1"}}))
        self.runs(OLD)
        for name, text in manifests(OLD).items():
            (self.manifests / name).write_text(text)
        # What kubeadm does when all goes well: the manifests of the new version, which kubelet runs.
        after = self.root / "after"
        after.mkdir()
        for name, text in manifests(NEW).items():
            (after / name).write_text(text)
        (after / "pods.json").write_text(pods(NEW))
        self.then(self.upgrading)

    @property
    def manifests(self) -> Path:
        return self.kubernetes / "manifests"

    @property
    def upgrading(self) -> str:
        """The shell that upgrades."""
        after = self.root / "after"
        return (
            f"cp {after}/*.yaml {self.manifests}; cp {after}/pods.json {self.root}/pods; "
            f"echo {NEW} > {self.root}/served"
        )

    def then(self, shell: str) -> None:
        """What kubeadm does."""
        (self.root / "then").write_text(f"{shell}\n")

    def runs(self, version: str) -> None:
        """The cluster is of a version."""
        (self.root / "served").write_text(version)
        (self.root / "pods").write_text(pods(version))
        declared = f"kind: ClusterConfiguration\nkubernetesVersion: v{version}\nnetworking: {{}}\n"
        (self.root / "kubeadm-config").write_text(json.dumps({"data": {"ClusterConfiguration": declared}}))

    def is_worker(self) -> None:
        for file in self.manifests.iterdir():
            file.unlink()
        self.then("true")

    def log(self, program: str) -> list[str]:
        """What a program was called with."""
        file = self.root / "log"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.partition(" ")[2] for line in lines if line.startswith(f"{program} ")]

    @property
    def told(self) -> dict[str, Any]:
        """The configuration that kubeadm got."""
        return dict(json.loads((self.root / "told").read_text()))


def manifests(version: str) -> dict[str, str]:
    images = {name: f"registry.k8s.io/{name}:v{version}" for name in SERVERS}
    images["etcd"] = f"registry.k8s.io/etcd:{ETCD.get(version, ETCD[NEW])}"
    address = "    - --advertise-address=192.0.2.11\n    - --secure-port=6443\n"
    return {f"{name}.yaml": f"spec:\n{address}    image: {image}\n" for name, image in images.items()}


def pods(version: str, *, ready: bool = True) -> str:
    items = []
    for name, text in manifests(version).items():
        image = text.split("image: ")[1].strip()
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        named = {"name": f"{name.removesuffix('.yaml')}-eu-cp-1"}
        items.append(
            {
                "metadata": named,
                "spec": {"containers": [{"image": image}]},
                "status": {"conditions": conditions},
            }
        )
    return json.dumps({"items": items})


@pytest.fixture
def host(
    ansible_module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Host:
    module = ansible_module("kubeadm_upgrade")
    found = Host(tmp_path, module)
    for name, value in {
        "STATE": found.state,
        "KUBERNETES": found.kubernetes,
        "ETCD": tmp_path / "etcd",
        "_POLL": 0.01,
        "_SETTLE": 0.0,
        "_STANDING": 0.0,
    }.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return found


def upgraded(run_module: Run, host: Host, version: str = NEW, **params: Any) -> dict[str, Any]:
    return run_module(host.module, version=version, timeout=0, **params)


def test_the_first_host_of_a_control_plane_applies_and_keeps_what_there_was(
    run_module: Run, host: Host
) -> None:
    done = upgraded(run_module, host)
    kept = host.state / f"upgrade-{NEW}"
    assert done == {"changed": True, "command": "apply", "snapshot": str(kept / f"etcd-{OLD}.db")}
    assert host.log("kubeadm") == ["upgrade apply --yes --config=/dev/stdin"]
    assert (kept / f"etcd-{OLD}.db").stat().st_mode & 0o777 == 0o600
    assert (kept / "manifests" / "etcd.yaml").read_text() == manifests(OLD)["etcd.yaml"]
    assert not (host.root / "etcd" / "crossmesh-snapshot.db").exists()


def test_kubeadm_is_told_what_it_does_not_take_from_the_cluster_s_configuration(
    run_module: Run, host: Host
) -> None:
    upgraded(run_module, host, ignore_preflight=["SystemVerification"])
    assert host.told["kind"] == "UpgradeConfiguration"
    assert host.told["apply"]["kubernetesVersion"] == f"v{NEW}"
    for command in ("apply", "node"):
        assert host.told[command]["ignorePreflightErrors"] == ["SystemVerification"]
        assert host.told[command]["imagePullPolicy"] == "IfNotPresent"


def test_this_host_s_own_api_server_is_asked_and_no_other(run_module: Run, host: Host) -> None:
    upgraded(run_module, host)
    assert all("--server=https://192.0.2.11:6443 " in line for line in host.log("kubectl"))


def test_a_second_time_nothing_is_done(run_module: Run, host: Host) -> None:
    upgraded(run_module, host)
    assert upgraded(run_module, host) == {"changed": False}
    assert len(host.log("kubeadm")) == 1


def test_a_further_host_of_the_control_plane_follows_as_a_node(run_module: Run, host: Host) -> None:
    host.runs(NEW)
    (host.root / "served").write_text(OLD)
    assert upgraded(run_module, host)["command"] == "node"
    assert host.log("kubeadm") == ["upgrade node --config=/dev/stdin"]


def test_one_that_began_as_the_first_goes_on_as_the_first(run_module: Run, host: Host) -> None:
    host.then("exit 1")
    with pytest.raises(ModuleFailed):
        upgraded(run_module, host)
    # It was killed after it had written the cluster's configuration, and before the addons.
    host.runs(NEW)
    host.then(host.upgrading)
    assert upgraded(run_module, host)["command"] == "apply"


def test_a_worker_is_a_node_and_takes_no_snapshot(run_module: Run, host: Host) -> None:
    host.is_worker()
    host.runs(NEW)
    assert upgraded(run_module, host) == {"changed": True, "command": "node", "snapshot": ""}
    assert all("--kubeconfig" in line and "kubelet.conf" in line for line in host.log("kubectl"))
    assert not list((host.root / "etcd").iterdir())


@pytest.mark.parametrize("state", ["allowed", "upgraded"])
def test_a_worker_does_not_go_before_its_api_server(run_module: Run, host: Host, state: str) -> None:
    host.is_worker()
    with pytest.raises(ModuleFailed, match="a kubelet is never newer: upgrade the control plane first"):
        upgraded(run_module, host, state=state)
    assert not host.log("kubeadm")


METRICS = """# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{{group="{group}",removed_release="{until}",resource="flowschemas",subresource="",\
version="v1beta3"}} 1
apiserver_request_total{{code="200"}} 1234
"""


def test_what_somebody_asks_for_and_the_later_version_does_not_serve_stops_it(
    run_module: Run, host: Host
) -> None:
    (host.root / "metrics").write_text(METRICS.format(group="flowcontrol.apiserver.k8s.io", until="1.35"))
    for state in ("allowed", "upgraded"):
        with pytest.raises(ModuleFailed, match=r"flowschemas of flowcontrol\.apiserver") as refused:
            upgraded(run_module, host, state=state)
        assert "kubeadmIgnorePreflight: [RequestedAPIs]" in str(refused.value)
    assert not host.log("kubeadm")
    assert upgraded(run_module, host, ignore_preflight=["requestedapis"])["changed"]


@pytest.mark.parametrize("until", ["1.36", ""])
def test_what_it_serves_still_stops_nothing(run_module: Run, host: Host, until: str) -> None:
    (host.root / "metrics").write_text(METRICS.format(group="resource.k8s.io", until=until))
    assert upgraded(run_module, host, state="allowed") == {"changed": False}


def test_a_patch_release_takes_no_api_away(run_module: Run, host: Host) -> None:
    host.runs("1.35.1")
    (host.root / "metrics").write_text(METRICS.format(group="", until="1.35"))
    assert upgraded(run_module, host, state="allowed") == {"changed": False}


def test_a_worker_goes_to_what_its_api_server_is(run_module: Run, host: Host) -> None:
    host.is_worker()
    with pytest.raises(ModuleFailed, match=f"a worker goes to what that is: declare {OLD}"):
        upgraded(run_module, host, "1.34.3")


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.34.3", "does not go back to 1.34.3"),
        ("1.33.9", "does not go back to 1.33.9"),
        ("1.36.3", r"minor versions are left out: declare a release of 1\.35 first"),
        ("2.35.0", "minor versions are left out"),
    ],
)
def test_what_kubernetes_does_not_support_is_refused_before_anything(
    run_module: Run, host: Host, version: str, words: str
) -> None:
    for state in ("allowed", "upgraded"):
        with pytest.raises(ModuleFailed, match=words):
            upgraded(run_module, host, version, state=state)
    assert not host.log("kubeadm")
    assert not (host.state / f"upgrade-{version}").exists()


def test_what_is_allowed_changes_nothing(run_module: Run, host: Host) -> None:
    assert upgraded(run_module, host, state="allowed") == {"changed": False}
    assert not host.log("kubeadm")
    assert [file.name for file in host.state.iterdir() if not file.name.startswith(".")] == ["init.finished"]


def test_a_patch_release_is_an_upgrade_too(run_module: Run, host: Host) -> None:
    host.runs("1.35.1")
    assert upgraded(run_module, host)["command"] == "apply"


def test_without_a_snapshot_of_etcd_nothing_begins(run_module: Run, host: Host) -> None:
    (host.root / "full").touch()
    with pytest.raises(ModuleFailed, match=r"nothing was upgraded: etcd's snapshot .* no space left"):
        upgraded(run_module, host)
    assert not host.log("kubeadm")


def test_what_kubeadm_was_killed_over_is_put_back_and_the_snapshot_stays_the_first_one(
    run_module: Run, host: Host
) -> None:
    """kubeadm moves a manifest away, and then the new one into its place; killed between, there is none."""
    host.then(f"{host.upgrading}; rm {host.manifests}/kube-apiserver.yaml; exit 1")
    with pytest.raises(ModuleFailed):
        upgraded(run_module, host)
    kept = host.state / f"upgrade-{NEW}"
    first = (kept / f"etcd-{OLD}.db").read_text()
    host.then(f"cat {host.manifests}/kube-apiserver.yaml > {host.root}/seen; {host.upgrading}")
    done = upgraded(run_module, host)
    assert (host.root / "seen").read_text() == manifests(OLD)["kube-apiserver.yaml"]
    assert done["snapshot"] == str(kept / f"etcd-{OLD}.db")
    assert (kept / f"etcd-{OLD}.db").read_text() == first


def test_a_host_without_an_api_server_in_the_middle_may_still_go_on(run_module: Run, host: Host) -> None:
    host.then("exit 1")
    with pytest.raises(ModuleFailed):
        upgraded(run_module, host)
    (host.root / "silent").touch()
    assert upgraded(run_module, host, state="allowed") == {"changed": False}


def test_an_api_server_that_does_not_answer_is_waited_for_and_then_named(run_module: Run, host: Host) -> None:
    (host.root / "silent").touch()
    with pytest.raises(
        ModuleFailed, match=r"nothing was upgraded: the API server does not answer within 0 s"
    ):
        upgraded(run_module, host)
    with pytest.raises(ModuleFailed, match="of eu-cp-1's cluster does not answer: connection refused"):
        upgraded(run_module, host, state="allowed")


def test_a_failure_says_what_serves_and_how_to_go_on_and_back(run_module: Run, host: Host) -> None:
    host.then("echo 'static pod did not come up'; exit 1")
    with pytest.raises(ModuleFailed) as failed:
        upgraded(run_module, host)
    said = str(failed.value)
    assert "static pod did not come up" in said
    assert f"serves, as {OLD}; kubelet was left as it was" in said
    assert "docs/guides/upgrades.md" in said
    assert str(host.state / f"upgrade-{NEW}") in said


def test_a_failure_that_took_the_api_server_with_it_says_so(run_module: Run, host: Host) -> None:
    host.then(f"touch {host.root}/silent; exit 1")
    with pytest.raises(ModuleFailed, match="The API server of this host does not answer: connection refused"):
        upgraded(run_module, host)


def test_kubeadm_s_own_check_of_a_busy_cluster_is_tried_again(run_module: Run, host: Host) -> None:
    count = host.root / "count"
    host.then(
        f"echo >> {count}; [ $(wc -l < {count}) -ge 3 ] || {{ echo '[ERROR CreateJob]: slow'; exit 1; }}; "
        f"{host.upgrading}"
    )
    assert upgraded(run_module, host)["changed"]
    assert len(host.log("kubeadm")) == 3


def test_any_other_failure_is_not_tried_again(run_module: Run, host: Host) -> None:
    host.then("echo '[ERROR CoreDNSUnsupportedPlugins]'; exit 1")
    with pytest.raises(ModuleFailed, match="CoreDNSUnsupportedPlugins"):
        upgraded(run_module, host)
    assert len(host.log("kubeadm")) == 1


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (pods(OLD), f"has the image registry.k8s.io/etcd:{ETCD[OLD]}, its manifest"),
        (pods(NEW, ready=False), "the pod of etcd is not ready"),
        (json.dumps({"items": []}), "the pod of etcd is not there"),
    ],
)
def test_what_kubeadm_left_is_proven_and_not_believed(
    run_module: Run, host: Host, listed: str, words: str
) -> None:
    (host.root / "after" / "pods.json").write_text(listed)
    with pytest.raises(ModuleFailed, match=f"ended well, and after 0 s .*{words}"):
        upgraded(run_module, host)
    assert not json.loads((host.state / "upgrade.json").read_text()).get("done")


def test_an_api_server_of_the_old_version_is_no_success(run_module: Run, host: Host) -> None:
    host.then("true")
    with pytest.raises(ModuleFailed, match=f"the API server is {OLD}"):
        upgraded(run_module, host)


def test_check_mode_tells_the_command_and_changes_nothing(
    run_module: Run, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.unit.playbooks.conftest._Module.check_mode", True)
    assert upgraded(run_module, host) == {"changed": True, "command": "apply"}
    assert [file.name for file in host.state.iterdir()] == ["init.finished"]
    assert not host.log("kubeadm")


def test_check_mode_lets_a_worker_be_whose_control_plane_has_its_turn_before_it(
    run_module: Run, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.unit.playbooks.conftest._Module.check_mode", True)
    with pytest.raises(ModuleFailed, match="minor versions are left out"):
        upgraded(run_module, host, "1.36.3", state="allowed")
    host.is_worker()
    assert upgraded(run_module, host, state="allowed") == {"changed": False}
    assert upgraded(run_module, host) == {"changed": True, "command": "node"}


def test_a_host_that_is_no_member_is_left_alone(run_module: Run, host: Host) -> None:
    (host.state / "init.finished").unlink()
    assert upgraded(run_module, host) == {"changed": False}
    assert not host.log("kubectl")


def test_what_an_earlier_upgrade_kept_goes_when_the_next_one_begins(run_module: Run, host: Host) -> None:
    (host.state / "upgrade-1.34.9" / "manifests").mkdir(parents=True)
    copies = host.kubernetes / "tmp" / "kubeadm-backup-etcd-2026-11-30"
    copies.mkdir(parents=True)
    upgraded(run_module, host)
    assert not (host.state / "upgrade-1.34.9").exists()
    assert not copies.exists(), "each is a copy of all of etcd"


def test_nothing_goes_back_to_manifests_of_the_version_before(run_module: Run, host: Host) -> None:
    """The module kubeadm keeps them while it changes arguments, and would take them back."""
    kept = host.state / "manifests-before"
    kept.mkdir()
    upgraded(run_module, host)
    assert not kept.exists()


def test_manifests_are_kept_whole_or_not_at_all(run_module: Run, host: Host) -> None:
    half = host.state / f"upgrade-{NEW}" / ".manifests.new"
    half.mkdir(parents=True)
    (half / "etcd.yaml").write_text("half")
    upgraded(run_module, host)
    kept = host.state / f"upgrade-{NEW}" / "manifests"
    assert {file.name: file.read_text() for file in kept.iterdir()} == manifests(OLD)
