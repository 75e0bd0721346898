"""Do etcd, API server, controllers and scheduler run on the machines of control planes, as these say?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from live.checks import etcd
from live.doctor import foundations, keys
from live.doctor.model import Check, Evidence, Finding, Watch
from live.doctor.platform import Platform
from live.doctor.shell import ask, unheard
from stacks.model import Host

MANIFESTS = "/etc/kubernetes/manifests"
"""Where kubelet reads what it runs without an API server, as kubeadm has it."""
DATA = "/var/lib/etcd/member"
"""Where a member of etcd has its data."""
PARTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""Manifests' names, those first that others rest on."""
_COMM = 15
"""Characters that the kernel keeps of a process' name."""


def checks(platform: Platform) -> list[Check]:
    """One for each control-plane node of a cluster that is made of machines, and for each etcd of several."""
    found = etcd.checks(platform)
    for region in platform.regions:
        nodes = platform.stack.environment.regions[region].nodes
        for name in foundations.control_planes(platform, region):
            run = partial(check_control_plane, platform, region, name, nodes[name])
            found.append(
                Check(
                    keys.control_plane(name),
                    "clusters",
                    f"the control plane on {name} runs",
                    run,
                    rests_on=(keys.services(name), *foundations.credentials(platform, region)),
                    region=region,
                    declared=("regions", region, "cluster", "nodes", name),
                )
            )
    return found


def check_control_plane(platform: Platform, region: str, name: str, node: Host, watch: Watch) -> Finding:
    """Each part has its manifest and its process; etcd has data."""
    evidence = Evidence(f"{', '.join(PARTS)} run")
    watch.at(f"the control plane on {name}")
    done = ask(platform, name, node, question())
    if "\nasked" not in f"\n{done.stdout}":
        raise unheard(platform, name, "say what it runs", done)
    there = read(done.stdout)
    if not there.data and len(foundations.control_planes(platform, region)) > 1:
        evidence.problem(
            f"etcd on {name} has no data: there is no {DATA}",
            f"The others have it, and it joins them anew: `crossmesh runbook run {etcd.renewal(name)}`.",
            runbook=etcd.renewal(name),
        )
    elif not there.data:
        evidence.problem(
            f"etcd on {name} has no data: there is no {DATA}",
            "Bring the cluster's etcd back from a backup: `crossmesh runbook show restore-etcd`.",
            runbook=f"restore-etcd region={region} backup=PATH",
        )
    several = len(foundations.control_planes(platform, region)) > 1
    for part in PARTS:
        _judge(name, part, there, evidence, several=several)
    running = sum(part in there.running for part in PARTS)
    return evidence.finding(f"{running} of {len(PARTS)} parts run")


@dataclass(frozen=True)
class There:
    """What a control-plane node has."""

    declared: frozenset[str]
    """Parts with a manifest."""
    running: frozenset[str]
    """Parts with a process."""
    data: bool
    """Whether etcd has data."""


def question(parts: Iterable[str] = PARTS) -> str:
    """What a machine is asked, as a shell's script."""
    lines = [f"test -e {MANIFESTS}/{part}.yaml && echo 'declared {part}'" for part in parts]
    # Processes come and go while they are listed.
    lines += [f"grep -qsx '{part[:_COMM]}' /proc/[0-9]*/comm && echo 'running {part}'" for part in parts]
    return "\n".join([*lines, f"test -d {DATA} && echo data", "echo asked"])


def read(said: str) -> There:
    """What a machine says to `question`."""
    found = {kind: frozenset(re.findall(rf"^{kind} (\S+)$", said, re.M)) for kind in ("declared", "running")}
    return There(found["declared"], found["running"], bool(re.search(r"^data$", said, re.M)))


def _judge(name: str, part: str, there: There, evidence: Evidence, *, several: bool) -> None:
    """several: whether others have etcd's data too."""
    manifest = f"{MANIFESTS}/{part}.yaml"
    if part not in there.declared:
        ended = "still runs, but not for long" if part in there.running else "does not run"
        evidence.problem(
            f"{part} {ended} on {name}: its manifest {manifest} is not there",
            "Put it back, and kubelet starts it. A restore that did not end keeps it in /var/lib/crossmesh: "
            "`crossmesh runbook resume`.",
        )
    elif part not in there.running:
        anew = several and part == "etcd"
        broken = " Where they are of its data, it joins the others anew:" if anew else ""
        evidence.problem(
            f"{part} does not run on {name}, though its manifest is there",
            f"Its last words are in /var/log/pods/kube-system_{part}-{name}_*; why kubelet does not start it "
            f"says `journalctl -u kubelet`.{broken}"
            + (f" `crossmesh runbook run {etcd.renewal(name)}`." if anew else ""),
            runbook=etcd.renewal(name) if anew else "",
        )
    else:
        evidence.note(f"{part} runs")
