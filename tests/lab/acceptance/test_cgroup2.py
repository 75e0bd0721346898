"""A host as production has them: Debian's own kernel, control groups of version 2, systemd as their driver.

One emulated machine, a cluster of one node on it, and nothing declared that is particular to a lab. Run by
`make acceptance SUITE=cgroup2`, best on a computer that does nothing else; writes
`docs/acceptance/cgroup2-<date>.json`.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import releases
from lab.spec import REFERENCE
from tests.lab.acceptance import results
from tests.lab.conftest import log_directory
from tests.lab.site import Ended, Site

NAME = os.environ.get("CROSSMESH_CGROUP2_STACK", "test-cgroup2")
NODE = "eu-cp-1"
UP_SECONDS = 2400.0
READY_SECONDS = 300.0
"""After `up`, until the node is ready and its containers are."""


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("cgroup2")


@pytest.fixture(scope="module")
def machine(report: dict[str, Any]) -> Iterator[Site]:
    """The emulated machine, booted; nothing of it is left at the end."""
    site = Site(NAME, log_directory())
    try:
        description = yaml.safe_load(REFERENCE.read_text())
        description |= {"regions": {"eu": [NODE]}, "emulated": [NODE]}
        file = site.directory / "lab.yaml"
        file.write_text(yaml.safe_dump(description))
        began = time.monotonic()
        site.lab("start", "--spec", str(file))
        report["labSeconds"] = round(time.monotonic() - began, 1)
        site.declare()
        alone(site)
        yield site
    finally:
        site.stop()


def alone(site: Site) -> None:
    """Declare the one machine: a cluster of one node in the mesh, as the roles' defaults make it."""
    document = yaml.safe_load(site.stack_file.read_text())
    environment = document["config"]["crossmesh:environment"]
    del environment["hostProfiles"], environment["globalLoadBalancer"]
    environment |= {"applications": {}, "ingresses": {}}
    region = environment["regions"]["eu"]
    del region["edges"], region["cluster"]["nodes"]["eu-worker-1"]
    node = region["cluster"]["nodes"][NODE]
    del node["profile"]
    node["workload"] = True
    environment["regions"] = {"eu": region}
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))


@pytest.fixture(scope="module")
def cluster(machine: Site, report: dict[str, Any]) -> Site:
    """The cluster on it, made by the provider."""
    report["upSeconds"] = round(up(machine).seconds, 1)
    return machine


def up(site: Site, *arguments: str) -> Ended:
    """`pulumi up` of the cluster and of all keys; what is in clusters is shown on faster machines."""
    those = ("BareMetalCluster**", "crossmesh:tls:**")
    # Nothing is made without what it lies in, and nothing of ours without our provider.
    beside = ("crossmesh:components:*::*", "pulumi:providers:crossmesh::*")
    targets = (f"--target=**{each}" for each in (*those, *beside))
    return site.up("--skip-preview", *targets, *arguments, timeout=UP_SECONDS)


def asked(site: Site, *arguments: str) -> Any:
    """What the cluster's API answers to kubectl on the machine."""
    command = shlex.join(["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "get", *arguments])
    return json.loads(site.on(NODE, command))


def test_the_machine_has_a_kernel_of_debian_and_unified_control_groups(
    machine: Site, report: dict[str, Any]
) -> None:
    report["kernel"] = machine.on(NODE, "uname -r").strip()
    assert report["kernel"].endswith("-cloud-amd64")
    assert machine.on(NODE, "stat -fc %T /sys/fs/cgroup").strip() == "cgroup2fs"


def test_runtime_and_kubelet_leave_control_groups_to_systemd(cluster: Site, report: dict[str, Any]) -> None:
    report["containerd"] = cluster.on(NODE, "containerd --version").split()[2]
    assert "SystemdCgroup = true" in cluster.on(NODE, "containerd config dump")
    configuration = asked(cluster, "--raw", f"/api/v1/nodes/{NODE}/proxy/configz")["kubeletconfig"]
    assert configuration["cgroupDriver"] == "systemd"
    # Nothing is declared of it: it is as the release has it.
    version = cluster.declaration().environment.versions_of("eu").kubernetes
    assert version is not None
    usual = releases.configurations(version)["defaults"]["kubelet"]
    for setting in ("failSwapOn", "failCgroupV1"):
        assert configuration[setting] is usual[setting]
    assert cluster.on(NODE, "systemctl is-active kubelet containerd").split() == ["active"] * 2


def test_the_node_is_ready_and_its_pods_run_in_slices_of_systemd(
    cluster: Site, report: dict[str, Any]
) -> None:
    began = time.monotonic()
    while True:
        (node,) = asked(cluster, "nodes", "--output=json")["items"]
        pods = asked(cluster, "pods", "--all-namespaces", "--output=json")["items"]
        states = {condition["type"]: condition["status"] for condition in node["status"]["conditions"]}
        containers = [each for pod in pods for each in pod["status"].get("containerStatuses", ())]
        if states["Ready"] == "True" and containers and all(each["ready"] for each in containers):
            break
        assert time.monotonic() - began < READY_SECONDS, (states, containers)
        time.sleep(5)
    report["containers"] = sorted(each["name"] for each in containers)
    assert report["containers"].count("coredns") == 2
    slices = cluster.on(NODE, "find /sys/fs/cgroup/kubepods.slice -name 'cri-containerd-*.scope'")
    for container in containers:
        assert f"cri-containerd-{container['containerID'].rpartition('/')[2]}.scope" in slices
    assert cluster.on(NODE, "systemctl is-active kubepods.slice").strip() == "active"


def test_a_pod_answers(cluster: Site) -> None:
    pods = asked(cluster, "pods", "--namespace=kube-system", "--selector=k8s-app=kube-dns", "--output=json")
    for pod in pods["items"]:
        url = f"http://{pod['status']['podIP']}:8080/health"
        program = f"import urllib.request as r; print(r.urlopen({url!r}, timeout=20).read().decode())"
        assert cluster.on(NODE, shlex.join(["python3", "-c", program])).strip() == "OK"


def test_a_second_run_changes_nothing(cluster: Site, report: dict[str, Any]) -> None:
    report["againSeconds"] = round(up(cluster, "--expect-no-changes").seconds, 1)


def test_the_host_is_given_back(cluster: Site, report: dict[str, Any]) -> None:
    began = time.monotonic()
    cluster.destroy()
    report["destroySeconds"] = round(time.monotonic() - began, 1)
    assert cluster.on(NODE, "systemctl is-active kubelet containerd", check=False).split() == ["inactive"] * 2
    assert cluster.on(NODE, "find /sys/fs/cgroup -name 'cri-containerd-*.scope'").strip() == ""
