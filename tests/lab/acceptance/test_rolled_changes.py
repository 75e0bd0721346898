"""A change of all nodes and edges of two regions: one at a time, each well, nothing more after a failure.

Run by `make acceptance SUITE=rolled_changes`; takes about a quarter of an hour and writes
`docs/acceptance/rolled_changes-<date>.json`.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.lab.acceptance import results
from tests.lab.clients import addresses, curl
from tests.lab.conftest import log_directory
from tests.lab.site import Site

NAME = os.environ.get("CROSSMESH_ROLLED_STACK", "test-rolled")
NODES = ["eu-cp-1", "eu-worker-1", "us-cp-1", "us-worker-1"]
"""In the order of their turns."""
EDGES = ["eu-edge-1", "us-edge-1"]
SETTLED_SECONDS, ANSWERED_SECONDS = 10.0, 3.0
"""For so long a node is well, and a name server answers, before the next one has its turn."""
PATH = "/assetconsumer"
KUBELET = "hostProfiles.container.kubelet"


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("rolled_changes")


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    """The reference environment on a lab of its own."""
    site = Site(NAME, log_directory())
    try:
        site.prepare()
        site.up("--skip-preview")
        yield site
        site.destroy()
    finally:
        site.stop()


def starts(site: Site) -> dict[str, float]:
    """When kubelet was last started on each node, in seconds of the clock that all machines share."""
    asked = "systemctl show --value --property=ExecMainStartTimestampMonotonic kubelet"
    return {node: int(site.on(node, asked)) / 1e6 for node in NODES}


def failures(site: Site, until: subprocess.Popen[bytes]) -> Counter[str]:
    """What became of questions that were asked while a command ran.

    A client asks each name server and tries what it is told until something answers, as browsers do.
    """
    outputs, found = site.outputs(), Counter[str]()
    while until.poll() is None:
        for server in outputs.nameservers:
            targets = sorted(addresses(server, outputs.host)[0])
            refused = [target for target in targets if curl(outputs, target, PATH).status != 200]
            found["asked"] += 1
            found["of one region alone"] += bool(refused)
            found["unanswered"] += curl(outputs, ",".join(targets), PATH).status != 200
        time.sleep(2)
    return found


def test_nodes_are_changed_one_by_one_and_clients_are_answered(running: Site, report: dict[str, Any]) -> None:
    """The gate says the batches, `up` keeps to them, and clients get an answer all the time.

    A kubelet that is started anew takes its pods for not ready until their next probe, so a region with one
    gateway may refuse connections for some seconds. Only one region of two is changed at a time.
    """
    kubelet = running.declaration().environment.host_profiles["container"].kubelet
    with running.changed_declaration({KUBELET: {**kubelet, "maxPods": 60}}):
        said = running.crossmesh("gate", "--report", "markdown=-").stdout
        command = ("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", running.name)
        process, log = running.start(*command)
        found = failures(running, process)
        assert process.returncode == 0, log.read_text()[-4000:]
        times = starts(running)
    gaps = [round(times[after] - times[before], 1) for before, after in pairwise(NODES)]
    report |= {"secondsBetweenNodes": gaps, "questions": dict(found)}
    assert all(f"batch {number} of {len(NODES)}" in said for number in range(1, len(NODES) + 1))
    assert min(gaps) >= SETTLED_SECONDS
    assert found["asked"] > len(NODES)
    assert found["unanswered"] == 0, found


def test_a_node_that_does_not_come_back_stops_the_change(running: Site, report: dict[str, Any]) -> None:
    """Its kubelet does not start: no other node is touched, and the declaration that was makes it well."""
    kubelet = running.declaration().environment.host_profiles["container"].kubelet
    before = starts(running)
    with running.changed_declaration({KUBELET: {**kubelet, "cgroupRoot": "/not-there"}}):
        ended = running.up("--skip-preview", check=False)
    after = starts(running)
    report["secondsUntilStopped"] = round(ended.seconds, 1)
    assert ended.returncode != 0
    assert "not as well as before the change" in ended.words
    assert "not begun, because eu-cp-1 prepare did not end well" in ended.words
    assert {node for node in NODES if after[node] != before[node]} == {"eu-cp-1"}
    running.up("--skip-preview")
    assert running.crossmesh("doctor").returncode == 0


def test_name_servers_of_both_regions_are_changed_one_after_the_other(
    running: Site, report: dict[str, Any]
) -> None:
    """Each answers as declared before the next one is changed, and the gate says in which order."""
    with running.changed_declaration({"globalLoadBalancer.ttl": 7}):
        said = running.crossmesh("gate", "--report", "markdown=-").stdout
        running.up("--skip-preview")
        zones = "stat --format=%Y /etc/crossmesh/name-server.json"
        written = [int(running.on(edge, zones)) for edge in EDGES]
        assert running.crossmesh("doctor").returncode == 0
    report["secondsBetweenNameServers"] = written[1] - written[0]
    assert all(f"batch {number} of {len(EDGES)}" in said for number in range(1, len(EDGES) + 1))
    # Whole seconds are told of a file.
    assert written[1] - written[0] >= ANSWERED_SECONDS - 1
