"""Each rule over clusters, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from stacks.load import load_stack
from stacks.model import BareMetalClusterSpec
from tests.unit.stacks.bad import (
    US_BALANCER,
    US_CP,
    US_FABRIC,
    US_WORKER,
    Bad,
    Write,
    assert_refused,
    bad,
)
from tests.unit.stacks.conftest import GOOD, changed

NODES = "          nodes:\n            us-cp-1"
APT = GOOD[GOOD.index("    sources:\n") : GOOD.index("    ssh:\n")]


def with_address(address: str) -> tuple[str, str]:
    """The API server of `us` at a virtual address."""
    return NODES, NODES.replace("nodes:", f"apiServerAddress: {address}\n          nodes:")


def more_control_planes(count: int) -> list[tuple[str, str]]:
    """So many control-plane nodes in `us`, with their slices."""
    names = [f"us-cp-{number}" for number in range(2, count + 1)]
    nodes = "".join(
        f"\n            {name}: {{address: 192.0.2.{80 + number}, role: control-plane}}"
        for number, name in enumerate(names, 1)
    )
    slices = "".join(f", {name}: 172.30.{18 + number}.0/24" for number, name in enumerate(names))
    return [
        (US_CP, US_CP + nodes),
        ("us-worker-1: 172.30.17.0/24", f"us-worker-1: 172.30.17.0/24{slices}"),
    ]


CASES: dict[str, Bad] = {
    "further name of an API server that is half an address": bad(
        (
            "          nodes:\n            us-cp-1",
            "          apiServerNames: [100.64.223]\n          nodes:\n            us-cp-1",
        ),
        path="regions.us.cluster.apiServerNames[0]",
        line="apiServerNames",
        got="100.64.223",
        rule="is an IPv4 address",
        fix="write the address in full",
    ),
    "key of Secrets twice": bad(
        (
            "          nodes:\n            us-cp-1",
            "          encryptionKeys: [2, 1, 2]\n          nodes:\n            us-cp-1",
        ),
        path="regions.us.cluster.encryptionKeys[2]",
        line="encryptionKeys",
        got="key 2 again",
        rule="a key stands once",
        fix="remove one of the two",
    ),
    "authority of a cluster twice": bad(
        (
            "          nodes:\n            us-cp-1",
            "          certificateAuthorities: [1, 1]\n          nodes:\n            us-cp-1",
        ),
        path="regions.us.cluster.certificateAuthorities[1]",
        line="certificateAuthorities",
        got="authority 1 again",
        rule="an authority stands once",
        fix="remove one of the two",
    ),
    "no source of Kubernetes": bad(
        (APT, ""),
        path="sources.apt",
        line="",
        got="nothing",
        rule="nodes such as 'eu-cp-1'",
        fix="write `sources: {apt: []}`",
    ),
    "all nodes that take workload at once": bad(
        (US_CP, US_CP.replace("plane}", "plane, workload: true}")),
        (US_WORKER, f"{US_WORKER}          maxUnavailable: 2\n"),
        path="regions.us.cluster.maxUnavailable",
        line="maxUnavailable",
        got="2",
        rule="at least one of the 2 nodes that take workload stays available",
        fix="write at most 1",
    ),
    "workload of a worker": bad(
        (US_WORKER, US_WORKER.replace("worker}", "worker, workload: true}")),
        path="regions.us.cluster.nodes.us-worker-1.workload",
        line="us-worker-1",
        got="workload of a worker",
        rule="a control-plane node is a worker as well",
        fix="remove it",
    ),
    "label that follows from the declaration": bad(
        (US_WORKER, US_WORKER.replace("worker}", "worker, labels: {topology.kubernetes.io/zone: a}}")),
        path="regions.us.cluster.nodes.us-worker-1.labels.topology.kubernetes.io/zone",
        line="us-worker-1",
        got="the label topology.kubernetes.io/zone",
        rule="follow from the declaration",
        fix="set `zone`",
    ),
    "taint of a control-plane node": bad(
        (US_CP, US_CP.replace("plane}", "plane, taints: [{key: gpu, effect: NoSchedule}]}")),
        path="regions.us.cluster.nodes.us-cp-1.taints",
        line="us-cp-1",
        got="taints of a control-plane node",
        rule="workers have taints",
        fix="remove them",
    ),
    "taint that Kubernetes itself puts and takes": bad(
        (
            US_WORKER,
            US_WORKER.replace(
                "worker}",
                "worker, taints: [{key: node.kubernetes.io/not-ready, effect: NoExecute}]}",
            ),
        ),
        path="regions.us.cluster.nodes.us-worker-1.taints",
        line="us-worker-1",
        got="the taint node.kubernetes.io/not-ready",
        rule="tell a node's condition",
        fix="choose a key of your own",
    ),
    "kubeconfig under the name of another secret": bad(
        ("kubeconfigSecret: cloudKubeconfig", "kubeconfigSecret: meshRootKey"),
        path="regions.cloud.cluster.kubeconfigSecret",
        line="kubeconfigSecret",
        got="'meshRootKey', the secret of the mesh's root of trust",
        rule="a secret of its own",
        fix="name another secret",
    ),
    "two control-plane nodes": bad(
        ("192.0.2.72, role: worker", "192.0.2.72, role: control-plane"),
        (US_CP, US_CP + "\n            us-worker-2: {address: 192.0.2.73, role: worker}"),
        ("us-worker-1: 172.30.17.0/24", "us-worker-1: 172.30.17.0/24, us-worker-2: 172.30.18.0/24"),
        with_address("192.0.2.80"),
        path="regions.us.cluster.nodes",
        line="",
        got="2 nodes with the role control-plane",
        rule="of 2 it survives the loss of 0, as of 1",
        fix="give one of them the role worker, or declare 3",
    ),
    "seven control-plane nodes": bad(
        *more_control_planes(7),
        with_address("192.0.2.80"),
        path="regions.us.cluster.nodes",
        line="",
        got="7 nodes with the role control-plane",
        rule="each write waits for so many",
        fix="give 2 of them the role worker",
    ),
    "no control-plane node": bad(
        ("192.0.2.71, role: control-plane", "192.0.2.71, role: worker"),
        path="regions.us.cluster.nodes",
        line="",
        got="0 nodes with the role control-plane",
        rule="1, 3 or 5 control-plane nodes per cluster",
        fix="give one node the role control-plane",
    ),
    "three control-plane nodes without an address": bad(
        *more_control_planes(3),
        path="regions.us.cluster.apiServerAddress",
        line="",
        got="nothing",
        rule="the 3 control-plane nodes of region 'us' answer at one address",
        fix="name a free address of the machine network",
    ),
    "address of an API server outside of the machine network": bad(
        with_address("192.0.2.20"),
        path="regions.us.cluster.apiServerAddress",
        line="apiServerAddress",
        got="192.0.2.20",
        rule="lies in the machine network 192.0.2.64/26",
        fix="choose a free address of that network",
    ),
    "address of an API server that is the network's own": bad(
        with_address("192.0.2.127"),
        path="regions.us.cluster.apiServerAddress",
        line="apiServerAddress",
        got="192.0.2.127",
        rule="is one of a machine's",
        fix="choose a free address of that network",
    ),
    "address of an API server that a machine has": bad(
        with_address("192.0.2.72"),
        path="regions.us.cluster.apiServerAddress",
        line="apiServerAddress",
        got="192.0.2.72, the address of host 'us-worker-1'",
        rule="nobody else has the address",
        fix="choose a free one",
    ),
    "address of an API server that a router has": bad(
        with_address("192.0.2.65"),
        path="regions.us.cluster.apiServerAddress",
        line="apiServerAddress",
        got="192.0.2.65, the address of a fabric peer",
        rule="nobody else has the address",
        fix="choose a free one",
    ),
    "address of an API server that a service may get": bad(
        with_address("192.0.2.105"),
        path="regions.us.cluster.apiServerAddress",
        line="apiServerAddress",
        got="192.0.2.105, one of the addresses of `loadBalancer`",
        rule="nobody else has the address",
        fix="choose a free one",
    ),
    "address of an API server behind a NAT": bad(
        (US_FABRIC, ""),
        ("    mesh:\n", "    tunnels: {}\n    mesh:\n"),
        ("us-cp-1: {address: 192.0.2.71,", "us-cp-1: {address: 192.0.2.71, tunnel: {address: 198.51.100.9},"),
        with_address("192.0.2.80"),
        path="regions.us.cluster.apiServerAddress",
        line="apiServerAddress",
        got="192.0.2.80",
        rule="the address of node 'us-cp-1' is reached through tunnels",
        fix="remove it, and declare one control-plane node",
        others=1,
    ),
    "address of an API server of machines that share no network": bad(
        (US_FABRIC, ""),
        ("        machineNetwork: 192.0.2.64/26\n", ""),
        ("    mesh:\n", "    tunnels: {}\n    mesh:\n"),
        (US_BALANCER, "        gatewayNodes: [us-worker-1]\n"),
        with_address("192.0.2.80"),
        path="regions.us.cluster.apiServerAddress",
        line="apiServerAddress",
        got="192.0.2.80",
        rule="region 'us' declares none",
        fix="or declare the `machineNetwork`",
        others=1,
    ),
    "no worker": bad(
        (US_WORKER, ""),
        path="regions.us.cluster.nodes",
        line="",
        got="no node that takes workload",
        rule="at least one worker",
        fix="declare a node with `role: worker`",
    ),
    "profiles that disagree about kube-proxy": bad(
        (
            "      small:\n        kubelet: {maxPods: 50}\n",
            "      small:\n        kubelet: {maxPods: 50}\n"
            "        kubeProxy: {mode: nftables, conntrack: {min: 1}}\n"
            "      large:\n        kubeProxy: {mode: iptables, conntrack: {min: 1}}\n",
        ),
        ("192.0.2.11, role: control-plane", "192.0.2.11, role: control-plane, profile: large"),
        path="regions.eu.cluster.nodes.eu-worker-1.profile",
        line="eu-worker-1: {address",
        got="the profile 'small', which sets kube-proxy's 'mode' to 'nftables'; the profile 'large' of "
        "another node sets it to 'iptables'",
        rule="a cluster has one kube-proxy configuration",
        fix="make the profiles agree",
    ),
    "no kubeconfig of an adopted cluster": bad(
        ("  crossmesh:cloudKubeconfig:\n    secure: v1:two\n", ""),
        path="regions.cloud.cluster.kubeconfigSecret",
        line="kubeconfigSecret",
        got="the name 'cloudKubeconfig', and no such secret",
        rule="holds the kubeconfig of the adopted cluster",
        fix="pulumi config set --secret --stack test cloudKubeconfig",
    ),
    "misspelt name of a kubeconfig": bad(
        ("kubeconfigSecret: cloudKubeconfig", "kubeconfigSecret: cloudKubeconfg"),
        path="regions.cloud.cluster.kubeconfigSecret",
        line="cloudKubeconfg",
        got="the name 'cloudKubeconfg'",
        rule="holds the kubeconfig",
        fix="did you mean 'cloudKubeconfig'?",
    ),
}


def test_hosts_that_have_their_sources_already_need_none(write: Write) -> None:
    stack = load_stack(write(GOOD.replace(APT, "    sources: {apt: []}\n")))
    assert stack.environment.sources.apt == ()


@pytest.mark.parametrize("count", [1, 3, 5])
def test_one_three_or_five_control_planes_share_an_address(count: int, write: Write) -> None:
    text = changed(*more_control_planes(count) if count > 1 else (), with_address("192.0.2.90"))
    cluster = load_stack(write(text)).environment.regions["us"].cluster
    assert isinstance(cluster, BareMetalClusterSpec)
    assert len(cluster.control_planes) == count
    assert str(cluster.endpoint) == "192.0.2.90"


def test_the_only_control_plane_answers_at_its_own_address_unless_another_is_declared(write: Write) -> None:
    cluster = load_stack(write(GOOD)).environment.regions["us"].cluster
    assert isinstance(cluster, BareMetalClusterSpec)
    assert str(cluster.endpoint) == "192.0.2.71"


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)
