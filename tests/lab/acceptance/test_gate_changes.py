"""Ten kinds of change to a running environment: what the gate says in a container without a network is what
`pulumi up` then does, resource by resource and input by input.

Run by `make acceptance SUITE=gate_changes`; takes about half an hour. Writes
`docs/acceptance/gate_changes-<date>.json`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.lifecycle import addresses
from tests.lab.acceptance import results
from tests.lab.conftest import log_directory
from tests.lab.promises import broken, of_report, of_run
from tests.lab.site import ROOT, Site

NAME = os.environ.get("CROSSMESH_GATE_STACK", "test-gate")
MACHINES = {
    "eu": ["eu-cp-1", "eu-worker-1", "eu-edge-1", "eu-worker-2"],
    "us": ["us-cp-1", "us-worker-1", "us-edge-1"],
    "ap": ["ap-cp-1", "ap-worker-1", "ap-edge-1"],
}
"""Some machines are only declared later: they stand for those that a team racks meanwhile."""

IMAGE = "docker.io/crossmesh/asset-service"
Edit = Callable[[dict[str, Any], Site], None]


def new_region(environment: dict[str, Any], site: Site) -> None:
    us = yaml.safe_dump(environment["regions"]["us"])
    network = addresses(site.name).regions
    prefix = {region: found.subnet.rsplit(".", 1)[0] + "." for region, found in network.items()}
    ap = yaml.safe_load(
        us.replace("us-", "ap-").replace(prefix["us"], prefix["ap"]).replace("65102", "65103")
    )
    environment["regions"]["ap"] = ap


def new_host(environment: dict[str, Any], site: Site) -> None:
    nodes = environment["regions"]["eu"]["cluster"]["nodes"]
    nodes["eu-worker-2"] = {**nodes["eu-worker-1"], "address": site.machines["eu-worker-2"]}


def removed_node(environment: dict[str, Any], site: Site) -> None:
    del environment["regions"]["eu"]["cluster"]["nodes"]["eu-worker-2"]


def range_of_addresses(environment: dict[str, Any], site: Site) -> None:
    pool = environment["regions"]["us"]["loadBalancer"]
    pool["last"] = pool["last"].rsplit(".", 1)[0] + ".229"


def answers(environment: dict[str, Any], site: Site) -> None:
    environment["globalLoadBalancer"]["healthCheck"]["downThreshold"] = 3


def certificate(environment: dict[str, Any], site: Site) -> None:
    ingress = environment["ingresses"]["assetmanagement"]
    ingress["host"] = ingress["host"].replace("assetmanagement.", "assets.")


def policy(environment: dict[str, Any], site: Site) -> None:
    environment["namespaces"]["greencompute"]["mtls"] = "PERMISSIVE"


def image(environment: dict[str, Any], site: Site) -> None:
    # The new tag is on the nodes, as a site's own mirror would have brought it there.
    for machine in site.machines:
        if "-edge-" not in machine:
            site.on(machine, f"ctr -n k8s.io images tag --force {IMAGE}:1.0.0 {IMAGE}:1.0.1", check=False)
    environment["applications"]["asset-mgr-ms-svc"]["image"] = f"{IMAGE}:1.0.1"


def rename(environment: dict[str, Any], site: Site) -> None:
    applications = environment["applications"]
    applications["asset-board-svc"] = applications.pop("asset-dashboard-bff-svc")
    for path in environment["ingresses"]["assetmanagement"]["paths"]:
        if path["application"] == "asset-dashboard-bff-svc":
            path["application"] = "asset-board-svc"


def upgrade(environment: dict[str, Any], site: Site) -> None:
    """One version of each program is supported so far: what a host runs is upgraded by its role."""
    collection = site.root / "playbooks/collections/ansible_collections/crossmesh/nodes"
    role = collection / "roles" / "base" / "tasks" / "main.yml"
    role.write_text(role.read_text() + "\n# A later release of this role.\n")


CHANGES: dict[str, Edit] = {
    "new host": new_host,
    "removed node": removed_node,
    "new region": new_region,
    "changed range": range_of_addresses,
    "upgrade": upgrade,
    "answers": answers,
    "certificate": certificate,
    "policy": policy,
    "image": image,
    "rename": rename,
}


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("gate_changes", changes=[])


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clone, as a change to code is part of the suite."""
    root = tmp_path_factory.mktemp("checkout") / "crossmesh"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(root)], check=True, timeout=120)
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def running(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An environment of two regions, on a lab with machines for more."""
    spec = yaml.safe_load((ROOT / "lab" / "reference.yaml").read_text())
    spec["regions"] = MACHINES
    file = tmp_path_factory.mktemp("lab") / "lab.yaml"
    file.write_text(yaml.safe_dump(spec, sort_keys=False))
    site = Site(NAME, log_directory(), root=checkout)
    try:
        site.lab("start", "--spec", str(file))
        site.declare()
        site.up("--skip-preview")
        yield site
        site.destroy()
    finally:
        site.stop()


@pytest.mark.parametrize("kind", CHANGES)
def test_what_the_gate_promises_is_what_up_does(kind: str, running: Site, report: dict[str, Any]) -> None:
    """Each change builds on those before it. The gate reaches the state and nothing else."""
    document = yaml.safe_load(running.stack_file.read_text())
    CHANGES[kind](document["config"]["crossmesh:environment"], running)
    running.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
    running.crossmesh("ledger", "--write")
    slug = kind.replace(" ", "-")
    answer = running.logs / f"gate-{slug}.json"
    began = time.monotonic()
    gate = running.without_network("gate", "--report", f"json={answer}", "--approve", "*")
    seconds = time.monotonic() - began
    events = running.logs / f"up-{slug}.events"
    done = running.up("--skip-preview", "--event-log", str(events))
    promised, did = of_report(answer, running.name), of_run(events)
    found = broken(promised, did)
    counts: dict[str, int] = {}
    for op, _ in did.values():
        counts[op] = counts.get(op, 0) + 1
    report["changes"].append(
        {
            "kind": kind,
            "gateExitCode": gate.returncode,
            "gateSeconds": round(seconds, 1),
            "upSeconds": round(done.seconds, 1),
            "did": counts,
            "broken": found,
        }
    )
    assert did, f"{kind}: nothing was changed"
    assert not found, "\n".join(found)
