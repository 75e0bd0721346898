"""Is the API asked at its declared address, by every node and by all whom the cluster tells where it is?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial

from live.doctor import keys
from live.doctor.model import Check, Evidence, Finding, NotMeasurable, Watch
from live.doctor.platform import Platform
from live.doctor.shell import ask, unheard
from playbooks.work.clusters import API_PORT
from stacks.model import Host
from stacks.model.clusters import NodeRole

_FILES = ("kubelet", "admin")
"""kubeconfigs in /etc/kubernetes that lead to the API: of nodes, and of administrators on control planes."""
_SERVER = re.compile(r"^\s*server: *(?:https://)?(\S+)", re.MULTILINE)
_TOLD = {
    "who joins": ("kube-public", "cluster-info", "kubeconfig", _SERVER),
    "kube-proxy": ("kube-system", "kube-proxy", "kubeconfig.conf", _SERVER),
    "kubeadm": (
        "kube-system",
        "kubeadm-config",
        "ClusterConfiguration",
        re.compile(r"^controlPlaneEndpoint: *(\S+)", re.MULTILINE),
    ),
}
"""Whom a cluster tells where it is, and by what: ConfigMap, its key, and where it stands there."""


def checks(platform: Platform) -> list[Check]:
    """One for each cluster whose API has an address of its own: others may have been asked at another one
    before."""
    found = []
    for region in platform.regions:
        spec = platform.stack.environment.regions[region]
        if spec.cluster.kind != "bareMetal" or spec.cluster.api_server_address is None:
            continue
        run = partial(check_endpoint, platform, region, f"{spec.cluster.endpoint}:{API_PORT}")
        found.append(
            Check(
                keys.api_address(region),
                "clusters",
                f"all of {region} ask the API at its address",
                run,
                rests_on=(keys.api_server(region), *map(keys.services, sorted(spec.nodes))),
                region=region,
                declared=("regions", region, "cluster", "apiServerAddress"),
            )
        )
    return found


def check_endpoint(platform: Platform, region: str, endpoint: str, watch: Watch) -> Finding:
    """What the cluster tells of itself, and each node's own files, lead to the endpoint."""
    evidence = Evidence(f"nodes and cluster lead to {endpoint}")
    watch.at(f"what {region} tells of its API")
    _judge_told(platform, region, endpoint, evidence)
    nodes = platform.stack.environment.regions[region].nodes
    silent: list[NotMeasurable] = []
    for name, node in sorted(nodes.items()):
        watch.at(f"where {name} asks the API")
        try:
            asked = _asked(platform, name, node)
        except NotMeasurable as error:
            silent.append(error)
            continue
        own = f"{node.address}:{API_PORT}" if node.role is NodeRole.CONTROL_PLANE else ""
        _judge_node(name, asked, endpoint, own, evidence)
    if silent and not evidence.problems:
        raise silent[0]
    return evidence.finding(f"{len(nodes)} nodes and the cluster lead to {endpoint}")


def _judge_told(platform: Platform, region: str, endpoint: str, evidence: Evidence) -> None:
    for who, (namespace, name, key, pattern) in _TOLD.items():
        status, body = platform.clusters[region].answer(
            "GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        )
        text = str((json.loads(body).get("data") or {}).get(key, "")) if status == 200 else ""
        found = pattern.search(text)
        if found and found[1] == endpoint:
            evidence.note(f"{namespace}/{name} leads to {endpoint}")
            continue
        leads = f"leads to {found[1]}" if found else f"says nothing ({status})"
        evidence.problem(
            f"{namespace}/{name}, by which {who} finds the API of {region}, {leads}, not to {endpoint}",
            "Run `pulumi up` to its end; where a backup was brought back from before the address was "
            "declared, `pulumi up --refresh`. Where that changes nothing, somebody else has changed it: "
            f"`kubectl --namespace {namespace} edit configmap {name}`.",
        )


def _asked(platform: Platform, name: str, node: Host) -> Mapping[str, str]:
    """Where a node's files lead, by their names."""
    done = ask(platform, name, node, question())
    if "\nasked" not in f"\n{done.stdout}":
        raise unheard(platform, name, "say where it asks the API", done)
    return dict(read(done.stdout))


def question() -> str:
    """What a machine is asked, as a shell's script."""
    lines = [
        f"sed -n 's|^ *server: *https://|{name} |p' /etc/kubernetes/{name}.conf 2>/dev/null"
        for name in _FILES
    ]
    return "\n".join([*lines, "echo asked"])


def read(said: str) -> Iterator[tuple[str, str]]:
    """What a machine says to `question`."""
    yield from re.findall(rf"^({'|'.join(_FILES)}) (\S+)\s*$", said, re.MULTILINE)


def _judge_node(name: str, asked: Mapping[str, str], endpoint: str, own: str, evidence: Evidence) -> None:
    """own: endpoint of the API server beside the node's kubelet, which may ask that; empty on others."""
    for file in _FILES:
        leads = asked.get(file)
        if leads is None or leads == endpoint or (leads == own and file == "kubelet"):
            continue
        anew = ", and `systemctl restart kubelet`" if file == "kubelet" else ""
        evidence.problem(
            f"{name} asks the API at {leads}, not at {endpoint}: /etc/kubernetes/{file}.conf",
            "Run `pulumi up` to its end, which leads it there. Where that changes nothing, somebody else has "
            f"changed the file: write https://{endpoint} there as `server`{anew}.",
        )
    if asked.get("kubelet") in (endpoint, own):
        evidence.note(f"{name} asks at {asked['kubelet']}")
