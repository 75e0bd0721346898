"""A small site: a cluster of one node, labels and a taint, a host at another port, limits of applications.

What `docs/decisions/proof-by-doing.md` added, on machines. Run by `make acceptance SUITE=small_site`; takes
some minutes and writes `docs/acceptance/small_site-<date>.json`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.acceptance import results
from tests.lab.acceptance.killing import fresh
from tests.lab.clients import addresses, curl
from tests.lab.site import Site

NAME = os.environ.get("CROSSMESH_SMALL_SITE_STACK", "test-small")
PORT = 2222
LABELS = {"example.com/rack": "r2"}
TAINT = {"key": "example.com/slow", "value": "disk", "effect": "PreferNoSchedule"}
RESOURCES = {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"memory": "96Mi"}}


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("small_site")


@pytest.fixture(scope="module")
def site(report: dict[str, Any]) -> Iterator[Site]:
    """The platform, brought up; nothing of it is left at the end."""
    found = fresh(NAME)
    try:
        document = yaml.safe_load(found.stack_file.read_text())
        environment = document["config"]["crossmesh:environment"]
        other_port(environment, found)
        small(environment)
        found.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
        report["upSeconds"] = round(found.up("--skip-preview").seconds, 1)
        yield found
        found.destroy()
    finally:
        found.stop()


def other_port(environment: dict[str, Any], site: Site) -> None:
    """Have one machine listen for ssh at another port too, and let the operator know it by that one alone."""
    site.on("us-edge-1", f"printf 'Port 22\\nPort {PORT}\\n' > /etc/ssh/sshd_config.d/port.conf")
    site.on("us-edge-1", "systemctl restart ssh")
    address, ssh = site.machines["us-edge-1"], environment["ssh"]
    lines = []
    for line in Path(ssh["knownHostsFile"]).expanduser().read_text().splitlines():
        names, _, key = line.partition(" ")
        lines.append(f"[{address}]:{PORT} {key}" if address in names.split(",") else line)
    known_hosts = site.directory / "known_hosts"
    known_hosts.write_text("\n".join(lines) + "\n")
    ssh["knownHostsFile"] = str(known_hosts)
    environment["regions"]["us"]["edges"]["us-edge-1"]["ssh"] = {"port": PORT}


def small(environment: dict[str, Any]) -> None:
    """Declare it: `eu` has one node for everything, `us` a worker that others are preferred to."""
    regions = environment["regions"]
    nodes = regions["eu"]["cluster"]["nodes"]
    del nodes["eu-worker-1"]
    nodes["eu-cp-1"]["workload"] = True
    regions["us"]["cluster"]["nodes"]["us-worker-1"] |= {"labels": LABELS, "taints": [TAINT]}
    # One node has room for all of it only when each asks for what it needs.
    for application in environment["applications"].values():
        application["resources"] = RESOURCES


def test_a_cluster_of_one_node_runs_everything(site: Site, report: dict[str, Any]) -> None:
    with site.clusters() as clusters:
        nodes = clusters["eu"].core.list_node().items
        pods = clusters["eu"].core.list_pod_for_all_namespaces().items
    assert [node.metadata.name for node in nodes] == ["eu-cp-1"]
    assert not nodes[0].spec.taints
    assert {pod.status.phase for pod in pods} == {"Running"}
    report["podsOnTheOneNode"] = len(pods)
    healthy = site.crossmesh("doctor", "--json", check=False)
    assert healthy.returncode == 0, healthy.stdout[-4000:]


def test_both_regions_answer_at_their_gateways(site: Site) -> None:
    outputs = site.outputs()
    answered = {address for server in outputs.nameservers for address in addresses(server, outputs.host)[0]}
    assert len(answered) == 2
    assert {curl(outputs, address, "/assetconsumer").status for address in answered} == {200}


def test_nodes_carry_their_labels_and_taints_and_lose_them_by_declaration(site: Site) -> None:
    def worker() -> tuple[dict[str, str], list[tuple[str, str | None, str]]]:
        with site.clusters() as clusters:
            node = clusters["us"].core.read_node("us-worker-1")
        return node.metadata.labels, [
            (taint.key, taint.value, taint.effect) for taint in node.spec.taints or ()
        ]

    labels, taints = worker()
    assert labels.items() >= LABELS.items()
    assert taints == [("example.com/slow", "disk", "PreferNoSchedule")]
    worker_path = "regions.us.cluster.nodes.us-worker-1"
    other = {**TAINT, "value": "tape"}
    theirs: tuple[str, str | None, str] = ("example.com/theirs", None, "PreferNoSchedule")
    with site.clusters() as clusters:
        # Whoever writes the list last holds it: an operator does, as the node's controllers do.
        beside = [TAINT, {"key": theirs[0], "effect": theirs[2]}]
        clusters["us"].patch("/api/v1/nodes/us-worker-1", {"spec": {"taints": beside}})
    with site.changed_declaration({f"{worker_path}.taints": [other]}):
        site.up("--skip-preview")
        assert sorted(worker()[1]) == [("example.com/slow", "tape", "PreferNoSchedule"), theirs]
    with site.changed_declaration({f"{worker_path}.labels": {}, f"{worker_path}.taints": []}):
        site.up("--skip-preview")
        labels, taints = worker()
        assert not labels.items() & LABELS.items()
        assert taints == [theirs]
    with site.clusters() as clusters:
        clusters["us"].patch("/api/v1/nodes/us-worker-1", {"spec": {"taints": []}})
    site.up("--skip-preview")
    assert worker()[1] == [("example.com/slow", "disk", "PreferNoSchedule")]


def test_a_control_plane_takes_workload_by_declaration_and_gives_it_up(site: Site) -> None:
    def keys() -> list[str]:
        with site.clusters() as clusters:
            node = clusters["us"].core.read_node("us-cp-1")
        return [taint.key for taint in node.spec.taints or ()]

    own = ["node-role.kubernetes.io/control-plane"]
    assert keys() == own
    with site.changed_declaration({"regions.us.cluster.nodes.us-cp-1.workload": True}):
        site.up("--skip-preview")
        assert keys() == []
    site.up("--skip-preview")
    assert keys() == own


def test_a_host_that_is_known_by_another_port_was_set_up_through_it(site: Site) -> None:
    """With the other port in the declaration alone, nothing of this host could have been trusted."""
    assert site.on("us-edge-1", "systemctl is-active gdnsd").strip() == "active"
    known_hosts = (site.directory / "known_hosts").read_text()
    assert f"[{site.machines['us-edge-1']}]:{PORT} " in known_hosts
    names = [name for line in known_hosts.splitlines() for name in line.partition(" ")[0].split(",")]
    assert site.machines["us-edge-1"] not in names


def test_containers_have_the_declared_resources(site: Site) -> None:
    with site.clusters() as clusters:
        for cluster in clusters.values():
            selector = "app=asset-consumer-svc"
            pods = cluster.core.list_namespaced_pod("greencompute", label_selector=selector).items
            found = [
                container.resources
                for pod in pods
                for container in pod.spec.containers
                if container.name == "application"
            ]
            assert found
            for resources in found:
                assert resources.requests == RESOURCES["requests"]
                assert resources.limits.items() >= RESOURCES["limits"].items()


def test_nothing_is_left_to_do(site: Site) -> None:
    site.up("--skip-preview", "--expect-no-changes")
    drift = site.crossmesh("drift", check=False)
    assert drift.returncode == 0, drift.words[-4000:]
