"""etcd of three control planes: brought back from a backup, killed at every step, and rebuilt from one.

Run by `make acceptance SUITE=restore`; takes about half an hour and writes
`docs/acceptance/restore-<date>.json`. A failure says what the machines said: who holds the address, what
kubelet runs, and the last words of etcd and the API server.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from access.cluster import Cluster
from access.errors import AccessError
from lab.machine import destroy
from lab.paths import state_dir
from runbooks.etcd.steps import BUMP
from runbooks.history import unfinished
from tests.lab.acceptance import backups, results
from tests.lab.acceptance.test_control_planes import (
    APPLICATION,
    CONTROL,
    PATH,
    brought_up,
    explained,
    healthy,
    members,
    told,
)
from tests.lab.acceptance.test_runbooks import MAPS, customs, entries, killed, run, write
from tests.lab.clients import curl
from tests.lab.site import Ended, Site
from tests.lab.test_4_failover_between_clusters import NAMESPACE

NAME = os.environ.get("CROSSMESH_RESTORE_STACK", "test-restore")
REGION = "eu"
STAYS, *LOST = CONTROL
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{APPLICATION}"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
INFO = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
HOSTS = "**:HostPhase::eu-cp-*"
"""The control plane's hosts, among the resources of the stack."""
FOLLOWED_SECONDS = 480.0
"""So soon a change has come through controllers, scheduler and kubelet. A controller manager that has lost
its lease ends, and kubelet waits for up to five minutes before it starts again what has ended often."""
SILENT_SECONDS, SERVED_SECONDS = 60.0, 120.0
"""So soon an API server says that it has no etcd, which it asks now and then, and so soon the gateway is
reached again whose pods have moved."""
_ETCD = "pgrep -f '^etcd .*=/etc/kubernetes/'"


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("restore")


@pytest.fixture(scope="module")
def site(report: dict[str, Any]) -> Iterator[Site]:
    with brought_up(NAME, report) as found:
        healthy(found)
        yield found


@pytest.fixture(autouse=True)
def ended(site: Site) -> Iterator[None]:
    """A run that a test has left in the middle is taken back, so that the next test can begin its own."""
    yield
    if unfinished(entries(site)):
        run(site, "abort", check=False, timeout=900)


@pytest.fixture
def cluster(site: Site) -> Iterator[Cluster]:
    with site.clusters() as clusters:
        yield clusters[REGION]


def backed_up(site: Site, directory: Path) -> Path:
    """A backup, in a directory without any."""
    run(site, "run", "backup-etcd", f"region={REGION}", f"destination={directory}", "--yes")
    (path,) = backups.paths(directory, site.name, REGION)
    return path


def restored(site: Site, path: Path, kill: str) -> Ended:
    """A restore, killed while a step is at work, and gone on with."""
    wanted = ("restore-etcd", f"region={REGION}", f"backup={path}")
    if not kill:
        return explained(site, lambda: run(site, "run", *wanted, "--yes", timeout=900))
    killed(site, kill, *wanted)
    return explained(site, lambda: run(site, "resume", timeout=900))


def names(cluster: Cluster) -> dict[str, str]:
    """ConfigMaps of a namespace: UID by name."""
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in (cluster.get(MAPS) or {})["items"]}


def seen_by(site: Site, host: str, query: str = "") -> tuple[set[str], int]:
    """What the API server of one host lists, and at which revision. query: of the request."""
    server = f"https://{site.machines[host]}:6443"
    asked = f"kubectl --kubeconfig=/etc/kubernetes/admin.conf --server={server} get --raw '{MAPS}{query}'"
    listed = json.loads(site.on(host, asked))
    return {one["metadata"]["name"] for one in listed["items"]}, int(listed["metadata"]["resourceVersion"])


def follows(site: Site, cluster: Cluster) -> float:
    """Delete the application's pods; seconds until others are ready. Whose watch has not recovered does
    nothing: controllers make pods, the scheduler places them, kubelets run them.
    """
    began = time.monotonic()
    before, wanted = pods(cluster), (cluster.get(DEPLOYMENT) or {})["spec"]["replicas"]
    for name in before:
        cluster.delete(f"{PODS}/{name}")
    while True:
        now = pods(cluster)
        if len(now) == wanted and not set(now) & set(before) and all(now.values()):
            return round(time.monotonic() - began, 1)
        assert time.monotonic() - began < FOLLOWED_SECONDS, f"nobody follows: {before} {now}\n{told(site)}"
        time.sleep(1)


def pods(cluster: Cluster) -> dict[str, bool]:
    """Pods of the application: whether each is ready."""
    listed = (cluster.get(f"{PODS}?labelSelector=app%3D{APPLICATION}") or {})["items"]
    return {
        one["metadata"]["name"]: any(
            said["type"] == "Ready" and said["status"] == "True"
            for said in one["status"].get("conditions") or ()
        )
        for one in listed
    }


def serves(site: Site) -> None:
    """A client is answered through the gateway."""
    outputs = site.outputs()
    gateway = str(outputs.regions[REGION].gateway_addresses[0])
    deadline = time.monotonic() + SERVED_SECONDS
    while (answer := curl(outputs, gateway, PATH)).status != 200:
        assert time.monotonic() < deadline, f"{answer}\n{told(site)}"
        time.sleep(2)


def answers(cluster: Cluster) -> bool:
    """Whether the API is ready at its address."""
    try:
        return cluster.answer("GET", "/readyz")[0] == 200
    except AccessError:
        return False


@pytest.mark.parametrize("kill", ["", "upload", "stop", "exchange", "start"])
def test_three_members_are_those_of_the_backup_again_and_everybody_follows(
    site: Site, cluster: Cluster, report: dict[str, Any], tmp_path: Path, kill: str
) -> None:
    word = kill or "nothing"
    before = write(cluster, f"before-{word}")
    there = customs(cluster)
    path = backed_up(site, tmp_path)
    write(cluster, f"after-{word}")
    done = restored(site, path, kill)
    found = names(cluster)
    assert found[f"before-{word}"] == before
    assert f"after-{word}" not in found
    assert customs(cluster) == there
    for host in CONTROL:
        listed, revision = seen_by(site, host)
        cached, _ = seen_by(site, host, "?resourceVersion=0")
        assert listed == cached == set(found), f"{host} answers otherwise\n{told(site)}"
        assert revision > BUMP, f"{host}: a client may hold a revision that is yet to come: {revision}"
    assert members(site, STAYS) == set(CONTROL), told(site)
    report.setdefault("restored", {})[word] = {
        "seconds": round(done.seconds, 1),
        "secondsUntilFollowed": follows(site, cluster),
        "secondsUntilWell": healthy(site),
    }
    serves(site)
    left = {host: site.on(host, "ls -d /var/lib/etcd/before-*/member") for host in CONTROL}
    assert all(left.values()), left
    for host in CONTROL:
        site.on(host, "rm -rf /var/lib/etcd/before-*")


def test_what_the_cluster_told_of_itself_at_the_time_of_the_backup_is_told_anew(
    site: Site, cluster: Cluster, report: dict[str, Any], tmp_path: Path
) -> None:
    """A backup from before a change of the declaration; here, from when who joins was led to one machine."""
    declared = cluster.get(INFO)
    assert declared is not None
    text = declared["data"]["kubeconfig"]
    own = site.declaration().environment.regions[REGION].hosts[STAYS].address
    earlier = re.sub(r"server: \S+", f"server: https://{own}:6443", text)
    assert earlier != text
    cluster.patch(INFO, {"data": {"kubeconfig": earlier}})
    path = backed_up(site, tmp_path)
    cluster.patch(INFO, {"data": {"kubeconfig": text}})
    restored(site, path, "")
    brought = cluster.get(INFO)
    assert brought is not None and brought["data"]["kubeconfig"] == earlier
    follows(site, cluster)
    done = site.crossmesh("doctor", check=False, timeout=600)
    assert "kube-public/cluster-info" in done.words, done.words[-4000:]
    told_anew = explained(site, lambda: site.up("--skip-preview", "--refresh"))
    again = cluster.get(INFO)
    assert again is not None and again["data"]["kubeconfig"] == text, told(site)
    report["toldAnew"] = {"seconds": round(told_anew.seconds, 1), "secondsUntilWell": healthy(site)}
    explained(site, lambda: site.up("--skip-preview", "--refresh", "--expect-no-changes"))
    for host in CONTROL:
        site.on(host, "rm -rf /var/lib/etcd/before-*")


def test_a_restore_that_was_killed_is_taken_back(site: Site, cluster: Cluster, tmp_path: Path) -> None:
    path = backed_up(site, tmp_path)
    after = write(cluster, "after-taken-back")
    killed(site, "exchange", "restore-etcd", f"region={REGION}", f"backup={path}")
    explained(site, lambda: run(site, "abort", timeout=900))
    assert names(cluster)["after-taken-back"] == after
    assert members(site, STAYS) == set(CONTROL), told(site)
    for host in CONTROL:
        assert not site.on(host, "ls -d /var/lib/etcd/restored-* /var/lib/etcd/before-* 2>/dev/null || true")
    healthy(site)


def test_a_backup_with_one_byte_changed_is_refused_and_nothing_is_stopped(site: Site, tmp_path: Path) -> None:
    path = backed_up(site, tmp_path)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    running = {host: site.on(host, _ETCD) for host in CONTROL}
    wanted = ("restore-etcd", f"region={REGION}", f"backup={path}")
    refused = run(site, "run", *wanted, "--yes", check=False)
    assert refused.returncode == 1
    assert "was changed or cut off" in refused.words
    # A host that answers is not lost, whatever the operator says.
    path = backed_up(site, tmp_path / "whole")
    refused = run(
        site,
        *("run", "restore-etcd", f"region={REGION}", f"backup={path}", f"without={LOST[0]}", "--dry-run"),
        check=False,
    )
    assert f"{LOST[0]} answers ssh: it is not lost" in refused.words
    refused = run(site, "run", "rebuild-etcd", f"region={REGION}", "--dry-run", check=False)
    assert f"etcd of {STAYS} serves" in refused.words
    assert {host: site.on(host, _ETCD) for host in CONTROL} == running


def test_of_three_members_one_is_left_and_the_cluster_is_rebuilt_from_it(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    last = write(cluster, "last")
    time.sleep(2)
    for host in LOST:
        destroy(site.name, host, state_dir(site.name) / "root" / host)
    # As after a power cut: a member that starts without a majority does not even give a snapshot of itself.
    site.on(STAYS, "pkill -KILL -f '^etcd .*=/etc/kubernetes/'")
    deadline = time.monotonic() + SILENT_SECONDS
    while answers(cluster):
        assert time.monotonic() < deadline, f"the API answers without a majority\n{told(site)}"
        time.sleep(1)
    wanted = ("rebuild-etcd", f"region={REGION}", f"without={','.join(LOST)}")
    done = explained(site, lambda: run(site, "run", *wanted, "--yes", timeout=900))
    found = {"rebuildSeconds": round(done.seconds, 1)}
    assert names(cluster)["last"] == last
    assert members(site, STAYS) == {STAYS}, told(site)
    found["secondsUntilFollowed"] = follows(site, cluster)
    serves(site)
    assert not any(cluster.get(f"/api/v1/nodes/{host}") for host in LOST)
    site.lab("start")
    back = explained(site, lambda: site.up("--skip-preview", "--refresh"))
    found["threeAgainSeconds"] = round(back.seconds, 1)
    assert members(site, STAYS) == set(CONTROL), told(site)
    found["secondsUntilWell"] = healthy(site)
    assert names(cluster)["last"] == last
    report["rebuilt"] = found
    explained(site, lambda: site.up("--skip-preview", "--expect-no-changes"))


def containers(cluster: Cluster) -> set[str]:
    """The containers of the application, each as the runtime has it."""
    listed = (cluster.get(f"{PODS}?labelSelector=app%3D{APPLICATION}") or {})["items"]
    return {
        container.get("containerID", "")
        for one in listed
        for container in one["status"].get("containerStatuses") or ()
    }


def test_a_control_plane_on_new_machines_begins_from_a_backup(
    site: Site, cluster: Cluster, report: dict[str, Any], tmp_path: Path
) -> None:
    before, there, ran = write(cluster, "before-new-machines"), customs(cluster), containers(cluster)
    path = backed_up(site, tmp_path)
    for host in CONTROL:
        destroy(site.name, host, state_dir(site.name) / "root" / host)
    site.lab("start")
    wanted = ("restore-on-new-machines", f"region={REGION}", f"backup={path}")
    done = explained(site, lambda: run(site, "run", *wanted, "--yes", timeout=900))
    # Without an API server, objects in the cluster cannot be looked at.
    explained(site, lambda: site.pulumi("refresh", "--yes", "--target", HOSTS, timeout=600))
    made = site.up("--skip-preview", check=False)
    for _ in LOST:
        if made.returncode:
            # A node that joins is counted as there until its cluster has seen that its machine is silent.
            assert "already exists in the cluster" in made.words, f"{made.words[-4000:]}\n{told(site)}"
            made = site.up("--skip-preview", check=False)
    assert made.returncode == 0, f"{made.words[-4000:]}\n{told(site)}"
    # By a connection of its own: nobody has ended the one to a machine that is gone.
    with site.clusters() as clusters:
        anew = clusters[REGION]
        found = names(anew)
        assert found["before-new-machines"] == before
        assert customs(anew) == there
        assert containers(anew) == ran, f"what the worker runs was ended\n{told(site)}"
        _, revision = seen_by(site, STAYS)
        assert revision > BUMP
        assert members(site, STAYS) == set(CONTROL), told(site)
        report["newMachines"] = {
            "restoreSeconds": round(done.seconds, 1),
            "upSeconds": round(made.seconds, 1),
            "secondsUntilFollowed": follows(site, anew),
            "secondsUntilWell": healthy(site),
        }
    serves(site)
    explained(site, lambda: site.up("--skip-preview", "--expect-no-changes"))
