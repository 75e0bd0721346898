"""Runbooks on a platform that runs: a node out of service and back, killed, refused, and held off.

Run by `make acceptance SUITE=runbooks`; some minutes, writes `docs/acceptance/runbooks-<date>.json`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from access import envelope, host_lock, ssh
from access.cluster import Cluster
from access.errors import AccessError
from lab.machine import destroy
from lab.paths import state_dir
from lab.spec import REFERENCE
from live import logins
from live.expiry import machines
from runbooks import journal, locks
from runbooks.etcd import sealed
from runbooks.etcd.tools import Tools
from runbooks.journal import Entry, What
from tests.lab.acceptance import backups, results
from tests.lab.acceptance.killing import wait_for_the_engine
from tests.lab.clients import curl
from tests.lab.conftest import log_directory
from tests.lab.site import Site
from tests.lab.test_4_failover_between_clusters import NAME as APPLICATION
from tests.lab.test_4_failover_between_clusters import NAMESPACE

NAME = os.environ.get("CROSSMESH_RUNBOOKS_STACK", "test-books")
NODE, OTHER, REGION = "eu-worker-1", "eu-worker-2", "eu"
HOST = "eu-cp-1"
"""Its control plane, where the lock lies."""
BUDGETS = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets"


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("runbooks")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The reference platform, with one worker more in a region."""
    made = Site(NAME, log_directory())
    try:
        description = yaml.safe_load(REFERENCE.read_text())
        description["regions"][REGION].append(OTHER)
        lab = made.directory / "lab.yaml"
        lab.write_text(yaml.safe_dump(description))
        made.prepare(lab)
        document = yaml.safe_load(made.stack_file.read_text())
        nodes = document["config"]["crossmesh:environment"]["regions"][REGION]["cluster"]["nodes"]
        nodes[OTHER] = {**nodes[NODE], "address": made.machines[OTHER]}
        made.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
        made.crossmesh("ledger", "--write")
        made.up("--skip-preview")
        yield made
        made.destroy()
    finally:
        made.stop()


@pytest.fixture
def cluster(site: Site) -> Iterator[Cluster]:
    with site.clusters() as clusters:
        yield clusters[REGION]


def run(site: Site, *arguments: str, check: bool = True, timeout: float = 240) -> Any:
    return site.crossmesh("runbook", *arguments, check=check, timeout=timeout)


def well(site: Site) -> None:
    """Wait until every check of the doctor passes."""
    deadline = time.monotonic() + 300
    while (told := site.crossmesh("doctor", check=False)).returncode:
        assert time.monotonic() < deadline, told.words[-3000:]
        time.sleep(5)


def entries(site: Site) -> list[Entry]:
    """The stack's journal."""
    home = site.directory / "backend" / ".crossmesh" / "journals" / "crossmesh" / site.name
    return journal.read(home)


def cordoned(cluster: Cluster, node: str = NODE) -> bool:
    found = cluster.get(f"/api/v1/nodes/{node}")
    assert found is not None
    return bool(found["spec"].get("unschedulable"))


def busy(cluster: Cluster) -> str:
    """A node with pods of the application: those that moved away stay where they are."""
    deadline = time.monotonic() + 60
    while not (nodes := nodes_of(cluster)):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return sorted(nodes)[0]


def nodes_of(cluster: Cluster) -> set[str]:
    """Where the application's pods are."""
    pods = cluster.core.list_namespaced_pod(NAMESPACE, label_selector=f"app={APPLICATION}").items
    found = {pod.spec.node_name for pod in pods if pod.metadata.deletion_timestamp is None}
    return found - {None}


def answered(site: Site) -> bool:
    outputs = site.outputs()
    gateway = str(outputs.regions[REGION].gateway_addresses[0])
    return curl(outputs, gateway, "/assetconsumer").status == 200


def killed(site: Site, step: str, *wanted: str) -> None:
    """A run that is killed while a step is at work."""
    command = [sys.executable, "-m", "operations", "runbook", "run", *wanted, "--yes"]
    process, log = site.start(*command, "--stack", site.name)
    deadline, before = time.monotonic() + 300, len(entries(site))
    try:
        while time.monotonic() < deadline:
            if any(entry.what is What.DOING and entry.step == step for entry in entries(site)[before:]):
                break
            assert process.poll() is None, log.with_suffix(".err").read_text()
            time.sleep(0.02)
        else:
            raise AssertionError(f"{step} was not begun")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def test_a_node_is_taken_out_of_service_and_brought_back(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    told = run(site, "run", "drain-node", f"node={NODE}", "--dry-run").words
    assert f"node {NODE} of region {REGION} takes no new pods" in told
    assert not cordoned(cluster)
    drained = run(site, "run", "drain-node", f"node={NODE}", "--yes")
    assert cordoned(cluster)
    assert NODE not in nodes_of(cluster)
    assert answered(site)
    again = run(site, "run", "drain-node", f"node={NODE}", "--yes")
    assert "cordon: so already" in again.words
    assert "evict: so already" in again.words
    back = run(site, "run", "return-node", f"node={NODE}", "--yes")
    assert not cordoned(cluster)
    report["drainSeconds"], report["returnSeconds"] = round(drained.seconds, 1), round(back.seconds, 1)
    told = run(site, "run", "drain-node", f"node={NODE}", "--dry-run").words
    assert "earlier runs here" in told


@pytest.mark.parametrize("step", ["cordon", "evict"])
def test_a_drain_that_was_killed_goes_on(
    site: Site, cluster: Cluster, report: dict[str, Any], step: str
) -> None:
    node = busy(cluster)
    killed(site, step, "drain-node", f"node={node}")
    refused = run(site, "run", "return-node", f"node={node}", "--yes", check=False)
    assert refused.returncode == 13, refused.words
    assert "has not ended" in refused.words
    resumed = run(site, "resume")
    report[f"resumedAfterKillIn_{step}_seconds"] = round(resumed.seconds, 1)
    assert cordoned(cluster, node)
    assert node not in nodes_of(cluster)
    run(site, "run", "return-node", f"node={node}", "--yes")


def test_a_drain_that_was_killed_is_taken_back(site: Site, cluster: Cluster) -> None:
    node = busy(cluster)
    killed(site, "evict", "drain-node", f"node={node}")
    run(site, "abort")
    assert not cordoned(cluster, node)
    (last,) = json.loads(run(site, "history", "--json").stdout)[-1:]
    assert last["outcome"] == "taken back"


def test_what_would_block_is_named_before_the_first_cordon(site: Site, cluster: Cluster) -> None:
    selector = {"matchLabels": {"app": APPLICATION}}
    body = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "none"},
        "spec": {"maxUnavailable": 0, "selector": selector},
    }
    node = busy(cluster)
    cluster.post(BUDGETS, body)
    try:
        deadline = time.monotonic() + 60
        while "observedGeneration" not in ((cluster.get(f"{BUDGETS}/none") or {}).get("status") or {}):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        refused = run(site, "run", "drain-node", f"node={node}", "--yes", check=False)
    finally:
        cluster.delete(f"{BUDGETS}/none")
    assert refused.returncode == 1
    assert f"the budget {NAMESPACE}/none allows no disruption now" in refused.words
    assert not cordoned(cluster, node)


def test_another_operator_is_held_off_by_the_hosts(site: Site, cluster: Cluster) -> None:
    stack = site.declaration()
    address = stack.environment.regions[REGION].hosts[HOST].ssh_address
    place = locks.OnHost(HOST, logins.login(stack, HOST, address))
    place.take("another", "runbook drain-node")
    try:
        refused = run(site, "run", "drain-node", f"node={NODE}", "--yes", check=False)
        assert refused.returncode == 13, refused.words
        assert f"{HOST} is held for runbook drain-node, run another, by " in refused.words
        assert not cordoned(cluster)
    finally:
        place.give_back()
    run(site, "run", "return-node", f"node={NODE}", "--yes")


LOCK = f"{host_lock.DIRECTORY}/runbook"


def held_for(site: Site) -> dict[str, Any]:
    """What the lock on the control plane's host says; who writes it holds its file for a moment."""
    said = site.on(HOST, f"test ! -e {LOCK} || flock --shared {LOCK} cat {LOCK}")
    return dict(json.loads(said.strip() or "{}"))


def await_lock(site: Site, wanted: str, seconds: float) -> float:
    """Wait until the lock is for something, or (empty) for nothing; the seconds that it took."""
    began = time.monotonic()
    while (found := held_for(site)).get("what", "") != wanted:
        waited = time.monotonic() - began
        assert waited < seconds, f"after {waited:.0f} s the lock on {HOST} is {found}, not for {wanted!r}"
        time.sleep(0.2)
    return time.monotonic() - began


def declare_pods(site: Site, most: int) -> None:
    """Have one worker, and no other host, be declared with another number of pods at most."""
    document = yaml.safe_load(site.stack_file.read_text())
    environment = document["config"]["crossmesh:environment"]
    profiles, node = environment["hostProfiles"], environment["regions"][REGION]["cluster"]["nodes"][OTHER]
    usual = environment["regions"][REGION]["cluster"]["nodes"][NODE]["profile"]
    profiles["other"] = {**profiles[usual], "kubelet": {**profiles[usual]["kubelet"], "maxPods": most}}
    node["profile"] = "other"
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))


def most_pods(cluster: Cluster) -> str:
    found = cluster.get(f"/api/v1/nodes/{OTHER}")
    assert found is not None
    return str(found["status"]["capacity"]["pods"])


def test_up_is_refused_where_a_runbook_is_at_work_and_let_in_by_its_pass(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    stack = site.declaration()
    login = logins.login(stack, HOST, stack.environment.regions[REGION].hosts[HOST].ssh_address)
    declare_pods(site, 60)
    before = most_pods(cluster)
    with locks.held([locks.OnHost(HOST, login)], "another", "runbook drain-node", print) as keeper:
        refused = site.up("--skip-preview", check=False)
        assert refused.returncode != 0
        for words in (
            f"{HOST} is held for runbook drain-node, run another, by ",
            "crossmesh runbook resume",
            "crossmesh runbook abort",
        ):
            assert words in refused.words, refused.words[-3000:]
        assert most_pods(cluster) == before, "nothing was changed"
        site.environment[host_lock.PASS] = keeper.passed("another").to_json()
        try:
            driven = site.up("--skip-preview")
        finally:
            del site.environment[host_lock.PASS]
        assert held_for(site)["run"] == "another", "the runbook's own lock is where it was"
        assert keeper.lost == ""
    assert most_pods(cluster) == "60"
    report["drivenUpSeconds"] = round(driven.seconds, 1)
    # Logs tell whole seconds.
    time.sleep(2)
    since = time.time()
    site.up("--skip-preview", "--expect-no-changes")
    until = time.time()
    # Whoever asks the logs logs in too.
    time.sleep(1.1)
    sessions = site.ssh_sessions(since, until)
    assert not any(sessions.values()), f"nothing to do, and somebody connected: {sessions}"


def test_runbooks_are_refused_while_up_changes_a_node_and_a_killed_up_leaves_no_lock(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    declare_pods(site, 61)
    command = ("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", site.name)
    process, log = site.start(*command)
    try:
        await_lock(site, host_lock.UP, 120)
        refused = run(site, "run", "return-node", f"node={NODE}", "--yes", check=False)
        assert process.poll() is None, f"`up` ended before the runbook was tried; see {log}"
        assert refused.returncode == 13, refused.words
        assert f"{HOST} is held for pulumi up by " in refused.words
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    report["lockFreeAfterKilledUpSeconds"] = round(await_lock(site, "", locks.SECONDS), 1)
    run(site, "run", "return-node", f"node={NODE}", "--yes")
    site.crossmesh("lock", "clear")
    site.up("--skip-preview")
    assert most_pods(cluster) == "61"
    # The host gives it back once it has heard that `up` is gone.
    await_lock(site, "", 10)
    site.up("--skip-preview", "--expect-no-changes")


def test_a_declared_change_is_applied_on_the_journal_and_gone_on_with_after_a_kill(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    declare_pods(site, 62)
    told = run(site, "run", "apply", "--dry-run").words
    assert f"host {OTHER}: prepare" in told
    assert f"host {NODE}" not in told and f"host {HOST}" not in told
    command = [sys.executable, "-m", "operations", "runbook", "run", "apply", "--yes", "--stack", site.name]
    before = len(entries(site))
    process, log = site.start(*command)
    deadline = time.monotonic() + 180
    try:
        while not any(entry.what is What.DOING and entry.step == "up" for entry in entries(site)[before:]):
            assert process.poll() is None and time.monotonic() < deadline, log.with_suffix(".err").read_text()
            time.sleep(0.1)
        # Its play is at work then.
        time.sleep(15)
        assert process.poll() is None, log.with_suffix(".err").read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
    refused = run(site, "run", "return-node", f"node={NODE}", "--yes", check=False)
    assert refused.returncode == 13, refused.words
    wait_for_the_engine(site)
    resumed = run(site, "resume", timeout=900)
    report["appliedAfterKillSeconds"] = round(resumed.seconds, 1)
    assert most_pods(cluster) == "62"
    (last,) = json.loads(run(site, "history", "--json").stdout)[-1:]
    assert (last["runbook"], last["outcome"]) == ("apply", "succeeded")
    site.up("--skip-preview", "--expect-no-changes")


def test_a_backup_is_that_of_the_live_store_and_opens_with_the_stack_alone(
    site: Site, report: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(site, "run", "backup-etcd", f"region={REGION}", f"destination={tmp_path}", "keep=1", "--yes")
    report["backupSeconds"] = round(done.seconds, 1)
    (path,) = backups.paths(tmp_path, site.name, REGION)
    head = sealed.head(path)
    report["backup"] = {key: head[key] for key in ("etcd", "revision", "keys", "bytes")}
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "PATH"):
        monkeypatch.setenv(name, site.environment[name])
    key = envelope.unwrapped(site.name, head["envelope"])
    sealed.unseal(path, tmp_path / "snapshot.db", key)
    tools = Tools(head["etcd"])
    status = json.loads(tools.utility("snapshot", "status", str(tmp_path / "snapshot.db"), "-w", "json"))
    assert (status["revision"], status["totalKey"]) == (head["revision"], head["keys"])
    assert status["totalKey"] > 500
    run(site, "run", "backup-etcd", f"region={REGION}", f"destination={tmp_path}", "keep=1", "--yes")
    assert len(backups.paths(tmp_path, site.name, REGION)) == 1


MAPS = "/api/v1/namespaces/default/configmaps"


def write(cluster: Cluster, name: str) -> str:
    """A ConfigMap of that name; its UID."""
    made = cluster.post(MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
    return str(made["metadata"]["uid"])


def customs(cluster: Cluster) -> dict[str, set[str]]:
    """UIDs of custom resources that the platform rests on."""
    paths = {
        "addresses": "/apis/metallb.io/v1beta1/ipaddresspools",
        "policies": "/apis/security.istio.io/v1/peerauthentications",
        "definitions": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    }
    return {
        name: {one["metadata"]["uid"] for one in (cluster.get(path) or {})["items"]}
        for name, path in paths.items()
    }


@pytest.mark.parametrize("kill", ["", "stop", "exchange"])
def test_a_cluster_is_that_of_its_backup_again(
    site: Site, cluster: Cluster, report: dict[str, Any], tmp_path: Path, kill: str
) -> None:
    before = write(cluster, f"before-{kill or 'nothing'}")
    there = customs(cluster)
    run(site, "run", "backup-etcd", f"region={REGION}", f"destination={tmp_path}", "--yes")
    (path,) = backups.paths(tmp_path, site.name, REGION)
    write(cluster, f"after-{kill or 'nothing'}")
    wanted = ("restore-etcd", f"region={REGION}", f"backup={path}")
    if kill:
        killed(site, kill, *wanted)
        done = run(site, "resume")
    else:
        done = run(site, "run", *wanted, "--yes")
    report[f"restoreSeconds{f'_killedIn_{kill}' if kill else ''}"] = round(done.seconds, 1)
    names = {one["metadata"]["name"]: one["metadata"]["uid"] for one in (cluster.get(MAPS) or {})["items"]}
    assert names[f"before-{kill or 'nothing'}"] == before
    assert f"after-{kill or 'nothing'}" not in names
    assert customs(cluster) == there
    well(site)
    assert answered(site)
    # Watches hear of what comes after it: scheduler, kubelets and controllers move pods.
    run(site, "run", "drain-node", f"node={NODE}", "--yes")
    run(site, "run", "return-node", f"node={NODE}", "--yes")


def test_a_backup_with_one_byte_changed_is_refused(site: Site, tmp_path: Path) -> None:
    run(site, "run", "backup-etcd", f"region={REGION}", f"destination={tmp_path}", "--yes")
    (path,) = backups.paths(tmp_path, site.name, REGION)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    refused = run(site, "run", "restore-etcd", f"region={REGION}", f"backup={path}", "--yes", check=False)
    assert refused.returncode == 1
    assert "was changed or cut off" in refused.words
    refused = run(site, "run", "restore-etcd", "region=us", f"backup={path}", "--yes", check=False)
    assert "is of another cluster" in refused.words


RENEW = ("renew-certificates", f"region={REGION}")
OF_KUBEADM = {
    f"/etc/kubernetes/{name}"
    for name in (
        *("admin.conf", "controller-manager.conf", "scheduler.conf", "super-admin.conf"),
        *("pki/apiserver.crt", "pki/apiserver-kubelet-client.crt", "pki/apiserver-etcd-client.crt"),
        *("pki/front-proxy-client.crt", "pki/etcd/server.crt", "pki/etcd/peer.crt"),
        "pki/etcd/healthcheck-client.crt",
    )
}


OF_KUBELET = {machines.SERVED, f"{machines.SERVED} (2)"}
"""What it signed itself, and the authority that it made for that."""


def certificates(site: Site) -> dict[tuple[str, str], dict[str, Any]]:
    """The region's rows of the list, by where they are."""
    told = json.loads(site.crossmesh("certificates", "--json", check=False).stdout)
    return {(one["at"], one["place"]): one for one in told if one["region"] == REGION}


def changed(before: dict[Any, Any], after: dict[Any, Any], at: str) -> set[str]:
    """Places of a host whose certificate is another one."""
    assert before.keys() == after.keys()
    return {
        where[1] for where in before if where[0] == at and before[where]["serial"] != after[where]["serial"]
    }


@pytest.mark.parametrize("kill", ["", "renew", "restart"])
def test_certificates_are_made_anew_and_the_control_plane_serves_by_them(
    site: Site, cluster: Cluster, report: dict[str, Any], kill: str
) -> None:
    before = certificates(site)
    assert {one["state"] for one in before.values()} == {"ok"}
    told = run(site, "run", *RENEW, "within=365", "--dry-run").words
    assert "/etc/kubernetes/pki/apiserver.crt expires in" in told
    assert changed(before, certificates(site), HOST) == set()
    if kill:
        killed(site, kill, *RENEW, "within=365")
        done = run(site, "resume", timeout=900)
    else:
        done = run(site, "run", *RENEW, "within=365", "--yes", timeout=900)
    report[f"renewSeconds{f'_killedIn_{kill}' if kill else ''}"] = round(done.seconds, 1)
    after = certificates(site)
    assert changed(before, after, HOST) == OF_KUBEADM | OF_KUBELET
    assert changed(before, after, NODE) == OF_KUBELET
    served = after["cluster", f"served at {cluster.server}"]
    assert served["serial"] == after[HOST, "/etc/kubernetes/pki/apiserver.crt"]["serial"]
    assert {one["state"] for one in after.values()} == {"ok"}
    well(site)
    assert answered(site)
    again = run(site, "run", *RENEW, "--yes").words
    assert all(f"{step}: so already" in again for step in ("keep", "renew", "kubelet", "restart", "nodes"))


PUT = b"""
import contextlib, json, os, signal, subprocess
with open(0, "rb", closefd=False) as given:
    order = json.loads(given.readline())
for path, text in order["files"].items():
    with open(path, "w") as file:
        file.write(text)
subprocess.run(["systemctl", "restart", "kubelet"], check=True)
for number in filter(str.isdigit, os.listdir("/proc")):
    with contextlib.suppress(OSError), open(f"/proc/{number}/comm") as name:
        if name.read().strip() == "kube-apiserver" and order["end"]:
            os.kill(int(number), signal.SIGKILL)
print(json.dumps({}))
"""
"""Writes files, has kubelet start anew, and ends the API server where that is asked for."""


def dated(text: str, authority: x509.Certificate, key: Any, *, begins: int, ends: int) -> str:
    """A PEM text with its certificate as it is, but for its time: days from now."""
    found = x509.load_pem_x509_certificate(text.encode())
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(found.subject)
        .issuer_name(authority.subject)
        .public_key(found.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
    )
    for extension in found.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    old = found.public_bytes(Encoding.PEM).decode()
    assert old in text
    return text.replace(old, pem)


def test_certificates_that_have_ended_are_made_anew_without_an_api_server(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    stack = site.declaration()
    hosts = stack.environment.regions[REGION].hosts
    ways = {host: logins.login(stack, host, hosts[host].ssh_address) for host in (HOST, OTHER)}

    def read(host: str, path: str) -> str:
        return ssh.run(host, ways[host], ["cat", path]).stdout

    pki = "/etc/kubernetes/pki"
    authority = x509.load_pem_x509_certificate(read(HOST, f"{pki}/ca.crt").encode())
    key = load_pem_private_key(read(HOST, f"{pki}/ca.key").encode(), None)
    over = {HOST: (f"{pki}/apiserver.crt", machines.CLIENT), OTHER: (machines.CLIENT,)}
    # The worker first: it is told by nobody that its certificate has ended, and starts anew with it.
    for host in (OTHER, HOST):
        files = {path: dated(read(host, path), authority, key, begins=-366, ends=-1) for path in over[host]}
        ssh.ask(host, ways[host], PUT, {"files": files, "end": host == HOST}, timeout=60)
    deadline = time.monotonic() + 60
    while True:
        try:
            cluster.answer("GET", "/readyz")
        except AccessError:
            break
        assert time.monotonic() < deadline
        time.sleep(1)
    seen = certificates(site)
    assert {where for where, one in seen.items() if one["state"] == "ended"} >= {
        (host, path) for host, paths in over.items() for path in paths
    }
    assert site.crossmesh("certificates", check=False).returncode == 14
    done = run(site, "run", *RENEW, "--yes", timeout=900)
    report["renewSeconds_endedAndWithoutApi"] = round(done.seconds, 1)
    assert cluster.answer("GET", "/readyz")[0] == 200
    assert {one["state"] for one in certificates(site).values()} == {"ok"}
    well(site)
    assert answered(site)


def test_a_machine_that_is_lost_is_cleared_and_another_one_takes_its_place(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    path = f"/api/v1/nodes/{OTHER}"
    early = run(site, "run", "clear-lost-node", f"node={OTHER}", "--yes", check=False)
    assert early.returncode != 0 and f"{OTHER} answers ssh" in early.words
    before = cluster.get(path)
    # Nothing of the machine is left, as of one that burned down.
    destroy(site.name, OTHER, state_dir(site.name) / "root" / OTHER)
    deadline = time.monotonic() + 300
    while (
        tried := run(site, "run", "clear-lost-node", f"node={OTHER}", "--dry-run", check=False)
    ).returncode:
        assert time.monotonic() < deadline, tried.words[-2000:]
        time.sleep(5)
    done = run(site, "run", "clear-lost-node", f"node={OTHER}", "--yes", timeout=600)
    report["clearSeconds"] = round(done.seconds, 1)
    assert cluster.get(path) is None
    site.lab("start")
    back = site.up("--skip-preview", "--refresh")
    report["anotherMachineSeconds"] = round(back.seconds, 1)
    after = cluster.get(path)
    assert before is not None and after is not None, back.words[-6000:]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    well(site)
    assert answered(site)
    site.up("--skip-preview", "--expect-no-changes")


def test_a_journal_that_was_changed_runs_nothing(site: Site) -> None:
    run(site, "run", "return-node", f"node={NODE}", "--yes")
    file = site.directory / "backend" / ".crossmesh" / "journals" / "crossmesh" / site.name / "journal.jsonl"
    whole = file.read_text()
    file.write_text(whole.replace('"return-node"', '"other-node"', 1))
    try:
        refused = run(site, "history", check=False)
        assert refused.returncode == 1
        assert "was changed" in refused.words
    finally:
        file.write_text(whole)
