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
from pathlib import Path
from typing import Any

import pytest
import yaml

from access import envelope
from access.cluster import Cluster
from lab.spec import REFERENCE
from live import logins
from runbooks import journal, locks
from runbooks.etcd import backup, sealed
from runbooks.etcd.tools import Tools
from runbooks.journal import Entry, What
from tests.lab.acceptance import results
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
    found: dict[str, Any] = {}
    yield found
    print(f"wrote {results.write('runbooks', found)}")


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


def run(site: Site, *arguments: str, check: bool = True) -> Any:
    return site.crossmesh("runbook", *arguments, check=check)


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
    deadline, before = time.monotonic() + 120, len(entries(site))
    try:
        while time.monotonic() < deadline:
            if any(entry.what is What.DOING and entry.step == step for entry in entries(site)[before:]):
                break
            assert process.poll() is None, log.with_suffix(".err").read_text()
            time.sleep(0.02)
        else:
            raise AssertionError(f"{step} was not begun")
    finally:
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
    place.take("another")
    try:
        refused = run(site, "run", "drain-node", f"node={NODE}", "--yes", check=False)
        assert refused.returncode == 13, refused.words
        assert f"{HOST} is held for a runbook by" in refused.words
        assert not cordoned(cluster)
    finally:
        place.give_back()
    run(site, "run", "return-node", f"node={NODE}", "--yes")


def test_a_backup_is_that_of_the_live_store_and_opens_with_the_stack_alone(
    site: Site, report: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(site, "run", "backup-etcd", f"region={REGION}", f"directory={tmp_path}", "keep=1", "--yes")
    report["backupSeconds"] = round(done.seconds, 1)
    (path,) = backup.backups(tmp_path, site.name, REGION)
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
    run(site, "run", "backup-etcd", f"region={REGION}", f"directory={tmp_path}", "keep=1", "--yes")
    assert len(backup.backups(tmp_path, site.name, REGION)) == 1


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
    run(site, "run", "backup-etcd", f"region={REGION}", f"directory={tmp_path}", "--yes")
    (path,) = backup.backups(tmp_path, site.name, REGION)
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
    deadline = time.monotonic() + 180
    while (told := site.crossmesh("doctor", check=False)).returncode:
        assert time.monotonic() < deadline, told.words[-3000:]
        time.sleep(5)
    assert answered(site)
    # Watches hear of what comes after it: scheduler, kubelets and controllers move pods.
    run(site, "run", "drain-node", f"node={NODE}", "--yes")
    run(site, "run", "return-node", f"node={NODE}", "--yes")


def test_a_backup_with_one_byte_changed_is_refused(site: Site, tmp_path: Path) -> None:
    run(site, "run", "backup-etcd", f"region={REGION}", f"directory={tmp_path}", "--yes")
    (path,) = backup.backups(tmp_path, site.name, REGION)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    refused = run(site, "run", "restore-etcd", f"region={REGION}", f"backup={path}", "--yes", check=False)
    assert refused.returncode == 1
    assert "was changed or cut off" in refused.words
    refused = run(site, "run", "restore-etcd", "region=us", f"backup={path}", "--yes", check=False)
    assert "is of another cluster" in refused.words


def test_a_journal_that_was_changed_runs_nothing(site: Site) -> None:
    file = site.directory / "backend" / ".crossmesh" / "journals" / "crossmesh" / site.name / "journal.jsonl"
    whole = file.read_text()
    file.write_text(whole.replace('"drain-node"', '"other-node"', 1))
    try:
        refused = run(site, "history", check=False)
        assert refused.returncode == 1
        assert "was changed" in refused.words
    finally:
        file.write_text(whole)
