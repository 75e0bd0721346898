"""What the rules must not refuse: each of these is next to something that they do refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from stacks.errors import StackFileError
from stacks.ledger import Ledger, assign
from stacks.load import load_stack, stack_path
from tests.unit.stacks.bad import ISTIO, KUBERNETES, METALLB
from tests.unit.stacks.conftest import GOOD, changed

Write = Callable[[str], Path]

GOOD_CHANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "networks side by side": (
        ("machineNetwork: 10.20.0.0/16", "machineNetwork: 192.0.2.128/25"),
        ("podCidr: 10.20.128.0/17", "podCidr: 192.0.3.0/24"),
    ),
    "adopted cluster in a part of the pool that nobody has": (
        ("podCidr: 10.20.128.0/17", "podCidr: 172.30.32.0/19"),
    ),
    "pods of an adopted cluster in its own machine network": (
        ("podCidr: 10.20.128.0/17", "podCidr: 10.20.0.0/17"),
    ),
    "load balancer up to the last usable address": (("last: 192.0.2.109", "last: 192.0.2.126"),),
    "load balancer of one address": (
        ("first: 192.0.2.100, last: 192.0.2.109", "first: 192.0.2.100, last: 192.0.2.100"),
    ),
    "load balancer beside the machine network, by BGP": (
        ("first: 192.0.2.100, last: 192.0.2.109", "first: 172.20.10.1, last: 172.20.10.254"),
    ),
    "routers of the nodes' own AS": (("asn: 64513", "asn: 64510"),),
    "one node behind a link of two addresses": (
        ("machineNetwork: 192.0.2.64/26", "machineNetwork: 192.0.2.64/31"),
        ("first: 192.0.2.100, last: 192.0.2.109", "first: 172.20.10.1, last: 172.20.10.254"),
        (
            "us-cp-1: {address: 192.0.2.71, role: control-plane}",
            "us-cp-1: {address: 192.0.2.64, role: control-plane, workload: true}",
        ),
        ("            us-worker-1: {address: 192.0.2.72, role: worker}\n", ""),
    ),
    "load balancer right behind a host": (("first: 192.0.2.100", "first: 192.0.2.73"),),
    "load balancer of an adopted cluster": (
        (
            "machineNetwork: 10.20.0.0/16",
            "machineNetwork: 10.20.0.0/16\n        loadBalancer: {first: 10.20.0.9, last: 10.20.0.19}",
        ),
    ),
    "one router for two regions' BGP, by different addresses": (
        ("- {address: 192.0.2.65, asn: 64510}", "- {address: 192.0.2.126, asn: 64510}"),
    ),
    "number of the last host": (("address: 192.0.2.72", "address: 192.0.2.126"),),
    "pools that just suffice": (
        ("podPool: 172.30.0.0/16", "podPool: 172.30.0.0/19"),
        ("servicePool: 172.31.0.0/16", "servicePool: 172.31.0.0/19"),
    ),
    "as many pods as a slice has addresses": (("maxPods: 50", "maxPods: 253"),),
    "retired slices": (
        (
            "      us: {us-cp-1: 172.30.16.0/24,",
            "      us: {us-old-1: 172.30.31.0/26, us-cp-1: 172.30.16.0/24,",
        ),
    ),
    "supported versions written out": (
        (
            "    sources:\n",
            f"    versions: {{kubernetes: {KUBERNETES}, istio: {ISTIO}, metallb: {METALLB}}}\n    sources:\n",
        ),
    ),
    "namespace of which nothing is said": (("shop: {podSecurity: privileged}", "shop: {}"),),
    "request as large as its limit": (
        ("front:1.0\n", 'front:1.0\n        resources: {requests: {cpu: "1"}, limits: {cpu: 1000m}}\n'),
    ),
    "cluster of one node": (
        (
            "us-cp-1: {address: 192.0.2.71, role: control-plane}",
            "us-cp-1: {address: 192.0.2.71, role: control-plane, workload: true}",
        ),
        ("            us-worker-1: {address: 192.0.2.72, role: worker}\n", ""),
    ),
    "flat repository": (
        (
            "uri: http://192.0.2.2/extra\n          suite: bookworm",
            "uri: http://192.0.2.2/extra\n          suite: ./\n          components: []",
        ),
    ),
    "image with a tag and a digest": (("front:1.0", "front:1.0@sha256:" + "0" * 64),),
    "one mesh network by another name": tuple(
        (f"machineNetwork: {network}", f"machineNetwork: {network}\n        meshNetwork: wide")
        for network in ("192.0.2.0/26", "192.0.2.64/26", "10.20.0.0/16")
    ),
    "host right below the domain's name": (("host: back.example.test", "host: a.b.example.test"),),
    "paths of which one begins like the other": (("path: /cart,", "path: /carts,"),),
    "timeout just below the interval": (("interval: 3, timeout: 2", "interval: 2, timeout: 1"),),
    "names and values by alias and merge key": (
        (
            "      shop: {podSecurity: privileged}\n",
            "      shop: &space {podSecurity: privileged, mtls: PERMISSIVE}\n",
        ),
        ("back: {injection: false}", "back: {<<: *space}"),
    ),
    "other default providers off as well": (("[kubernetes]", '["*"]'),),
    "configuration of other packages": (
        ("v1:salt\nconfig:\n", "v1:salt\nconfig:\n  aws:region: eu-central-1\n"),
    ),
    "neither edges nor load balancing": (
        ("        edges:\n          eu-edge-1: {address: 192.0.2.13}\n", ""),
        ("    globalLoadBalancer:\n      healthCheck: {interval: 3, timeout: 2}\n", ""),
    ),
}


def test_the_file_that_all_cases_start_from_is_right(write: Write) -> None:
    stack = load_stack(write(GOOD), require_secrets=True)
    assert stack.name == "test"
    assert stack.secrets == {"meshRootKey", "cloudKubeconfig"}
    assert stack.notices == ()


@pytest.mark.parametrize("name", GOOD_CHANGES)
def test_what_is_right_is_accepted(name: str, write: Write) -> None:
    load_stack(write(changed(*GOOD_CHANGES[name])), require_secrets=True)


@pytest.mark.parametrize("name", ["lab", "staging", "production"])
def test_the_stacks_that_ship_with_the_project_are_right_and_their_ledger_is_what_the_command_writes(
    name: str,
) -> None:
    stack = load_stack(stack_path(name))
    assert stack.name == name
    assert assign(stack.environment, Ledger()) == stack.ledger


def test_a_file_without_secrets_loads_where_no_secrets_are_needed(write: Write) -> None:
    text = changed(
        ("  crossmesh:meshRootKey:\n    secure: v1:one\n", ""),
        ("  crossmesh:cloudKubeconfig:\n    secure: v1:two\n", ""),
    )
    assert load_stack(write(text)).secrets == frozenset()


def test_a_cluster_without_slices_loads_for_the_command_that_hands_them_out(write: Write) -> None:
    text = GOOD[: GOOD.index("  crossmesh:ledger:")]
    with pytest.raises(StackFileError):
        load_stack(write(text))
    assert load_stack(write(text), require_ledger=False).ledger == Ledger()


def test_retired_slices_are_mentioned(write: Write) -> None:
    text = changed(("      us: {us-cp-1:", "      us: {us-old-1: 172.30.31.0/26, us-cp-1:"))
    assert load_stack(write(text)).notices == (
        "172.30.31.0/26: reserved for the retired node 'us-old-1' of region 'us'",
    )


def test_ranges_of_clusters_come_from_the_ledger_or_from_the_adopted_clusters_declaration(
    write: Write,
) -> None:
    stack = load_stack(write(GOOD))
    assert [str(stack.pod_cidr(region)) for region in ("eu", "us", "cloud")] == [
        "172.30.0.0/20",
        "172.30.16.0/20",
        "10.20.128.0/17",
    ]
    assert [str(stack.service_cidr(region)) for region in ("eu", "us", "cloud")] == [
        "172.31.0.0/20",
        "172.31.16.0/20",
        "10.21.0.0/20",
    ]


def test_paths_of_keys_are_expanded(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("KEYS", "/keys")
    stack = load_stack(write(changed(("privateKeyFile: ~/keys/id", "privateKeyFile: $KEYS/id"))))
    assert stack.environment.ssh is not None
    assert stack.environment.ssh.private_key_file == "/keys/id"
    assert stack.environment.ssh.known_hosts_file == "/home/somebody/keys/known_hosts"
    assert stack.environment.sources.apt[0].signed_by == "/home/somebody/keys/apt.asc"


def test_a_region_alone_needs_no_router(write: Write) -> None:
    document = yaml.safe_load(GOOD)
    declared = document["config"]
    regions = declared["crossmesh:environment"]["regions"]
    del regions["us"], regions["cloud"], regions["eu"]["fabric"]
    stack = load_stack(write(yaml.safe_dump(document)))
    assert stack.environment.regions["eu"].fabric is None


def test_where_no_image_of_probes_is_declared_it_is_one_that_everybody_may_fetch(write: Write) -> None:
    assert "probeImage" not in GOOD
    registry, owner, image = load_stack(write(GOOD)).environment.probe_image.split("/")
    # Those that Docker keeps itself, to be had without a login; the lab makes `crossmesh/…` for itself.
    assert (registry, owner) == ("docker.io", "library")
    assert image.startswith("busybox:")
