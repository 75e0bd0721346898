"""A host as production has them: Debian's own kernel, control groups of version 2, systemd as their driver.

One emulated machine, prepared for a cluster, and nothing declared that is particular to a lab. Run by
`make acceptance SUITE=cgroup2`, best on a computer that does nothing else; writes
`docs/acceptance/cgroup2-<date>.json`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from lab.spec import REFERENCE
from tests.lab.acceptance import results
from tests.lab.conftest import log_directory
from tests.lab.site import Ended, Site

NAME = os.environ.get("CROSSMESH_CGROUP2_STACK", "test-cgroup2")
NODE = "eu-cp-1"
UP_SECONDS = 2400.0


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    found: dict[str, Any] = {}
    yield found
    print(f"wrote {results.write('cgroup2', found)}")


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
def prepared(machine: Site, report: dict[str, Any]) -> Site:
    """The machine, prepared by the provider for its membership in a cluster."""
    report["prepareSeconds"] = round(prepare(machine).seconds, 1)
    return machine


def prepare(site: Site, *arguments: str) -> Ended:
    """`pulumi up` of the host's first phase alone."""
    return site.up("--skip-preview", "--target=**.prepare", *arguments, timeout=UP_SECONDS)


def test_the_machine_has_a_kernel_of_debian_and_unified_control_groups(
    machine: Site, report: dict[str, Any]
) -> None:
    report["kernel"] = machine.on(NODE, "uname -r").strip()
    assert report["kernel"].endswith("-cloud-amd64")
    assert machine.on(NODE, "stat -fc %T /sys/fs/cgroup").strip() == "cgroup2fs"


def test_containerd_leaves_control_groups_to_systemd(prepared: Site, report: dict[str, Any]) -> None:
    report["containerd"] = prepared.on(NODE, "containerd --version").split()[2]
    assert prepared.on(NODE, "systemctl is-active containerd").strip() == "active"
    assert "SystemdCgroup = true" in prepared.on(NODE, "containerd config dump")
    assert "cgroupDriver" not in prepared.on(NODE, "cat /etc/kubernetes/kubelet.conf.d/50-host.conf")


def test_a_second_run_changes_nothing(prepared: Site, report: dict[str, Any]) -> None:
    report["againSeconds"] = round(prepare(prepared, "--expect-no-changes").seconds, 1)
