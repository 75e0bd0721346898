"""Faults on a platform that runs, one at a time: the first line of the doctor's report names the cause.

Run by `make acceptance SUITE=causes`; takes about an hour, writes `docs/acceptance/causes-<date>.json`.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from access.cluster import Cluster
from live.checks.control_planes import MANIFESTS
from live.doctor.pods import selecting
from report.exit_codes import ExitCode
from stacks.system_namespaces import ISTIO_INGRESS, ISTIO_SYSTEM, KUBE_SYSTEM
from tests.lab.acceptance import results
from tests.lab.acceptance.killing import fresh
from tests.lab.site import Ended, Site
from tests.lab.test_4_failover_between_clusters import NAME as APPLICATION
from tests.lab.test_4_failover_between_clusters import NAMESPACE, scaled
from tests.lab.test_5_gateway_down import GATEWAY

NAME = os.environ.get("CROSSMESH_CAUSES_STACK", "test-causes")
SEEN_SECONDS = 300.0
"""Until the first line names the cause: a cluster takes up to a minute to miss a node, and a look may take
one and a half where pods to look from do not come up."""
WELL_SECONDS = 600.0
"""Until all is well again: a machine boots, and pods that ended are waited for with growing patience."""
ENDS_SECONDS = 180.0
"""Until a part of a control plane has ended: kubelet gives it half a minute once it misses its manifest."""
_BGP = 179
_NOWHERE = "crossmesh.test/nowhere"
"""A label that no node has."""


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("causes", faults={})


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The reference platform, well; nothing of it is left at the end."""
    found = fresh(NAME)
    try:
        found.up("--skip-preview")
        well(found)
        yield found
        found.destroy()
    finally:
        found.stop()


# -- Looking


def well(site: Site) -> float:
    """Seconds until the doctor finds everything well."""
    began = time.monotonic()
    while (told := site.crossmesh("doctor", check=False)).returncode:
        assert time.monotonic() - began < WELL_SECONDS, told.words[-4000:]
        time.sleep(2)
    return round(time.monotonic() - began, 1)


def named(site: Site, begins: str) -> tuple[Ended, float]:
    """The report whose first line begins so, and the seconds until there was one."""
    began = time.monotonic()
    while True:
        told = site.crossmesh("doctor", check=False)
        first = told.stdout.partition("\n")[0]
        if first.startswith(f"cause: {begins}"):
            return told, round(time.monotonic() - began, 1)
        assert time.monotonic() - began < SEEN_SECONDS, f"{begins!r}: {told.words[:4000]}"
        time.sleep(2)


# -- Faults, each with what takes it back


@contextmanager
def stopped(site: Site, machine: str, unit: str) -> Iterator[None]:
    """A service that does not run."""
    site.on(machine, f"systemctl stop {unit}")
    try:
        yield
    finally:
        site.on(machine, f"systemctl start {unit}")


@contextmanager
def without_power(site: Site, machine: str) -> Iterator[None]:
    """A machine that is switched off; the lab starts it again."""
    site.on(machine, "systemctl poweroff", check=False)
    deadline = time.monotonic() + 120
    while json.loads(site.lab("status", "--json", check=False).stdout)["machines"][machine]["running"]:
        assert time.monotonic() < deadline, f"{machine} does not go off"
        time.sleep(1)
    try:
        yield
    finally:
        site.lab("start")


@contextmanager
def without_manifest(site: Site, machine: str, part: str) -> Iterator[None]:
    """A part of a control plane that kubelet does not run any more."""
    manifest, aside = f"{MANIFESTS}/{part}.yaml", f"/root/{part}.yaml"
    site.on(machine, f"mv {manifest} {aside}")
    deadline = time.monotonic() + ENDS_SECONDS
    try:
        while site.on(machine, f"grep -lsx {shlex.quote(part[:15])} /proc/[0-9]*/comm || true").strip():
            assert time.monotonic() < deadline, f"{part} does not end on {machine}"
            time.sleep(1)
        yield
    finally:
        site.on(machine, f"mv {aside} {manifest}")


@contextmanager
def without_routers(site: Site, machine: str) -> Iterator[None]:
    """A node whose routers do not hear of it: a packet filter in between."""
    commands = ["nft add table ip unheard"]
    for hook in ("input", "output"):
        chain = f"add chain ip unheard {hook} {{ type filter hook {hook} priority -300; }}"
        commands.append(f"nft {shlex.quote(chain)}")
        commands += [f"nft add rule ip unheard {hook} tcp {side} {_BGP} drop" for side in ("sport", "dport")]
    site.on(machine, " && ".join(commands))
    try:
        yield
    finally:
        site.on(machine, "nft delete table ip unheard")


@contextmanager
def at_nothing(site: Site, region: str, name: str, namespace: str) -> Iterator[None]:
    """A Deployment without a pod."""
    with site.clusters() as clusters, scaled(clusters[region], name, namespace, 0):
        deployment = clusters[region].apps.read_namespaced_deployment(name, namespace)
        labels = selecting(deployment.spec.selector.match_labels)
        core, deadline = clusters[region].core, time.monotonic() + 120
        while core.list_namespaced_pod(namespace, label_selector=labels).items:
            assert time.monotonic() < deadline, f"pods of {name} stay"
            time.sleep(1)
        yield


@contextmanager
def for_no_node(site: Site, region: str, name: str, namespace: str) -> Iterator[None]:
    """A DaemonSet that no node is for."""

    def select(cluster: Cluster, value: str | None) -> None:
        body = {"spec": {"template": {"spec": {"nodeSelector": {_NOWHERE: value}}}}}
        cluster.patch(f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}", body)

    with site.clusters() as clusters:
        select(clusters[region], "yes")
        try:
            yield
        finally:
            select(clusters[region], None)


@contextmanager
def cordoned(site: Site, region: str, node: str) -> Iterator[None]:
    """A node that takes no new pods, until the runbook that the report names brings it back."""
    with site.clusters() as clusters:
        path = f"/api/v1/nodes/{node}"
        clusters[region].patch(path, {"spec": {"unschedulable": True}})
        try:
            yield
            told = site.crossmesh("doctor", check=False).stdout.splitlines()
            assert told[1].startswith("  runbook "), told[:3]
            command = told[1].partition("crossmesh ")[2].partition(" --stack ")[0]
            site.crossmesh(*shlex.split(command), "--yes")
            found = clusters[region].get(path)
            assert found is not None and not found["spec"].get("unschedulable")
        finally:
            clusters[region].patch(path, {"spec": {"unschedulable": None}})


@dataclass(frozen=True)
class Fault:
    """One fault."""

    seed: Callable[[Site], Any]
    """Gives the context in which it holds."""
    begins: Callable[[Site], str] | str
    """With which words the first line begins after `cause: `."""
    names: str = ""
    """What stands in that line too."""


def _name_server(edge: str, region: str) -> Callable[[Site], str]:
    return lambda site: f"name-server/{site.machines[edge]}:53 in {region}: "


FAULTS: Mapping[str, Fault] = {
    "kubelet of a worker stopped": Fault(
        partial(stopped, machine="eu-worker-1", unit="kubelet"),
        "services/eu-worker-1 in eu: kubelet does not run on eu-worker-1",
    ),
    "kubelet of a control plane stopped": Fault(
        partial(stopped, machine="us-cp-1", unit="kubelet"),
        "services/us-cp-1 in us: kubelet does not run on us-cp-1",
    ),
    "containerd stopped": Fault(
        partial(stopped, machine="us-worker-1", unit="containerd"),
        "services/us-worker-1 in us: containerd does not run on us-worker-1",
    ),
    "BIRD stopped": Fault(
        partial(stopped, machine="eu-worker-1", unit="bird"),
        "services/eu-worker-1 in eu: bird does not run on eu-worker-1",
    ),
    "name server stopped": Fault(
        partial(stopped, machine="eu-edge-1", unit="gdnsd"),
        "services/eu-edge-1 in eu: gdnsd does not run on eu-edge-1",
    ),
    "prober stopped": Fault(
        partial(stopped, machine="us-edge-1", unit="crossmesh-health"),
        "services/us-edge-1 in us: crossmesh-health does not run on us-edge-1",
    ),
    "worker without power": Fault(
        partial(without_power, machine="us-worker-1"),
        "kubelet/us-worker-1 in us: node us-worker-1 is not Ready",
        "(host/us-worker-1 is not known)",
    ),
    "control plane without power": Fault(
        partial(without_power, machine="us-cp-1"),
        "api-server/us in us: ",
        "(host/us-cp-1 is not known)",
    ),
    "edge host without power": Fault(
        partial(without_power, machine="us-edge-1"),
        _name_server("us-edge-1", "us"),
        "(host/us-edge-1 is not known)",
    ),
    "manifest of etcd moved away": Fault(
        partial(without_manifest, machine="us-cp-1", part="etcd"),
        "control-plane/us-cp-1 in us: etcd does not run on us-cp-1",
    ),
    "manifest of the API server moved away": Fault(
        partial(without_manifest, machine="eu-cp-1", part="kube-apiserver"),
        "control-plane/eu-cp-1 in eu: kube-apiserver does not run on eu-cp-1",
    ),
    "manifest of the scheduler moved away": Fault(
        partial(without_manifest, machine="eu-cp-1", part="kube-scheduler"),
        "control-plane/eu-cp-1 in eu: kube-scheduler does not run on eu-cp-1",
    ),
    "manifest of the controllers moved away": Fault(
        partial(without_manifest, machine="us-cp-1", part="kube-controller-manager"),
        "control-plane/us-cp-1 in us: kube-controller-manager does not run on us-cp-1",
    ),
    "routers that do not hear of a node": Fault(
        partial(without_routers, machine="eu-worker-1"),
        "sessions/eu-worker-1 in eu: eu-worker-1 and the router",
        "have no session",
    ),
    "CoreDNS scaled to 0": Fault(
        partial(at_nothing, region="eu", name="coredns", namespace=KUBE_SYSTEM),
        "coredns/eu in eu: coredns is scaled to 0",
    ),
    "istiod scaled to 0": Fault(
        partial(at_nothing, region="us", name="istiod", namespace=ISTIO_SYSTEM),
        "istiod/us in us: istiod is scaled to 0",
    ),
    "gateway scaled to 0": Fault(
        partial(at_nothing, region="us", name=GATEWAY, namespace=ISTIO_INGRESS),
        f"gateway/us in us: {GATEWAY} is scaled to 0",
    ),
    "application scaled to 0": Fault(
        partial(at_nothing, region="eu", name=APPLICATION, namespace=NAMESPACE),
        f"application/eu/{APPLICATION} in eu: it is scaled to 0",
    ),
    "kube-proxy for no node": Fault(
        partial(for_no_node, region="eu", name="kube-proxy", namespace=KUBE_SYSTEM),
        "kube-proxy/eu in eu: kube-proxy is for no node",
    ),
    "node cordoned": Fault(
        partial(cordoned, region="eu", node="eu-worker-1"),
        "schedulable/eu in eu: node eu-worker-1 is cordoned",
    ),
}
"""By what is broken."""


@pytest.mark.parametrize("name", FAULTS)
def test_the_first_line_names_the_cause(site: Site, report: dict[str, Any], name: str) -> None:
    fault, faults = FAULTS[name], report["faults"]
    # What an earlier fault left would be named. One that ended well was looked at then.
    if not all("secondsUntilWell" in seen for seen in faults.values()):
        well(site)
    faults[name] = {}
    begins = fault.begins if isinstance(fault.begins, str) else fault.begins(site)
    with fault.seed(site):
        told, seconds = named(site, begins)
        first = told.stdout.partition("\n")[0]
        assert fault.names in first, first
        assert told.returncode == ExitCode.UNHEALTHY
        judged = json.loads(site.crossmesh("doctor", "--json", check=False).stdout)["stacks"][0]
        failed = [finding for finding in judged["findings"] if _stops(finding)]
        causes = [cause for cause in judged["causes"] if cause["status"] == "fail"]
        faults[name] |= {
            "firstLine": first,
            "secondsUntilNamed": seconds,
            "failedChecks": len(failed),
            "causes": [cause["rule"] for cause in causes],
            "follow": len(causes[0]["follows"]) if causes else 0,
            "notKnown": [cause["rule"] for cause in judged["causes"] if cause["status"] != "fail"],
        }
        roots = {cause["rule"] for cause in causes}
        assert all(finding["rule"] in roots or finding["followsFrom"] for finding in failed)
    faults[name]["secondsUntilWell"] = well(site)


def _stops(finding: Mapping[str, Any]) -> bool:
    """Whether it failed; what warns holds for now, and is no cause of anything."""
    return bool(finding["status"] == "fail" and finding["severity"] == "error")


def test_what_is_broken_twice_has_two_causes(site: Site, report: dict[str, Any]) -> None:
    """One in each region, of which neither follows from the other."""
    well(site)
    with (
        stopped(site, "eu-worker-1", "kubelet"),
        at_nothing(site, region="us", name="istiod", namespace=ISTIO_SYSTEM),
    ):
        named(site, "")
        judged = json.loads(site.crossmesh("doctor", "--json", check=False).stdout)["stacks"][0]
        causes = [cause["rule"] for cause in judged["causes"] if cause["status"] == "fail"]
        assert {"doctor/services/eu-worker-1", "doctor/istiod/us"} <= set(causes), causes
        report["twoFaults"] = causes
    report["secondsUntilWellAfterTwo"] = well(site)
