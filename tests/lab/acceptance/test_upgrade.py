"""Kubernetes goes to its next minor version by an edit of the declaration, with clients at work, and killed.

Two regions of one mesh: `eu` with two workers, which are drained, and `us` with one, which cannot be. Run by
`make acceptance SUITE=upgrade`; takes about half an hour, and the time to compile what the toolchain has not
yet (`python -m toolchain install kubernetes-1.34.9`). Writes `docs/acceptance/upgrade-<date>.json`.
CROSSMESH_UPGRADE_FROM and CROSSMESH_UPGRADE_TO name other versions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import pytest

from access.cluster import Cluster
from access.errors import AccessError
from playbooks.provider.membership import CORDONED_FOR
from tests.lab.acceptance import results
from tests.lab.acceptance.killing import Moment, check_lock, check_quiet, keep, kill_when
from tests.lab.acceptance.upgrading import (
    NODES,
    Clients,
    declare,
    described,
    edited,
    ended_well,
    kept,
    lost,
    starts,
)
from tests.lab.acceptance.versions import healthy
from tests.lab.conftest import log_directory
from tests.lab.site import Site
from toolchain import install

NAME = os.environ.get("CROSSMESH_UPGRADE_STACK", "test-upgrade")
FROM = os.environ.get("CROSSMESH_UPGRADE_FROM", "1.34.9")
TO = os.environ.get("CROSSMESH_UPGRADE_TO", "1.35.3")
OTHERS = {"istio": "1.29.1", "metallb": "0.16.1"}


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
        offered = {program: [version] for program, version in OTHERS.items()}
        site.prepare(described(site, {"kubernetes": [FROM, TO], **offered}))
        declare(site, {"kubernetes": FROM, **OTHERS})
        report["upSeconds"] = round(site.up("--skip-preview").seconds, 1)
        healthy(site)
        yield site
        site.destroy()
    finally:
        site.stop()


def upgraded(site: Site) -> None:
    """Make the one edit that the upgrade is."""
    with edited(site) as environment:
        environment["versions"]["kubernetes"] = TO


def test_an_edit_upgrades_two_regions_node_by_node_and_clients_are_answered(report: dict[str, Any]) -> None:
    with platform(report) as site:
        before = kept(site)
        upgraded(site)
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
        ended_well(site, report, {"kubernetes": TO, **OTHERS}, FROM)
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
        upgraded(site)
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
        ended_well(site, told, {"kubernetes": TO, **OTHERS}, FROM)
        assert not gone, gone[:20]
        clients.were_answered("everywhere")
