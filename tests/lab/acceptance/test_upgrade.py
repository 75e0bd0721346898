"""Kubernetes goes to its next minor version by an edit of the declaration, with clients at work, and killed.

Two regions of one mesh: `eu` with two workers, which are drained, and `us` with one, which cannot be. Run by
`make acceptance SUITE=upgrade`; takes about half an hour, and the time to compile what the toolchain has not
yet (`python -m toolchain install kubernetes-1.34.9`). Writes `docs/acceptance/upgrade-<date>.json`.
CROSSMESH_UPGRADE_FROM and CROSSMESH_UPGRADE_TO name other versions.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import dns.exception
import pytest
import yaml

from access.cluster import Cluster
from access.errors import AccessError
from lab.spec import REFERENCE
from live.doctor.probes import NAMESPACE as PROBES
from playbooks.provider.membership import CORDONED_FOR
from tests.lab.acceptance import results
from tests.lab.acceptance.killing import Moment, check_lock, check_quiet, keep, kill_when
from tests.lab.acceptance.versions import expected, healthy, running
from tests.lab.clients import addresses, curl
from tests.lab.conftest import log_directory
from tests.lab.site import Site
from toolchain import install

NAME = os.environ.get("CROSSMESH_UPGRADE_STACK", "test-upgrade")
FROM = os.environ.get("CROSSMESH_UPGRADE_FROM", "1.34.9")
TO = os.environ.get("CROSSMESH_UPGRADE_TO", "1.35.3")
OTHERS = {"istio": "1.29.1", "metallb": "0.16.1"}
NODES = ["eu-cp-1", "eu-worker-1", "eu-worker-2", "us-cp-1", "us-worker-1"]
"""In the order of their turns."""
PATH = "/assetconsumer"
BETWEEN_SECONDS = 0.5
"""From one round of questions to the next: at most two requests a second at each gateway."""
UNANSWERED, UNANSWERED_SECONDS = 0.01, 5.0
"""Of requests to two replicas of all, and for how long at a time."""
KEPT = (
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/api/v1/services",
    "/api/v1/serviceaccounts",
    "/api/v1/namespaces/greencompute/configmaps",
    "/api/v1/namespaces/istio-system/secrets",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/daemonsets",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/security.istio.io/v1/peerauthentications",
    "/apis/networking.k8s.io/v1/ingresses",
    "/apis/metallb.io/v1beta1/ipaddresspools",
    "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
)
"""Of what the objects stay the same ones."""


class Clients(Thread):
    """Asks as browsers do, and each gateway alone, all the time; counts what was not answered, and keeps for
    how long at a time."""

    def __init__(self, site: Site) -> None:
        super().__init__(daemon=True)
        self.outputs = site.outputs()
        self.over = Event()
        self.found: Counter[str] = Counter()
        self.problems: list[str] = []
        self.longest: dict[str, float] = {}
        self._since: dict[str, float] = {}
        self._began = time.monotonic()

    def __enter__(self) -> Clients:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join(60)

    def run(self) -> None:
        """Until it is over."""
        gateways = {
            region: str(output.gateway_addresses[0]) for region, output in self.outputs.regions.items()
        }
        while not self.over.wait(BETWEEN_SECONDS):
            for region, gateway in gateways.items():
                self._ask(region, gateway)
            for server in self.outputs.nameservers:
                try:
                    targets = sorted(addresses(server, self.outputs.host)[0])
                except (OSError, dns.exception.DNSException) as error:
                    self._count("everywhere", f"{server.address}: {error}")
                    continue
                self._ask("everywhere", ",".join(targets))

    def _ask(self, whom: str, targets: str) -> None:
        answer = curl(self.outputs, targets, PATH)
        self._count(whom, "" if answer.status == 200 else f"{answer.status} {answer.problem}")

    def _count(self, whom: str, problem: str) -> None:
        now = time.monotonic()
        self.found[f"asked {whom}"] += 1
        if not problem:
            self._since.pop(whom, None)
            return
        self.found[f"unanswered {whom}"] += 1
        since = self._since.setdefault(whom, now)
        self.longest[whom] = max(self.longest.get(whom, 0.0), now - since)
        self.problems.append(f"{now - self._began:.1f} s: {whom}: {problem}"[:200])

    def were_answered(self, whom: str) -> None:
        """Fail unless they were, but for what may be lost with a pod that goes: one request in a hundred, and
        never for longer than a client that asks again notices."""
        asked, unanswered = self.found[f"asked {whom}"], self.found[f"unanswered {whom}"]
        assert asked > 20, self.told()
        assert unanswered <= asked * UNANSWERED, self.told()
        assert self.longest.get(whom, 0.0) <= UNANSWERED_SECONDS, self.told()

    def told(self) -> dict[str, Any]:
        """What the report says of it."""
        return {
            "requests": dict(sorted(self.found.items())),
            "longestSecondsUnanswered": {whom: round(longest, 1) for whom, longest in self.longest.items()},
            "problems": self.problems[:40],
        }


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    found: dict[str, Any] = {"from": FROM, "to": TO, **OTHERS}
    yield found
    found["kills"] = [asdict(moment) for moment in found.get("kills", ())]
    print(f"wrote {results.write('upgrade', found)}")


@contextmanager
def platform(report: dict[str, Any]) -> Iterator[Site]:
    """A platform of the earlier version on machines of its own."""
    wanted = [f"kubernetes-{version}" for version in (FROM, TO)]
    install.install(sorted([*wanted, *(f"{program}-{version}" for program, version in OTHERS.items())]))
    site = Site(NAME, log_directory())
    try:
        site.prepare(described(site))
        declare(site)
        report["upSeconds"] = round(site.up("--skip-preview").seconds, 1)
        healthy(site)
        yield site
        site.destroy()
    finally:
        site.stop()


def described(site: Site) -> Path:
    """The reference lab with one worker more, and a mirror that offers both versions."""
    description = yaml.safe_load(REFERENCE.read_text())
    description["regions"]["eu"].append("eu-worker-2")
    offered = {program: [version] for program, version in OTHERS.items()}
    description["mirror"]["releases"] = {"kubernetes": [FROM, TO], **offered}
    file = site.directory / "lab.yaml"
    file.write_text(yaml.safe_dump(description))
    return file


def declare(site: Site) -> None:
    """The earlier version, the worker more, and two replicas of each application."""
    document = yaml.safe_load(site.stack_file.read_text())
    environment = document["config"]["crossmesh:environment"]
    environment["versions"] = {"kubernetes": FROM, **OTHERS}
    nodes = environment["regions"]["eu"]["cluster"]["nodes"]
    nodes["eu-worker-2"] = {**nodes["eu-worker-1"], "address": site.machines["eu-worker-2"]}
    for application in environment["applications"].values():
        application["replicas"] = 2
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
    site.crossmesh("ledger", "--write")


def edited(site: Site) -> None:
    """The one edit that the upgrade is."""
    document = yaml.safe_load(site.stack_file.read_text())
    document["config"]["crossmesh:environment"]["versions"]["kubernetes"] = TO
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))


def objects(cluster: Cluster) -> dict[str, str]:
    """UIDs of what stays, by path and name."""
    return {
        f"{path} {found['metadata'].get('namespace', '')}/{found['metadata']['name']}": found["metadata"][
            "uid"
        ]
        for path in KEPT
        for found in (cluster.get(path) or {}).get("items", ())
        # The doctor's own come and go.
        if PROBES not in (found["metadata"]["name"], found["metadata"].get("namespace"))
    }


def kept(site: Site) -> dict[str, dict[str, str]]:
    """The same by region."""
    with site.clusters() as clusters:
        return {region: objects(cluster) for region, cluster in clusters.items()}


def lost(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> list[str]:
    """Objects that are gone, or are others under the same names."""
    return [
        f"{region}: {name}"
        for region, uids in before.items()
        for name, uid in uids.items()
        if after[region].get(name) != uid
    ]


def starts(site: Site) -> dict[str, float]:
    """When kubelet was last started on each node, in seconds of the clock that all machines share."""
    asked = "systemctl show --value --property=ExecMainStartTimestampMonotonic kubelet"
    return {node: int(site.on(node, asked)) / 1e6 for node in NODES}


def ended_well(site: Site, report: dict[str, Any]) -> None:
    """All is of the version, well, as schedulable as before, and the next run has nothing to do."""
    with site.clusters() as clusters:
        for region, cluster in clusters.items():
            report[region] = seen = running(cluster)
            assert seen == expected({"kubernetes": TO, **OTHERS}), f"{region}: {seen}"
            for node in (cluster.get("/api/v1/nodes") or {})["items"]:
                name = node["metadata"]["name"]
                assert not node["spec"].get("unschedulable"), f"{name} is still cordoned"
                assert CORDONED_FOR not in node["metadata"].get("annotations", {}), name
    healthy(site)
    report["againSeconds"] = round(site.up("--skip-preview", "--expect-no-changes").seconds, 1)
    for host in NODES:
        pins = site.on(host, "cat /etc/apt/preferences.d/crossmesh")
        assert f"version {TO}-*" in pins and FROM not in pins, f"{host}: {pins}"


def test_an_edit_upgrades_two_regions_node_by_node_and_clients_are_answered(report: dict[str, Any]) -> None:
    with platform(report) as site:
        before = kept(site)
        edited(site)
        gate = site.crossmesh("gate", "--report", "markdown=-", check=False)
        report["gateExit"] = gate.returncode
        assert f"Kubernetes goes from {FROM} to {TO}" in gate.words, gate.words[-6000:]
        assert f"batch {len(NODES)} of {len(NODES)}" in gate.words, gate.words[-6000:]
        with Clients(site) as clients:
            ended = site.up("--skip-preview", check=False, timeout=3000)
        report |= {"upgradeSeconds": round(ended.seconds, 1), **clients.told()}
        assert ended.returncode == 0, ended.words[-8000:]
        report["kubeletStarts"] = times = starts(site)
        assert sorted(NODES, key=times.__getitem__) == NODES, "turns in another order"
        report["lostObjects"] = gone = lost(before, kept(site))
        ended_well(site, report)
        assert not gone, gone[:20]
        # The one with a single worker is not drained, and that is said; the others take pods again.
        assert "us-worker-1: not drained" in ended.words
        assert (
            "eu-worker-1: takes pods again" in ended.words and "eu-worker-2: takes pods again" in ended.words
        )
        snapshot = f"stat --format=%a /var/lib/crossmesh/upgrade-{TO}/etcd-{FROM}.db"
        assert site.on("eu-cp-1", snapshot).strip() == "600"
        clients.were_answered("everywhere")
        # Two gateways on two workers, of which one is drained at a time. In `us` there is one of each.
        clients.were_answered("eu")


Clusters = dict[str, Cluster]


def _in_the_middle_of_the_control_plane(site: Site, clusters: Clusters) -> bool:
    """kubeadm is at work, and the API server's manifest is the new one already, the scheduler's the old."""
    asked = "grep -h image: /etc/kubernetes/manifests/*.yaml; pgrep -a kubeadm"
    said = site.on("eu-cp-1", asked, check=False)
    return all(words in said for words in ("kubeadm upgrade", f"kube-scheduler:v{FROM}", f":v{TO}"))


def _while_a_worker_is_cordoned(site: Site, clusters: Clusters) -> bool:
    try:
        found = clusters["eu"].get("/api/v1/nodes/eu-worker-1") or {}
    except AccessError:
        return False  # its control plane is upgraded before
    return CORDONED_FOR in found.get("metadata", {}).get("annotations", {})


def _with_another_kubelet_on_disk(site: Site, clusters: Clusters) -> bool:
    """It is started anew and proven then, which takes a quarter of a minute."""
    return f"{TO}-" in site.on("us-cp-1", "dpkg-query -W -f '${Version}' kubelet", check=False)


MOMENTS = {
    "kubeadm at work on eu-cp-1": _in_the_middle_of_the_control_plane,
    "eu-worker-1 cordoned": _while_a_worker_is_cordoned,
    "kubelet of us-cp-1 replaced": _with_another_kubelet_on_disk,
}
"""When `pulumi` is killed, one run after the other."""


def test_up_that_is_killed_again_and_again_ends_as_one_that_nobody_kills(report: dict[str, Any]) -> None:
    moments = report.setdefault("kills", [])
    with platform({}) as site:
        before = kept(site)
        edited(site)
        with Clients(site) as clients, site.clusters() as clusters:
            for words, reached in MOMENTS.items():
                moments.append(moment := Moment(phase=words))
                try:
                    kill_when(site, moment, partial(reached, site, clusters))
                    check_quiet(site, moment)
                    check_lock(site, moment)
                except BaseException as error:
                    keep(site, moment, error)
                    raise
                moment.converged = True
            ended = site.up("--skip-preview", check=False, timeout=3000)
        report["killed"] = told = {"lastUpSeconds": round(ended.seconds, 1), **clients.told()}
        assert ended.returncode == 0, ended.words[-8000:]
        told["lostObjects"] = gone = lost(before, kept(site))
        ended_well(site, told)
        assert not gone, gone[:20]
        clients.were_answered("everywhere")
