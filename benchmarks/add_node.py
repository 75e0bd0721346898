"""Time a worker that is added to a cluster: `python -m benchmarks.add_node` (root).

A region of a lab of its own is brought up with one node and grows. At 1, 3 and 5 nodes a machine that was
never set up is declared as one node more, which is the full prepare and join; then the same machine leaves
and comes back, with its packages and images there, as often as `--runs` says. Told are the seconds of `up`,
those until the node takes pods, the hosts that have phases of the change, and who was logged in to. Some
twenty minutes; figures are only worth something on a computer that does nothing else. Writes JSON to
`docs/benchmarks/add-node.json`, and ends with 1 where one of the claims does not hold.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import click
import yaml

from gate.timeline import OF_HOSTS, phase_of, read_events
from lab.spec import REFERENCE
from tests.lab.acceptance import results
from tests.lab.conftest import log_directory
from tests.lab.site import ROOT, Site

SIZES = (1, 3, 5)
"""Nodes that a cluster has when another one comes (the project's issue on clusters' lives)."""
BOUND_SECONDS = 45.0
"""For an `up` that adds a worker whose images are there (the same issue)."""
OF_FULL = 0.5
"""At most this share of a full prepare and join (the same issue)."""
GROWTH = 1.5
"""The largest cluster's time over the smallest one's, at most: all nodes share this computer's processors."""
REGION, CONTROL = "eu", "eu-cp-1"
SERVICE, PATH = "asset-dashboard-bff-svc", "/assetdashboard"
RESOURCES = {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"memory": "96Mi"}}
"""One node has room for all of it where the application asks for what it needs."""
READY_SECONDS = 120.0


@dataclass(frozen=True)
class Round:
    """What is done at one size: nodes come that only make it as large, then a worker that is measured."""

    size: int
    fillers: tuple[str, ...]
    worker: str


def rounds(sizes: Sequence[int]) -> list[Round]:
    """The rounds for clusters of these sizes, ascending; the first node of all is the control plane.

    Raises ValueError for sizes that do not ascend by two or more, or begin below one.
    """
    found: list[Round] = []
    nodes = 1
    for size in sizes:
        if size < nodes:
            raise ValueError(f"{list(sizes)}: each size is to be larger by two or more, from 1 on")
        workers = [f"eu-worker-{number}" for number in range(nodes, size + 1)]
        found.append(Round(size, tuple(workers[:-1]), workers[-1]))
        nodes = size + 1
    return found


def machines(sizes: Sequence[int]) -> list[str]:
    """All machines that the rounds want."""
    return [CONTROL, *(name for each in rounds(sizes) for name in (*each.fillers, each.worker))]


def environment(reference: Mapping[str, Any], addresses: Mapping[str, str], nodes: Iterable[str]) -> Any:
    """The reference's environment with one region, one application, and these nodes."""
    found = json.loads(json.dumps(reference))
    del found["regions"]["us"], found["globalLoadBalancer"]
    region = found["regions"][REGION]
    del region["edges"]
    profile = region["cluster"]["nodes"][CONTROL]["profile"]
    region["cluster"]["nodes"] = {
        name: {"address": addresses[name], "role": "worker", "profile": profile} for name in nodes
    }
    region["cluster"]["nodes"][CONTROL] |= {"role": "control-plane", "workload": True}
    found["applications"] = {SERVICE: found["applications"][SERVICE] | {"resources": RESOURCES}}
    (ingress,) = found["ingresses"].values()
    ingress["paths"] = [{"path": PATH, "application": SERVICE}]
    return found


def changed_hosts(events: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """By host, the phases that an `up` ran there, as the engine's event log has it; both sorted."""
    found: dict[str, set[str]] = {}
    for event in events:
        metadata = (event.get("resourcePreEvent") or {}).get("metadata")
        if not metadata or metadata["op"] in ("same", "read"):
            continue
        if not phase_of(metadata).startswith(OF_HOSTS):
            continue
        inputs = (metadata.get("new") or metadata.get("old") or {}).get("inputs") or {}
        found.setdefault(inputs["host"], set()).add(inputs["phase"])
    return {host: sorted(found[host]) for host in sorted(found)}


def summed(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several runs as one: the median of their seconds, and every host of any of them."""
    return {
        "seconds": round(median(run["seconds"] for run in runs), 1),
        "readySeconds": round(median(run["readySeconds"] for run in runs), 1),
        "hosts": sorted({host for run in runs for host in run["hosts"]}),
        "logins": {
            host: max(run["logins"].get(host, 0) for run in runs)
            for host in sorted({host for run in runs for host in run["logins"]})
        },
        "runs": [run["seconds"] for run in runs],
    }


def claims(sizes: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """What is claimed of adding a node, and whether it holds. sizes: of each its `warm` and its `full`."""
    warm = [each["warm"] for each in sizes]
    return {
        "onlyTheNewHostIsChanged": all(each["warm"]["hosts"] == [each["worker"]] for each in sizes),
        "noMoreHostsAreReached": len({len(each["logins"]) for each in warm}) == 1,
        "timeDoesNotGrow": warm[-1]["seconds"] <= GROWTH * warm[0]["seconds"],
        "withinTheBound": all(each["seconds"] <= BOUND_SECONDS for each in warm),
        "atMostHalfOfAFullOne": all(
            each["warm"]["seconds"] <= OF_FULL * each["full"]["seconds"] for each in sizes
        ),
    }


class Cluster:
    """The cluster that grows."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._nodes: list[str] = [CONTROL]
        document = yaml.safe_load(site.stack_file.read_text())
        self._reference = document["config"]["crossmesh:environment"]

    def begin(self) -> float:
        """Bring it up with one node; the seconds of that."""
        self._declare()
        seconds = self._site.up("--skip-preview").seconds
        click.echo(f"{seconds:7.1f} s  a cluster of one node", err=True)
        return round(seconds, 1)

    def leave(self, name: str) -> None:
        """Take a node out."""
        self._nodes.remove(name)
        self._declare()
        self._site.up("--skip-preview")

    def add(self, name: str) -> dict[str, Any]:
        """Add a node, and see it take pods; what that took, and whom it concerned."""
        self._nodes.append(name)
        self._declare()
        log = self._site.directory / "add.events"
        log.unlink(missing_ok=True)
        # Hosts' logs tell whole seconds.
        time.sleep(2)
        began, since = time.monotonic(), time.time()
        up = self._site.up("--skip-preview", "--event-log", str(log))
        until = time.time()
        self._await_ready(name)
        ready = time.monotonic() - began
        # Whoever asks the logs logs in too.
        time.sleep(max(0.0, until + 1.1 - time.time()))
        sessions = self._site.ssh_sessions(since, until)
        return {
            "seconds": round(up.seconds, 1),
            "readySeconds": round(ready, 1),
            "hosts": list(changed_hosts(read_events(log))),
            "logins": {host: len(lines) for host, lines in sorted(sessions.items()) if lines},
        }

    def _declare(self) -> None:
        document = yaml.safe_load(self._site.stack_file.read_text())
        document["config"]["crossmesh:environment"] = environment(
            self._reference, self._site.machines, self._nodes
        )
        self._site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
        self._site.crossmesh("ledger", "--write")

    def _await_ready(self, name: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        with self._site.clusters() as clusters:
            while not takes_pods(clusters[REGION].get(f"/api/v1/nodes/{name}")):
                if time.monotonic() > deadline:
                    raise click.ClickException(f"{name} takes no pods {READY_SECONDS:.0f} s after `up`")
                time.sleep(0.2)


def takes_pods(node: Mapping[str, Any] | None) -> bool:
    """Whether a node is ready, and nothing bars pods without tolerations."""
    if node is None:
        return False
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    spec = node.get("spec") or {}
    barred = any(taint["effect"] != "PreferNoSchedule" for taint in spec.get("taints") or ())
    return ready and not barred and not spec.get("unschedulable")


def measure(cluster: Cluster, sizes: Sequence[int], runs: int) -> Iterator[dict[str, Any]]:
    """Figures of each size, as soon as they are known. runs: of the addition that finds its images there."""
    for each in rounds(sizes):
        for name in each.fillers:
            cluster.add(name)
        full = cluster.add(each.worker)
        warm = []
        for _ in range(runs):
            cluster.leave(each.worker)
            warm.append(cluster.add(each.worker))
        found: dict[str, Any] = {
            "size": each.size,
            "worker": each.worker,
            "full": full,
            "warm": summed(warm),
        }
        told = found["warm"]
        click.echo(
            f"{told['seconds']:7.1f} s  a worker added to {each.size}; {full['seconds']:.1f} s in full; "
            f"changed: {', '.join(told['hosts'])}; logins: {told['logins']}",
            err=True,
        )
        yield found


def started(site: Site, sizes: Sequence[int]) -> None:
    """Start the lab with a machine for each node that there will be, and declare the reference."""
    described = yaml.safe_load(REFERENCE.read_text())
    described["regions"] = {REGION: machines(sizes)}
    file = site.directory / "lab.yaml"
    file.write_text(yaml.safe_dump(described))
    site.prepare(file)


@click.command()
@click.option(
    "--name",
    default="test-add-node",
    show_default=True,
    help="Name of the lab and of the stack; both are made anew.",
)
@click.option(
    "--runs", default=3, show_default=True, type=click.IntRange(1), help="Additions at each size that count."
)
@click.option(
    "--output", default=ROOT / "docs" / "benchmarks", type=click.Path(path_type=Path), show_default=True
)
def main(name: str, runs: int, output: Path) -> None:
    """Measure the addition of a node, and write the figures."""
    # They stay, for one that fails is not begun again for its reason alone.
    site = Site(name, log_directory())
    click.echo(f"logs of all commands: {site.logs}", err=True)
    try:
        started(site, SIZES)
        cluster = Cluster(site)
        began = cluster.begin()
        measured = list(measure(cluster, SIZES, runs))
        site.up("--skip-preview", "--expect-no-changes")
        site.destroy()
    finally:
        site.stop()
    document = {
        "benchmark": "add-node",
        "finishedAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": results.commit(),
        "machine": results.machine(),
        "firstUpSeconds": began,
        "sizes": measured,
        "growth": round(measured[-1]["warm"]["seconds"] / measured[0]["warm"]["seconds"], 2),
        "claims": claims(measured),
    }
    output.mkdir(parents=True, exist_ok=True)
    (output / "add-node.json").write_text(json.dumps(document, indent=2) + "\n")
    click.echo(f"wrote {output}/add-node.json")
    broken = [claim for claim, holds in claims(measured).items() if not holds]
    if broken:
        raise click.ClickException(f"does not hold: {', '.join(broken)}")


if __name__ == "__main__":
    main()
