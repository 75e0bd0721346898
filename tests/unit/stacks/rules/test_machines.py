"""Each rule over machines, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from tests.unit.stacks.bad import (
    MINOR,
    SSH,
    US_WORKER,
    Bad,
    Write,
    assert_refused,
    bad,
)

JUMP = "ssh: {direct: true, jump: {address: 192.0.2.9, user: gate}}\n"


def registries(*entries: str) -> tuple[str, str]:
    """Registries in the good file."""
    lines = "".join(f"        - {entry}\n" for entry in entries)
    return "      apt:\n", f"      registries:\n{lines}      apt:\n"


CASES: dict[str, Bad] = {
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
    "repository of another minor version of Kubernetes": bad(
        ("uri: http://192.0.2.2/extra", "uri: https://pkgs.example.test/core:/stable:/v1.31/deb"),
        path="sources.apt[1].uri",
        line="v1.31",
        got="the repository of v1.31",
        rule=f"nodes run Kubernetes {MINOR}",
        fix=f"write https://pkgs.example.test/core:/stable:/v{MINOR}/deb",
    ),
    "a jump host, and none": bad(
        ("        machineNetwork: 192.0.2.0/26\n", "        machineNetwork: 192.0.2.0/26\n        " + JUMP),
        path="regions.eu.ssh.direct",
        line="direct",
        got="true, and a jump host beside it",
        rule="directly or through `jump`",
        fix="remove one",
    ),
    "a source for a distribution that nobody knows": bad(
        (
            "          uri: http://192.0.2.2/extra\n",
            "          uri: http://192.0.2.2/extra\n          distribution: debian-14\n",
        ),
        path="sources.apt[1].distribution",
        line="debian-14",
        got="debian-14",
        rule="hosts run one of: debian-12, debian-13",
        fix="did you mean",
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
        fix="choose one of 192.0.2.64/26; or, where its machines share no network, leave `machineNetwork`",
    ),
    "host with the network's own address": bad(
        ("address: 192.0.2.72", "address: 192.0.2.64"),
        path="regions.us.cluster.nodes.us-worker-1.address",
        line="192.0.2.64, role",
        got="192.0.2.64",
        rule="the first and the last address",
        fix="choose another",
    ),
    "unknown profile": bad(
        ("profile: small", "profile: smal"),
        path="regions.eu.cluster.nodes.eu-worker-1.profile",
        line="profile: smal",
        got="the unknown profile 'smal'",
        rule="profiles there are: small",
        fix="did you mean 'small'?",
    ),
    "hosts and no ssh": bad(
        (SSH, ""),
        path="ssh",
        line="crossmesh:environment",
        got="nothing",
        rule="hosts such as 'eu-cp-1'",
        fix="add `ssh` with `privateKeyFile` and `knownHostsFile`",
    ),
    "two apt sources of one name": bad(
        ("name: extra", "name: mirror"),
        path="sources.apt[1].name",
        line="",
        got="the name 'mirror' again; line 15",
        rule="a name of its own",
        fix="rename one",
    ),
    "registry declared twice": bad(
        registries("{name: a.test, mirror: 'https://b.test'}", "{name: a.test, caFile: /keys/ca}"),
        path="sources.registries[1].name",
        line="/keys/ca",
        got="the registry a.test again; line 1",
        rule="declared once",
        fix="into one entry",
    ),
    "registry of which nothing is said": bad(
        registries("{name: a.test}"),
        path="sources.registries[0]",
        line="a.test",
        got="a.test and nothing about it",
        rule="`mirror`, `login` or `caFile`",
        fix="add one",
    ),
    "authority for Docker Hub": bad(
        registries("{name: docker.io, mirror: 'https://b.test', caFile: /keys/ca}"),
        path="sources.registries[0].caFile",
        line="docker.io",
        got="an authority for docker.io",
        rule="stands with the mirror",
        fix="a registry of its own",
    ),
    "mirror by plain HTTP": bad(
        registries("{name: a.test, mirror: 'http://b.test'}"),
        path="sources.registries[0].mirror",
        line="a.test",
        got="http://b.test",
        rule="begins with https://",
        fix="write https://b.test",
    ),
    "registry as a URL": bad(
        registries("{name: 'https://a.test', mirror: 'https://b.test'}"),
        path="sources.registries[0].name",
        line="a.test",
        got="https://a.test",
        rule="the host that images' names begin with",
        fix="write a.test",
    ),
    "proxy with a password": bad(
        ("      apt:\n", "      proxy: {http: 'http://anna:pw@proxy.test:3128'}\n      apt:\n"),
        path="sources.proxy.http",
        line="proxy.test",
        got="http://anna:…@proxy.test:3128",
        rule="a login is not supported yet",
        fix="write it in that form",
    ),
    "exception with an asterisk": bad(
        ("      apt:\n", "      proxy: {http: 'http://proxy.test', except: ['*.test']}\n      apt:\n"),
        path="sources.proxy.except[0]",
        line="proxy.test",
        got="*.test",
        rule="no *",
        fix="write it in that form",
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
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)
