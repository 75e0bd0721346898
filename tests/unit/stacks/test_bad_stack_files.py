"""Every rule, broken once in a file that is right otherwise: line, what was found, rule and fix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from stacks import rules
from stacks.errors import StackFileError, render_path
from stacks.load import load_stack
from stacks.rules import ALL as ALL_RULES
from stacks.rules import software
from stacks.rules.check import Check
from stacks.versions import SUPPORTED, runs_on
from tests.unit.stacks.conftest import GOOD, changed

Write = Callable[[str], Path]


@dataclass(frozen=True)
class Bad:
    """Changes to the good file, and the one problem that they make.

    `line` is a text that stands on the line of the problem, and on no other.
    """

    changes: tuple[tuple[str, str], ...]
    path: str
    line: str
    got: str
    rule: str
    fix: str


def bad(*changes: tuple[str, str], path: str, line: str, got: str, rule: str, fix: str) -> Bad:
    return Bad(changes, path, line, got, rule, fix)


EU_WORKER = "            eu-worker-1: {address: 192.0.2.12, role: worker, profile: small}\n"
US_CP = "us-cp-1: {address: 192.0.2.71, role: control-plane}"
US_WORKER = "            us-worker-1: {address: 192.0.2.72, role: worker}\n"
US_BALANCER = "        loadBalancer: {first: 192.0.2.100, last: 192.0.2.109}\n"
US_FABRIC = """\
        fabric:
          asn: 64513
          peers:
            - {address: 192.0.2.65, asn: 64510}
"""
EDGES = "        edges:\n          eu-edge-1: {address: 192.0.2.13}\n"
SSH = "    ssh:\n      privateKeyFile: ~/keys/id\n      knownHostsFile: ~/keys/known_hosts\n"
BALANCING = "    globalLoadBalancer:\n      healthCheck: {interval: 3, timeout: 2}\n"

SHAPES = {
    "unknown key": bad(
        ("      id: example", "      id: example\n      trustdomains: x"),
        path="mesh.trustdomains",
        line="trustdomains: x",
        got="the unknown key 'trustdomains'",
        rule="keys here are: id, revision, stockEnvoy, trustDomain",
        fix="did you mean 'trustDomain'?",
    ),
    "unknown key that is like no other": bad(
        ("      id: example", "      id: example\n      zebra: x"),
        path="mesh.zebra",
        line="zebra: x",
        got="the unknown key 'zebra'",
        rule="keys here are: id,",
        fix="remove it",
    ),
    "key in snake case": bad(
        ("podPool: 172.30.0.0/16", "pod_pool: 172.30.0.0/16"),
        path="addresses.pod_pool",
        line="pod_pool:",
        got="the unknown key 'pod_pool'",
        rule="keys here are: podPool,",
        fix="did you mean 'podPool'?",
    ),
    "text for a number": bad(
        ("asn: 64513", 'asn: "64513"'),
        path="regions.us.fabric.asn",
        line="64513",
        got="64513 (text)",
        rule="a whole number",
        fix="write it without quotes: 64513",
    ),
    "number for text": bad(
        ("LOG_LEVEL: info", "PORT: 8080"),
        path="applications.stock.environment.PORT",
        line="PORT",
        got="8080 (a whole number)",
        rule="text",
        fix='put it in quotes: "8080"',
    ),
    "true for a number": bad(
        ("asn: 64513", "asn: true"),
        path="regions.us.fabric.asn",
        line="asn: true",
        got="true (true or false)",
        rule="a whole number",
        fix="write a whole number",
    ),
    "text for a boolean": bad(
        ("injection: false", 'injection: "no"'),
        path="namespaces.back.injection",
        line='"no"',
        got="no (text)",
        rule="true or false",
        fix="write true or false",
    ),
    "list for one of several types": bad(
        ("maxPods: 50", "maxPods: [50]"),
        path="hostProfiles.small.kubelet.maxPods",
        line="[50]",
        got="a list of 1",
        rule="text, a whole number or true or false",
        fix="write text",
    ),
    "mapping left empty": bad(
        ("    mesh:\n      id: example\n      trustDomain: example.test\n", "    mesh:\n"),
        path="mesh",
        line="    mesh:",
        got="nothing (an empty value)",
        rule="a mapping",
        fix="write a mapping",
    ),
    "missing key": bad(
        ("      trustDomain: example.test\n", ""),
        path="mesh.trustDomain",
        line="    mesh:",
        got="nothing",
        rule="this key must be there: the trust domain",
        fix="add `trustDomain: …`",
    ),
    "name that is no DNS label": bad(
        (US_WORKER, US_WORKER.replace("us-worker-1", "US_Worker-")),
        ("us-worker-1: 172.30.17.0/24", "x: 172.30.17.0/24"),
        path="regions.us.cluster.nodes.US_Worker-",
        line="US_Worker-",
        got="the name 'US_Worker-'",
        rule="a DNS label: a-z, 0-9 and '-'",
        fix="rename it, for example to us-worker",
    ),
    "domain of one label": bad(
        ("trustDomain: example.test", "trustDomain: example"),
        path="mesh.trustDomain",
        line="trustDomain",
        got="example",
        rule="a DNS name of two labels or more",
        fix="change it",
    ),
    "word that is none of the choices": bad(
        ("192.0.2.72, role: worker", "192.0.2.72, role: wroker"),
        path="regions.us.cluster.nodes.us-worker-1.role",
        line="wroker",
        got="wroker",
        rule="one of: control-plane, worker",
        fix="did you mean 'worker'?",
    ),
    "unknown kind of cluster": bad(
        ("kind: adopted", "kind: adoptd"),
        path="regions.cloud.cluster.kind",
        line="adoptd",
        got="adoptd",
        rule="kind is one of: bareMetal, adopted",
        fix="did you mean 'adopted'?",
    ),
    "no kind of cluster": bad(
        ("          kind: adopted\n", ""),
        path="regions.cloud.cluster",
        line="        cluster:",
        got="a mapping without `kind`",
        rule="`kind` says what it is",
        fix="add `kind: bareMetal`",
    ),
    "number out of bounds": bad(
        ("interval: 3", "interval: 301"),
        path="globalLoadBalancer.healthCheck.interval",
        line="301",
        got="301",
        rule="at most 300",
        fix="at most 300",
    ),
    "empty list": bad(
        ("          peers:\n            - {address: 192.0.2.65, asn: 64510}\n", "          peers: []\n"),
        path="regions.us.fabric.peers",
        line="peers: []",
        got="an empty list",
        rule="at least 1 entry",
        fix="add one",
    ),
    "network with bits behind the prefix": bad(
        ("machineNetwork: 192.0.2.64/26", "machineNetwork: 192.0.2.65/26"),
        path="regions.us.machineNetwork",
        line="192.0.2.65/26",
        got="192.0.2.65/26",
        rule="an IPv4 network in CIDR notation",
        fix="write 192.0.2.64/26",
    ),
    "no network": bad(
        ("machineNetwork: 192.0.2.64/26", "machineNetwork: lan"),
        path="regions.us.machineNetwork",
        line="lan",
        got="lan",
        rule="an IPv4 network in CIDR notation",
        fix="write for example",
    ),
    "no address": bad(
        ("address: 192.0.2.72", "address: 192.0.2.272"),
        path="regions.us.cluster.nodes.us-worker-1.address",
        line="192.0.2.272",
        got="192.0.2.272",
        rule="an IPv4 address",
        fix="write for example",
    ),
    "URL without a scheme": bad(
        ("uri: http://192.0.2.2/extra", "uri: 192.0.2.2/extra"),
        path="sources.apt[1].uri",
        line="192.0.2.2/extra",
        got="192.0.2.2/extra",
        rule="a URL that begins with http:// or https://",
        fix="change it",
    ),
    "key that stands twice": bad(
        ("      id: example", "      id: example\n      id: other"),
        path="mesh.id",
        line="id: other",
        got="the key 'id' again; it stands on line",
        rule="a key stands once",
        fix="remove one of the two",
    ),
}

SURROUNDINGS = {
    "unknown key at the top": bad(
        ("encryptionsalt: v1:salt", "encryptionsalt: v1:salt\nconfigs: {}"),
        path="configs",
        line="configs",
        got="the unknown key 'configs'",
        rule="keys here are: config,",
        fix="did you mean 'config'?",
    ),
    "misspelt ledger": bad(
        ("crossmesh:ledger:", "crossmesh:leger:"),
        path="crossmesh:leger",
        line="crossmesh:leger",
        got="the unknown key 'crossmesh:leger'",
        rule="keys of Crossmesh are",
        fix="did you mean 'crossmesh:ledger'?",
    ),
    "secret in plain text": bad(
        ("  crossmesh:meshRootKey:\n    secure: v1:one", "  crossmesh:meshRootKey: hunter2"),
        path="crossmesh:meshRootKey",
        line="hunter2",
        got="a value in plain text",
        rule="secrets, and encrypted",
        fix="pulumi config set --secret meshRootKey",
    ),
    "default providers": bad(
        ("  pulumi:disable-default-providers: [kubernetes]\n", ""),
        path="pulumi:disable-default-providers",
        line="config:",
        got="nothing",
        rule="default Kubernetes providers are off",
        fix="add `pulumi:disable-default-providers: [kubernetes]`",
    ),
}

ADDRESSES = {
    "pools that overlap": bad(
        ("servicePool: 172.31.0.0/16", "servicePool: 172.30.0.0/15"),
        path="addresses.servicePool",
        line="servicePool",
        got="172.30.0.0/15, which overlaps 172.30.0.0/16: the pod pool",
        rule="the service pool and the pod pool do not overlap",
        fix="10.0.0.0/15 is free",
    ),
    "machine networks that overlap": bad(
        ("machineNetwork: 192.0.2.64/26", "machineNetwork: 192.0.2.0/25"),
        path="regions.us.machineNetwork",
        line="192.0.2.0/25",
        got="192.0.2.0/25, which overlaps 192.0.2.0/26: the machine network of region 'eu' (line 31)",
        rule="do not overlap",
        fix="10.0.0.0/25 is free",
    ),
    "machine network inside a pool": bad(
        ("machineNetwork: 10.20.0.0/16", "machineNetwork: 172.30.128.0/24"),
        path="regions.cloud.machineNetwork",
        line="172.30.128.0/24",
        got="172.30.0.0/16: the pod pool (line 11)",
        rule="the machine network of region 'cloud' and the pod pool do not overlap",
        fix="is free",
    ),
    "services of an adopted cluster in a machine network": bad(
        ("serviceCidr: 10.21.0.0/20", "serviceCidr: 10.20.0.0/20"),
        path="regions.cloud.cluster.serviceCidr",
        line="serviceCidr",
        got="10.20.0.0/20, which overlaps 10.20.0.0/16: the machine network of region 'cloud'",
        rule="do not overlap",
        fix="is free",
    ),
    "pods and services of an adopted cluster": bad(
        ("serviceCidr: 10.21.0.0/20", "serviceCidr: 10.21.0.0/16"),
        ("podCidr: 10.20.128.0/17", "podCidr: 10.21.8.0/24"),
        path="regions.cloud.cluster.serviceCidr",
        line="serviceCidr",
        got="10.21.0.0/16, which overlaps 10.21.8.0/24: the pods of the adopted cluster of region 'cloud'",
        rule="do not overlap",
        fix="is free",
    ),
    "adopted cluster on a slice": bad(
        ("podCidr: 10.20.128.0/17", "podCidr: 172.30.16.0/22"),
        path="regions.cloud.cluster.podCidr",
        line="podCidr",
        got="172.30.16.0/22, which overlaps 172.30.16.0/20: the pods of the cluster of region 'us' (cross",
        rule="the pods of the adopted cluster of region 'cloud' and of the pods of the cluster of region 'u",
        fix="172.30.32.0/20 is free in 172.30.0.0/16",
    ),
    "load balancer outside its network": bad(
        ("last: 192.0.2.109", "last: 192.0.2.129"),
        path="regions.us.loadBalancer",
        line="192.0.2.129",
        got="192.0.2.100 to 192.0.2.129",
        rule="the range lies in the machine network 192.0.2.64/26 of region 'us' (line 42)",
        fix="choose addresses of 192.0.2.64/26",
    ),
    "load balancer the wrong way round": bad(
        ("first: 192.0.2.100, last: 192.0.2.109", "first: 192.0.2.109, last: 192.0.2.100"),
        path="regions.us.loadBalancer",
        line="192.0.2.109",
        got="192.0.2.109 to 192.0.2.100",
        rule="`first` is not above `last`",
        fix="write first: 192.0.2.100, last: 192.0.2.109",
    ),
    "load balancer with the broadcast address": bad(
        ("last: 192.0.2.109", "last: 192.0.2.127"),
        path="regions.us.loadBalancer",
        line="192.0.2.127",
        got="192.0.2.100 to 192.0.2.127",
        rule="leaves out the broadcast address 192.0.2.127",
        fix="shorten it",
    ),
    "load balancer with a host": bad(
        ("first: 192.0.2.100", "first: 192.0.2.72"),
        path="regions.us.loadBalancer",
        line="first: 192.0.2.72",
        got="which contains 192.0.2.72 of host 'us-worker-1' of region 'us' (line 52)",
        rule="contains no host and no router",
        fix="choose a range beside it",
    ),
    "load balancer with a router": bad(
        ("first: 192.0.2.100, last: 192.0.2.109", "first: 192.0.2.65, last: 192.0.2.70"),
        path="regions.us.loadBalancer",
        line="last: 192.0.2.70",
        got="which contains 192.0.2.65 of the fabric peer of region 'us'",
        rule="contains no host and no router",
        fix="choose a range beside it",
    ),
}

HOSTS = {
    "host name in two regions": bad(
        (US_WORKER, US_WORKER.replace("us-worker-1", "eu-worker-1")),
        ("us-worker-1: 172.30.17.0/24", "eu-worker-1: 172.30.17.0/24"),
        path="regions.us.cluster.nodes.eu-worker-1",
        line="192.0.2.72",
        got="the name 'eu-worker-1' again; line 38",
        rule="unique over all regions",
        fix="rename one",
    ),
    "edge host named as a node": bad(
        ("eu-edge-1: {address", "eu-cp-1: {address"),
        path="regions.eu.edges.eu-cp-1",
        line="192.0.2.13",
        got="the name 'eu-cp-1' again",
        rule="nodes and edge hosts",
        fix="rename one",
    ),
    "address of another host": bad(
        ("address: 192.0.2.13", "address: 192.0.2.12"),
        path="regions.eu.edges.eu-edge-1.address",
        line="eu-edge-1",
        got="192.0.2.12, the address of host 'eu-worker-1' (line 38)",
        rule="an address of its own",
        fix="another address",
    ),
    "address of a router": bad(
        ("address: 192.0.2.13", "address: 192.0.2.1"),
        path="regions.eu.edges.eu-edge-1.address",
        line="eu-edge-1",
        got="192.0.2.1, the address of a fabric peer of region 'eu'",
        rule="an address of its own",
        fix="another address",
    ),
    "router declared twice": bad(
        (
            "            - {address: 192.0.2.65, asn: 64510}\n",
            "            - {address: 192.0.2.65, asn: 64510}\n" * 2,
        ),
        path="regions.us.fabric.peers[1]",
        line="",
        got="192.0.2.65 again; line 46",
        rule="declared once",
        fix="remove one",
    ),
    "host in another region's network": bad(
        ("address: 192.0.2.72", "address: 192.0.2.14"),
        path="regions.us.cluster.nodes.us-worker-1.address",
        line="192.0.2.14",
        got="192.0.2.14",
        rule="lies in the machine network 192.0.2.64/26 of its region 'us' (line 42)",
        fix="move the host to region 'eu', whose network holds it",
    ),
    "host in no network": bad(
        ("address: 192.0.2.72", "address: 198.51.100.7"),
        path="regions.us.cluster.nodes.us-worker-1.address",
        line="198.51.100.7",
        got="198.51.100.7",
        rule="lies in the machine network",
        fix="choose one of 192.0.2.64/26",
    ),
    "host with the network's own address": bad(
        ("address: 192.0.2.72", "address: 192.0.2.64"),
        path="regions.us.cluster.nodes.us-worker-1.address",
        line="192.0.2.64, role",
        got="192.0.2.64",
        rule="the first and the last address",
        fix="choose another",
    ),
    "router elsewhere": bad(
        ("address: 192.0.2.65", "address: 198.51.100.1"),
        path="regions.us.fabric.peers[0]",
        line="198.51.100.1",
        got="198.51.100.1",
        rule="a fabric peer's address lies in the machine network 192.0.2.64/26",
        fix="in that network",
    ),
    "unknown profile": bad(
        ("profile: small", "profile: smal"),
        path="regions.eu.cluster.nodes.eu-worker-1.profile",
        line="profile: smal",
        got="the unknown profile 'smal'",
        rule="profiles there are: small",
        fix="did you mean 'small'?",
    ),
    "two control-plane nodes": bad(
        ("192.0.2.72, role: worker", "192.0.2.72, role: control-plane"),
        (US_CP, US_CP + "\n            us-worker-2: {address: 192.0.2.73, role: worker}"),
        ("us-worker-1: 172.30.17.0/24", "us-worker-1: 172.30.17.0/24, us-worker-2: 172.30.18.0/24"),
        path="regions.us.cluster.nodes",
        line="",
        got="2 nodes with the role control-plane",
        rule="1 control-plane node per cluster is supported today",
        fix="make the others workers",
    ),
    "no control-plane node": bad(
        ("192.0.2.71, role: control-plane", "192.0.2.71, role: worker"),
        path="regions.us.cluster.nodes",
        line="",
        got="0 nodes with the role control-plane",
        rule="1 control-plane node per cluster",
        fix="give one node the role control-plane",
    ),
    "no worker": bad(
        (US_WORKER, ""),
        path="regions.us.cluster.nodes",
        line="",
        got="no node with the role worker",
        rule="at least one worker",
        fix="declare a node with `role: worker`",
    ),
    "bare metal without a fabric": bad(
        (US_FABRIC, ""),
        path="regions.us.fabric",
        line="      us:\n",
        got="nothing",
        rule="a bare-metal region declares `fabric`",
        fix="add `fabric` to region 'us'",
    ),
    "bare metal without load-balancer addresses": bad(
        (US_BALANCER, ""),
        path="regions.us.loadBalancer",
        line="      us:\n",
        got="nothing",
        rule="a bare-metal region declares `loadBalancer`",
        fix="add `loadBalancer` to region 'us'",
    ),
    "fabric of an adopted cluster": bad(
        (
            "machineNetwork: 10.20.0.0/16",
            "machineNetwork: 10.20.0.0/16\n        fabric: {asn: 64514, peers: [{address: "
            "10.20.0.1, asn: 64510}]}",
        ),
        path="regions.cloud.fabric",
        line="64514",
        got="a fabric",
        rule="machines are not configured",
        fix="remove it",
    ),
    "hosts and no ssh": bad(
        (SSH, ""),
        path="ssh",
        line="crossmesh:environment",
        got="nothing",
        rule="hosts such as 'eu-cp-1'",
        fix="add `ssh` with `privateKeyFile` and `knownHostsFile`",
    ),
    "global load balancing without an edge": bad(
        (EDGES, ""),
        path="globalLoadBalancer",
        line="globalLoadBalancer",
        got="no edge host in any region",
        rule="answered by edge hosts",
        fix="add `edges`",
    ),
    "edges with nothing to answer": bad(
        (BALANCING, ""),
        path="regions.eu.edges",
        line="        edges:",
        got="edge hosts (eu-edge-1), and no `globalLoadBalancer`",
        rule="edge hosts answer",
        fix="add `globalLoadBalancer: {}`",
    ),
    "two mesh networks": bad(
        ("machineNetwork: 10.20.0.0/16", "machineNetwork: 10.20.0.0/16\n        meshNetwork: cloud"),
        path="regions.cloud.meshNetwork",
        line="meshNetwork",
        got="cloud, where region 'eu' has flat",
        rule="1 mesh network over all regions is supported today",
        fix="write flat",
    ),
}

SLICES = {
    "node prefix above its cluster's": bad(
        ("servicePool: 172.31.0.0/16", "servicePool: 172.31.0.0/16\n      podPrefixNode: 18"),
        ("eu-cp-1: 172.30.0.0/24, eu-worker-1: 172.30.1.0/24", ""),
        ("us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24", ""),
        path="addresses.podPrefixNode",
        line="podPrefixNode",
        got="/18",
        rule="a slice is not larger than what it is cut from: podPrefixCluster /20",
        fix="choose 20 or more",
    ),
    "cluster prefix above the pool's": bad(
        ("podPool: 172.30.0.0/16", "podPool: 172.30.0.0/19\n      podPrefixCluster: 18"),
        (
            "    clusters:\n      eu: {pods: 172.30.0.0/20, services: 172.31.0.0/20}\n"
            "      us: {pods: 172.30.16.0/20, services: 172.31.16.0/20}\n",
            "",
        ),
        (
            "    nodes:\n      eu: {eu-cp-1: 172.30.0.0/24, eu-worker-1: 172.30.1.0/24}\n"
            "      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n",
            "",
        ),
        path="addresses.podPrefixCluster",
        line="podPrefixCluster",
        got="/18",
        rule="a slice is not larger than what it is cut from: podPool 172.30.0.0/19",
        fix="choose 19 or more",
    ),
    "pool for one cluster where there are two": bad(
        ("podPool: 172.30.0.0/16", "podPool: 172.30.0.0/20"),
        ("      us: {pods: 172.30.16.0/20, services: 172.31.16.0/20}\n", ""),
        ("      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n", ""),
        path="addresses.podPool",
        line="podPool",
        got="172.30.0.0/20, which holds 1 cluster of /20",
        rule="a slice for each of the 2 bare-metal clusters",
        fix="a pool of /19 would do, or podPrefixCluster: 21",
    ),
    "service pool for one cluster where there are two": bad(
        ("servicePool: 172.31.0.0/16", "servicePool: 172.31.0.0/20"),
        ("      us: {pods: 172.30.16.0/20, services: 172.31.16.0/20}\n", ""),
        ("      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n", ""),
        path="addresses.servicePool",
        line="servicePool",
        got="172.31.0.0/20, which holds 1 cluster of /20",
        rule="a slice for each of the 2 bare-metal clusters",
        fix="a pool of /19 would do, or servicePrefixCluster: 21",
    ),
    "cluster's slice for one node where there are two": bad(
        ("servicePool: 172.31.0.0/16", "servicePool: 172.31.0.0/16\n      podPrefixCluster: 24"),
        ("eu: {pods: 172.30.0.0/20", "eu: {pods: 172.30.0.0/24"),
        ("us: {pods: 172.30.16.0/20", "us: {pods: 172.30.16.0/24"),
        (", eu-worker-1: 172.30.1.0/24", ""),
        (", us-worker-1: 172.30.17.0/24", ""),
        (US_WORKER, ""),
        (US_CP, US_CP.replace("control-plane", "worker")),
        path="regions.eu.cluster.nodes",
        line="          nodes:",
        got="2 nodes, where a cluster's /24 holds 1 of /24",
        rule="a slice for each of its nodes",
        fix="podPrefixCluster: 23 would do for clusters that are not built yet, or podPrefixNode: 25",
    ),
    "retired clusters that fill the pool": bad(
        ("podPool: 172.30.0.0/16", "podPool: 172.30.0.0/19"),
        ("us: {pods: 172.30.16.0/20, services", "old: {pods: 172.30.16.0/20, services"),
        ("      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n", ""),
        path="addresses.podPool",
        line="podPool",
        got="172.30.0.0/19 holds 2 slices of /20, 2 are taken, 1 more are needed",
        rule="there is a slice for the cluster of region 'us'",
        fix="/18 would do",
    ),
    "more pods than addresses": bad(
        ("maxPods: 50", "maxPods: 254"),
        path="regions.eu.cluster.nodes.eu-worker-1",
        line="profile: small",
        got="maxPods 254, where a node's /24 has 253",
        rule="holds all pods of a node",
        fix="podPrefixNode: 23",
    ),
    "node without a slice": bad(
        (US_WORKER, US_WORKER + US_WORKER.replace("us-worker-1", "us-worker-2").replace(".72", ".73")),
        path="regions.us.cluster.nodes.us-worker-2",
        line="us-worker-2",
        got="no entry in crossmesh:ledger for the node 'us-worker-2' of region 'us'",
        rule="every cluster and node",
        fix="run `crossmesh ledger --stack test --write`, which adds `nodes.us.us-worker-2: 172.30.18.0/24`",
    ),
    "slice outside its pool": bad(
        (
            "us: {pods: 172.30.16.0/20, services: 172.31.16.0/20}",
            "us: {pods: 172.30.16.0/20, services: 172.29.0.0/20}",
        ),
        path="crossmesh:ledger.clusters.us.services",
        line="172.29.0.0/20",
        got="172.29.0.0/20",
        rule="lies in servicePool 172.31.0.0/16 (line 12)",
        fix="restore the entry",
    ),
    "node's slice outside its cluster's": bad(
        ("us-worker-1: 172.30.17.0/24", "us-worker-1: 172.30.33.0/24"),
        path="crossmesh:ledger.nodes.us.us-worker-1",
        line="172.30.33.0/24",
        got="172.30.33.0/24",
        rule="lies in its cluster's slice 172.30.16.0/20 (line 91)",
        fix="restore the entry",
    ),
    "nodes' slices without their cluster's": bad(
        (
            "      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n",
            "      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n"
            "      old: {old-1: 172.30.64.0/24}\n",
        ),
        path="crossmesh:ledger.nodes.old.old-1",
        line="old-1",
        got="172.30.64.0/24, and no entry clusters.old",
        rule="a node's slice lies in its cluster's",
        fix="add clusters.old",
    ),
    "slice of another size": bad(
        ("us-worker-1: 172.30.17.0/24", "us-worker-1: 172.30.17.0/25"),
        path="crossmesh:ledger.nodes.us.us-worker-1",
        line="172.30.17.0/25",
        got="172.30.17.0/25",
        rule="is a /24 (podPrefixNode)",
        fix="set podPrefixNode: 25 again",
    ),
    "slices that overlap": bad(
        ("us-worker-1: 172.30.17.0/24", "us-worker-1: 172.30.16.0/24"),
        path="crossmesh:ledger.nodes.us.us-worker-1",
        line="us-worker-1: 172.30.16.0/24",
        got="172.30.16.0/24, which overlaps 172.30.16.0/24: node 'us-cp-1' of region 'us' (line 94)",
        rule="do not overlap",
        fix="restore the entry that was changed",
    ),
    "slice that overlaps a retired one": bad(
        ("us: {us-cp-1: 172.30.16.0/24,", "us: {us-old-1: 172.30.16.128/25, us-cp-1: 172.30.16.0/24,"),
        path="crossmesh:ledger.nodes.us.us-cp-1",
        line="us-old-1",
        got="which overlaps 172.30.16.128/25: the retired node 'us-old-1'",
        rule="do not overlap",
        fix="restore",
    ),
    "wrong type in the ledger": bad(
        ("us-worker-1: 172.30.17.0/24", "us-worker-1: 17"),
        path="crossmesh:ledger.nodes.us.us-worker-1",
        line="us-worker-1: 17",
        got="17 (a whole number)",
        rule="text",
        fix='put it in quotes: "17"',
    ),
}

SOFTWARE = {
    "unsupported version": bad(
        ("    sources:\n", "    versions: {istio: 1.27.0}\n    sources:\n"),
        path="versions.istio",
        line="1.27.0",
        got="1.27.0",
        rule="supported versions of istio: 1.28.3",
        fix="write 1.28.3",
    ),
    "version that is a number": bad(
        ("    sources:\n", "    versions: {kubernetes: 1.34}\n    sources:\n"),
        path="versions.kubernetes",
        line="1.34}",
        got="1.34 (a number)",
        rule="text",
        fix='put it in quotes: "1.34"',
    ),
    "two apt sources of one name": bad(
        ("name: extra", "name: mirror"),
        path="sources.apt[1].name",
        line="",
        got="the name 'mirror' again; line 15",
        rule="a name of its own",
        fix="rename one",
    ),
    "flat repository with components": bad(
        (
            "uri: http://192.0.2.2/extra\n          suite: bookworm",
            "uri: http://192.0.2.2/extra\n          suite: ./",
        ),
        path="sources.apt[1]",
        line="name: extra",
        got="the suite ./ with main",
        rule="a flat repository",
        fix="write `components: []`",
    ),
    "suite without components": bad(
        (
            "uri: http://192.0.2.2/extra\n          suite: bookworm",
            "uri: http://192.0.2.2/extra\n          suite: bookworm\n          components: []",
        ),
        path="sources.apt[1]",
        line="name: extra",
        got="the suite bookworm with no components",
        rule="a suite has components",
        fix="components: [main]",
    ),
    "image without a tag": bad(
        ("registry.example.test:5000/front:1.0", "registry.example.test:5000/front"),
        path="applications.front.image",
        line="5000/front",
        got="registry.example.test:5000/front",
        rule="a tag other than `latest`",
        fix="write registry.example.test:5000/front:<version>",
    ),
    "image with the latest tag": bad(
        ("registry.example.test:5000/front:1.0", "registry.example.test:5000/front:latest"),
        path="applications.front.image",
        line="5000/front",
        got="front:latest",
        rule="a tag other than `latest`",
        fix="write registry.example.test:5000/front:<version>",
    ),
    "image of the doctor's pods without a tag": bad(
        ("    sources:\n", "    probeImage: registry.example.test/tools\n    sources:\n"),
        path="probeImage",
        line="registry.example.test/tools",
        got="registry.example.test/tools",
        rule="a tag other than `latest`",
        fix="write registry.example.test/tools:<version>",
    ),
    "no root key": bad(
        ("  crossmesh:meshRootKey:\n    secure: v1:one\n", ""),
        path="crossmesh:meshRootKey",
        line="config:",
        got="nothing",
        rule="root of trust",
        fix="run `crossmesh secrets init --stack test`",
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

APPLICATIONS = {
    "namespace of the system": bad(
        ("      back: {inj", "      kube-system: {injection: false}\n      back: {inj"),
        path="namespaces.kube-system",
        line="kube-system",
        got="the namespace 'kube-system'",
        rule="belong to the platform",
        fix="choose another name",
    ),
    "sidecars where pod security refuses them": bad(
        ("shop: {podSecurity: privileged}", "shop: {podSecurity: baseline}"),
        path="namespaces.shop",
        line="shop: {pod",
        got="podSecurity baseline with injection",
        rule="NET_ADMIN",
        fix="write podSecurity: privileged",
    ),
    "application that begins with a digit": bad(
        ("      front:\n", "      3d:\n        {namespace: shop, image: example.test/3d:1}\n      front:\n"),
        path="applications.3d",
        line="      3d:",
        got="the name '3d'",
        rule="begins with a letter",
        fix="app-3d",
    ),
    "application in an unknown namespace": bad(
        ("namespace: back\n        image", "namespace: bac\n        image"),
        ("application: stock", "application: front"),
        ("namespace: back\n        host", "namespace: shop\n        host"),
        path="applications.stock.namespace",
        line="namespace: bac\n",
        got="the unknown namespace 'bac'",
        rule="namespaces there are: back, shop",
        fix="did you mean 'back'?",
    ),
    "path to an unknown application": bad(
        ("{path: /cart, application: front}", "{path: /cart, application: fornt}"),
        path="ingresses.shop.paths[1].application",
        line="fornt",
        got="the unknown application 'fornt'",
        rule="applications there are: front, stock",
        fix="did you mean 'front'?",
    ),
    "path to an application of another namespace": bad(
        ("{path: /cart, application: front}", "{path: /cart, application: stock}"),
        path="ingresses.shop.paths[1].application",
        line="/cart",
        got="application 'stock' of namespace 'back'",
        rule="applications of its own namespace, 'shop'",
        fix="move one of the two",
    ),
    "host elsewhere": bad(
        ("host: back.example.test", "host: back.example.org"),
        path="ingresses.back.host",
        line="example.org",
        got="back.example.org",
        rule="a name below the domain example.test (line 9)",
        fix="write for example back.example.test",
    ),
    "host that only ends like the domain": bad(
        ("host: back.example.test", "host: backexample.test"),
        path="ingresses.back.host",
        line="backexample",
        got="backexample.test",
        rule="a name below the domain",
        fix="write for example",
    ),
    "two ingresses with one host": bad(
        ("host: back.example.test", "host: shop.example.test"),
        path="ingresses.back.host",
        line="",
        got="shop.example.test, the host of ingress 'shop'",
        rule="a host of its own",
        fix="add its paths to 'shop'",
    ),
    "path that stands twice": bad(
        (
            "      shop:\n        namespace: shop\n        host: shop.example.test\n        paths:\n",
            "      shop:\n        namespace: shop\n        host: shop.example.test\n        paths:\n"
            "          - {path: /cart/, application: front}\n",
        ),
        path="ingresses.shop.paths[2].path",
        line="path: /cart,",
        got="/cart again",
        rule="leads to one application",
        fix="remove one of the two",
    ),
    "environment variable with a digit first": bad(
        ("LOG_LEVEL: info", "2nd level: info"),
        path="applications.stock.environment.2nd level",
        line="2nd level",
        got="the name '2nd level'",
        rule="letters, digits and _ . -",
        fix="write for example ND_LEVEL",
    ),
    "probe longer than its interval": bad(
        ("interval: 3, timeout: 2", "interval: 3, timeout: 3"),
        path="globalLoadBalancer.healthCheck",
        line="timeout: 3",
        got="timeout 3 s, interval 3 s",
        rule="`timeout` is less than `interval`",
        fix="write timeout: 2, or interval: 4",
    ),
}

CASES = SHAPES | SURROUNDINGS | ADDRESSES | HOSTS | SLICES | SOFTWARE | APPLICATIONS
# Breaking these breaks a second rule too, which is right: the file then has two problems.
ALSO = {
    "misspelt ledger": 6,
    "cluster's slice for one node where there are two": 1,
    "cluster prefix above the pool's": 0,
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_stack_file_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    case = CASES[name]
    text = changed(*case.changes)
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text), require_secrets=True)
    problems = caught.value.problems
    found = [problem for problem in problems if render_path(problem.path) == case.path]
    assert len(found) == 1, str(caught.value)
    (problem,) = found
    assert case.got in problem.got
    assert case.rule in problem.rule
    assert case.fix in problem.fix
    if case.line:
        assert case.line in text.splitlines(keepends=True)[problem.line - 1]
    assert len(problems) == 1 + ALSO.get(name, 0), str(caught.value)
    assert f"Pulumi.test.yaml:{problem.line}: {case.path}\n" in str(caught.value)


def test_the_file_that_all_cases_start_from_is_right(write: Write) -> None:
    stack = load_stack(write(GOOD), require_secrets=True)
    assert stack.name == "test"
    assert stack.secrets == {"meshRootKey", "cloudKubeconfig"}
    assert stack.notices == ()


def test_no_error_shows_a_secret(write: Write) -> None:
    text = changed(("  crossmesh:meshRootKey:\n    secure: v1:one", "  crossmesh:meshRootKey: hunter2"))
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text))
    assert "hunter2" not in str(caught.value)


def test_every_rule_is_broken_by_one_of_the_cases(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    broken: set[str] = set()

    def watched(rule: Callable[[Check], None]) -> Callable[[Check], None]:
        def run(check: Check) -> None:
            before = len(check.document.problems)
            rule(check)
            if len(check.document.problems) > before:
                broken.add(rule.__name__)

        return run

    monkeypatch.setattr(rules, "ALL", tuple(map(watched, rules.ALL)))
    known = {rule.__name__ for rule in ALL_RULES}
    for case in (ADDRESSES | HOSTS | SLICES | SOFTWARE | APPLICATIONS).values():
        with pytest.raises(StackFileError):
            load_stack(write(changed(*case.changes)), require_secrets=True)
    # These two need a table of versions, or ranges that another rule refuses first: they are tested below.
    assert known - broken == {
        "istio_supports_the_kubernetes_version",
        "slices_and_machine_networks_are_apart",
    }


def test_an_istio_that_does_not_support_the_kubernetes_version_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runs_on("1.28.3", "1.34.3")
    assert not runs_on("1.28.3", "1.35.0")
    assert not runs_on("1.99.0", "1.34.3")
    monkeypatch.setattr(software, "SUPPORTED", {**SUPPORTED, "kubernetes": ("1.34.3", "1.35.0")})
    text = changed(("    sources:\n", "    versions: {kubernetes: 1.35.0}\n    sources:\n"))
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text))
    (problem,) = caught.value.problems
    assert problem.got == "Kubernetes 1.35.0 with Istio 1.28.3"
    assert "1.30, 1.31, 1.32, 1.33, 1.34" in problem.rule


def test_a_retired_slice_outside_its_pool_that_meets_a_machine_network_is_refused(write: Write) -> None:
    text = changed(
        (
            "    nodes:\n      eu: {eu-cp",
            "      old: {pods: 10.20.0.0/20, services: 172.31.32.0/20}\n    nodes:\n      eu: {eu-cp",
        )
    )
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text))
    assert any(
        "10.20.0.0/16: the machine network of region 'cloud'" in found.got for found in caught.value.problems
    )
