"""A cluster's life, killed at every step: a node is added, removed and replaced, etcd is brought back, and
Kubernetes upgraded. After each walk all is as after a run that nobody killed, and nothing is left to do.

The list of steps is what `up` tells of its phases and what runbooks write into their journal: walks go along
it (`walking.py`). Run by `make acceptance SUITE=lifecycle`; about an hour on two processors that do nothing
else: add 10 minutes, remove 4, replace 14, restore 6, 5 more for their platform, upgrade 30 with its own. One
of them alone: `python -m pytest tests/lab/acceptance/test_lifecycle.py -k upgrade`. Writes
`docs/acceptance/lifecycle-<date>.json`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from access.cluster import Cluster
from lab.machine import destroy
from lab.paths import state_dir
from lab.spec import REFERENCE
from playbooks.provider.membership import CORDONED_FOR
from tests.lab.acceptance import backups, results
from tests.lab.acceptance.killing import Moment, keep, shape
from tests.lab.acceptance.versions import expected, running
from tests.lab.acceptance.walking import Walk, walk_runbook, walk_up
from tests.lab.conftest import log_directory
from tests.lab.site import Site
from toolchain import install

NAME = os.environ.get("CROSSMESH_LIFECYCLE_STACK", "test-life")
FROM = os.environ.get("CROSSMESH_UPGRADE_FROM", "1.34.9")
TO = os.environ.get("CROSSMESH_UPGRADE_TO", "1.35.3")
OTHERS = {"istio": "1.29.1", "metallb": "0.16.1"}
REGION, CONTROL, WORKER, OTHER = "eu", "eu-cp-1", "eu-worker-1", "eu-worker-2"
"""The last of them comes and goes."""
APPLICATION, PATH = "asset-dashboard-bff-svc", "/assetdashboard"
RESOURCES = {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"memory": "96Mi"}}
MAPS = "/api/v1/namespaces/default/configmaps"
WELL_SECONDS, SILENT_SECONDS, READY_SECONDS = 300.0, 400.0, 120.0
WALK_SECONDS = 5400
"""For a test that walks, and its platform where it is the first, on a computer that does other things too."""
_LISTED = "find /etc -type f -print0 | sort -z | xargs -0 sha256sum"
_BY_THEMSELVES = ("/etc/ld.so.cache", "/etc/.pwd.lock", "/etc/resolv.conf")
"""Files of /etc that programs write anew whenever they are installed or run."""


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("lifecycle")


def made(versions: Mapping[str, str] | None = None) -> Site:
    """A region of a control plane and a worker on machines of its own, with a third machine, brought up.

    versions: instead of the default ones; the mirror then offers those to upgrade to as well.
    """
    site = Site(NAME, log_directory())
    try:
        described = yaml.safe_load(REFERENCE.read_text())
        described["regions"] = {REGION: [CONTROL, WORKER, *([] if versions else [OTHER])]}
        if versions:
            offered = {program: [version] for program, version in OTHERS.items()}
            described["mirror"]["releases"] = {"kubernetes": [FROM, TO], **offered}
        file = site.directory / "lab.yaml"
        file.write_text(yaml.safe_dump(described))
        site.prepare(file)
        document = yaml.safe_load(site.stack_file.read_text())
        environment = document["config"]["crossmesh:environment"]
        del environment["regions"]["us"], environment["globalLoadBalancer"]
        del environment["regions"][REGION]["edges"]
        environment["versions"] |= versions or {}
        environment["applications"] = {
            APPLICATION: environment["applications"][APPLICATION] | {"resources": RESOURCES}
        }
        (ingress,) = environment["ingresses"].values()
        ingress["paths"] = [{"path": PATH, "application": APPLICATION}]
        site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
        site.crossmesh("ledger", "--write")
        site.up("--skip-preview")
        well(site)
    except BaseException:
        site.stop()
        raise
    return site


def declare(site: Site, *, other: bool) -> None:
    """Have the third machine be a node, or not."""
    document = yaml.safe_load(site.stack_file.read_text())
    nodes = document["config"]["crossmesh:environment"]["regions"][REGION]["cluster"]["nodes"]
    nodes.pop(OTHER, None)
    if other:
        nodes[OTHER] = {**nodes[WORKER], "address": site.machines[OTHER]}
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
    site.crossmesh("ledger", "--write")


# -- What there is, and how it is held against a run that nobody killed


def well(site: Site) -> None:
    """Wait until every check of the doctor passes."""
    deadline = time.monotonic() + WELL_SECONDS
    while (told := site.crossmesh("doctor", check=False)).returncode:
        assert time.monotonic() < deadline, told.words[-4000:]
        time.sleep(5)


def nodes(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """Each node, by what is the same after each run."""
    found = {}
    for node in (cluster.get("/api/v1/nodes") or {})["items"]:
        labels, spec = node["metadata"].get("labels") or {}, node["spec"]
        found[node["metadata"]["name"]] = {
            "labels": {key: labels[key] for key in sorted(labels)},
            "annotated": sorted(node["metadata"].get("annotations") or {}),
            "taints": spec.get("taints") or [],
            "unschedulable": bool(spec.get("unschedulable")),
            "pods": spec.get("podCIDR", ""),
            "kubelet": node["status"]["nodeInfo"]["kubeletVersion"],
        }
    return found


def etc(site: Site, host: str) -> dict[str, str]:
    """Digests of the files of a host's /etc, by path."""
    pairs = (line.split(maxsplit=1) for line in site.on(host, _LISTED).splitlines())
    return {path: digest for digest, path in pairs if path not in _BY_THEMSELVES}


def ready(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """The nodes, once none is told to be of no use for now: `up` ends when one has joined, and controllers
    need a moment."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        found = nodes(cluster)
        waits = [name for name, node in found.items() if any(_passes(taint) for taint in node["taints"])]
        if not waits:
            return found
        assert time.monotonic() < deadline, f"not ready after {READY_SECONDS:.0f} s: {found}"
        time.sleep(1)


def _passes(taint: Mapping[str, Any]) -> bool:
    return str(taint["key"]).startswith("node.kubernetes.io/") and "unschedulable" not in taint["key"]


def state(site: Site, *hosts: str) -> dict[str, Any]:
    """What two runs agree in: the engine's resources, the nodes, and files of hosts."""
    with site.clusters() as clusters:
        found = ready(clusters[REGION])
    return {
        "resources": shape(site),
        "nodes": found,
        **{f"/etc of {host}": etc(site, host) for host in hosts},
    }


def differing(before: Mapping[str, Any], after: Mapping[str, Any], at: str = "") -> list[str]:
    """Where two states differ, each with what it was and what it is."""
    found = []
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differing(old, new, f"{at}{key}: ")
        elif old != new:
            found.append(f"{at}{key}: {old!r} without a kill, {new!r} after them")
    return found


def settled(site: Site) -> None:
    """Nothing is left to do: `up` has no change, no task of any play would change a host, and all is well."""
    well(site)
    again = site.up("--skip-preview", "--expect-no-changes", check=False)
    assert again.returncode == 0, again.words[-4000:]
    looked = ("drift", "--layer", "hosts", "--strict", "--timeout", "600")
    drift = site.crossmesh(*looked, check=False, timeout=700)
    assert drift.returncode == 0, drift.words[-4000:]


class Walked:
    """A walk, noted however it ends."""

    def __init__(self, site: Site, report: dict[str, Any], operation: str) -> None:
        self.site, self.walk = site, Walk(operation)
        self._report = report

    def __enter__(self) -> Walk:
        return self.walk

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        told = self.walk.told()
        if error is not None:
            moment = Moment()
            keep(self.site, moment, error)
            told["problem"] = moment.problem
        self._report[self.walk.operation] = told


# -- Kubernetes goes to its next minor version


# First of all, so that no other platform is there with it.
@pytest.mark.timeout(8000)
def test_upgrade(report: dict[str, Any]) -> None:
    programs = {"kubernetes": (FROM, TO), **{name: (version,) for name, version in OTHERS.items()}}
    install.install(sorted(f"{name}-{version}" for name, them in programs.items() for version in them))
    upgraded = made({"kubernetes": FROM, **OTHERS})
    try:
        was = state(upgraded)
        document = yaml.safe_load(upgraded.stack_file.read_text())
        document["config"]["crossmesh:environment"]["versions"]["kubernetes"] = TO
        upgraded.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
        with Walked(upgraded, report, "upgrade") as walk:
            walk_up(upgraded, walk, most=120)
            for host in (CONTROL, WORKER):
                wanted = f"{host} prepare: upgrade : Upgrade what kubeadm made on this node"
                assert wanted in walk.visited, walk.visited
            well(upgraded)
            with upgraded.clusters() as clusters:
                assert running(clusters[REGION]) == expected({"kubernetes": TO, **OTHERS})
                for name, node in nodes(clusters[REGION]).items():
                    assert not node["unschedulable"], f"{name} is still cordoned"
                    assert CORDONED_FOR not in node["annotated"], name
            found = state(upgraded)
            for node in (*was["nodes"].values(), *found["nodes"].values()):
                # Of its release, as are kubeadm's own marks.
                del node["kubelet"], node["annotated"]
            differs = differing(was, found)
            assert not differs, differs[:20]
            settled(upgraded)
        upgraded.destroy()
    finally:
        upgraded.stop()


# -- A node comes, goes, and is another machine


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The platform of add, remove, replace and restore; nothing of it is left at the end."""
    found = made()
    try:
        yield found
        found.destroy()
    finally:
        found.stop()


@pytest.fixture(scope="module")
def undisturbed(site: Site, report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What there is after an addition and after a removal that nobody killed. The machine was a node before:
    what it keeps of that is there at each of them."""
    found = {}
    for times in range(2):
        declare(site, other=True)
        added = site.up("--skip-preview").seconds
        found["added"] = state(site, OTHER)
        declare(site, other=False)
        removed = site.up("--skip-preview").seconds
        found["removed"] = state(site, OTHER)
        report[f"undisturbed {times + 1}"] = {"addSeconds": added, "removeSeconds": removed}
    return found


@pytest.mark.timeout(WALK_SECONDS)
def test_add(site: Site, undisturbed: dict[str, Any], report: dict[str, Any]) -> None:
    declare(site, other=True)
    with Walked(site, report, "add") as walk:
        walk_up(site, walk)
        assert any("join : Join the cluster" in step for step in walk.visited), walk.visited
        differs = differing(undisturbed["added"], state(site, OTHER))
        assert not differs, differs[:20]
        settled(site)


@pytest.mark.timeout(WALK_SECONDS)
def test_remove(site: Site, undisturbed: dict[str, Any], report: dict[str, Any]) -> None:
    declare(site, other=True)
    site.up("--skip-preview")
    declare(site, other=False)
    with Walked(site, report, "remove") as walk:
        walk_up(site, walk)
        assert any("reset : Leave the cluster" in step for step in walk.visited), walk.visited
        differs = differing(undisturbed["removed"], state(site, OTHER))
        assert not differs, differs[:20]
        settled(site)


@pytest.mark.timeout(WALK_SECONDS)
def test_replace(site: Site, undisturbed: dict[str, Any], report: dict[str, Any]) -> None:
    declare(site, other=True)
    site.up("--skip-preview")
    # Nothing of the machine is left, as of one that burned down.
    destroy(site.name, OTHER, state_dir(site.name) / "root" / OTHER)
    clear = ("clear-lost-node", f"node={OTHER}")
    deadline = time.monotonic() + SILENT_SECONDS
    while (tried := site.crossmesh("runbook", "run", *clear, "--dry-run", check=False)).returncode:
        assert time.monotonic() < deadline, tried.words[-2000:]
        time.sleep(5)
    with Walked(site, report, "replace: clear") as walk:
        walk_runbook(site, walk, *clear)
        assert {"fence", "give-up", "remove"} & set(walk.visited), walk.visited
    site.lab("start")
    site.pulumi("refresh", "--yes", "--skip-preview", timeout=600)
    with Walked(site, report, "replace: another machine") as walk:
        walk_up(site, walk)
        assert any("base : Install packages" in step for step in walk.visited), walk.visited
        found = state(site)
        differs = differing({key: undisturbed["added"][key] for key in found}, found)
        assert not differs, differs[:20]
        settled(site)


@pytest.mark.timeout(WALK_SECONDS)
def test_restore(site: Site, report: dict[str, Any], tmp_path: Path) -> None:
    with site.clusters() as clusters:
        before = written(clusters[REGION], "before")
    site.crossmesh("runbook", "run", "backup-etcd", f"region={REGION}", f"destination={tmp_path}", "--yes")
    (path,) = backups.paths(tmp_path, site.name, REGION)
    was = state(site)
    with site.clusters() as clusters:
        written(clusters[REGION], "after")
    with Walked(site, report, "restore") as walk:
        walk_runbook(site, walk, "restore-etcd", f"region={REGION}", f"backup={path}")
        assert {"upload", "stop", "exchange", "start"} <= set(walk.visited), walk.visited
        with site.clusters() as clusters:
            listed = (clusters[REGION].get(MAPS) or {})["items"]
        names = {one["metadata"]["name"]: one["metadata"]["uid"] for one in listed}
        assert names["before"] == before
        assert "after" not in names
        well(site)
        differs = differing(was, state(site))
        assert not differs, differs[:20]
        settled(site)


def written(cluster: Cluster, name: str) -> str:
    """A ConfigMap of that name; its UID."""
    found = cluster.post(MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
    return str(found["metadata"]["uid"])
