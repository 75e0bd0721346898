from __future__ import annotations

import json

import pytest

from live.checks import api_servers, nodes
from live.doctor.model import Status
from tests.unit.operations.support import Answers, issue, make_platform, node, pod, raw_outputs, run

NODES = [node("eu-cp-1", "10.101.1.11"), node("eu-worker-1", "10.101.1.12")]


def api(ready: tuple[int, str] = (200, "ok"), version: str = "v1.34.3", uid: str = "uid-1") -> Answers:
    paths = {"/readyz?verbose": ready, "/version": (200, json.dumps({"gitVersion": version}))}
    return Answers(paths=paths, uid=uid)


def test_an_api_server_that_is_ready_of_the_right_version_and_identity_is_ok() -> None:
    assert run(api_servers.check_api_server, make_platform({"eu": api()}), "eu").status is Status.OK


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (api(ready=(500, "[+]ping ok\n[-]etcd failed: reason withheld")), "etcd failed"),
        (api(version="v1.33.0"), "v1.33.0"),
    ],
)
def test_an_api_server_that_is_not_as_declared_says_how(answers: Answers, words: str) -> None:
    finding = run(api_servers.check_api_server, make_platform({"eu": answers}), "eu")
    assert finding.status is Status.FAILED
    assert words in finding.explanation


def test_another_cluster_behind_the_address_is_found_by_its_uid() -> None:
    platform = make_platform({"eu": api(uid="uid-of-another")})
    platform.identities["eu"] = "uid-1"
    finding = run(api_servers.check_api_server, platform, "eu")
    assert finding.status is Status.FAILED
    assert "uid-of-another" in finding.explanation


def test_a_kubeconfig_that_is_about_to_expire_fails_the_check() -> None:
    platform = make_platform({"eu": api()})
    platform.clusters["eu"].client_certificate = issue("admin", days=1, age=90).pem.encode()  # type: ignore[misc]
    finding = run(api_servers.check_api_server, platform, "eu")
    assert finding.status is Status.FAILED
    assert "expires" in finding.explanation


def test_declared_nodes_that_are_ready_are_ok() -> None:
    finding = run(nodes.check_nodes, make_platform({"eu": Answers(nodes=NODES)}), "eu")
    assert finding.status is Status.OK
    assert finding.measured == "2 of 2 Ready"


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (NODES[:1], "eu-worker-1 has not joined"),
        ([NODES[0], node("eu-worker-1", "10.101.1.12", ready="False", message="cni gone")], "cni gone"),
        ([NODES[0], node("eu-worker-1", "10.101.1.12", ready="Unknown")], "not been heard of"),
        ([*NODES, node("stranger", "10.101.1.99")], "stranger is not declared"),
        ([NODES[0], node("eu-worker-1", "10.101.1.77")], "10.101.1.77"),
    ],
)
def test_a_node_that_is_not_as_declared_says_how(listed: list[object], words: str) -> None:
    finding = run(nodes.check_nodes, make_platform({"eu": Answers(nodes=listed)}), "eu")  # type: ignore[arg-type]
    assert finding.status is Status.FAILED
    assert words in finding.explanation
    assert finding.fix


def test_a_cordoned_node_is_found() -> None:
    cordoned = node("eu-worker-1", "10.101.1.12")
    cordoned.spec.unschedulable = True
    finding = run(nodes.check_nodes, make_platform({"eu": Answers(nodes=[NODES[0], cordoned])}), "eu")
    assert "cordoned" in finding.explanation


def test_pods_inside_the_slices_of_their_nodes_are_ok_and_host_network_does_not_count() -> None:
    answers = Answers(pods=[pod("a"), pod("b", ip="10.101.1.12", host_network=True)])
    finding = run(nodes.check_pod_addresses, make_platform({"eu": answers}), "eu")
    assert finding.status is Status.OK
    assert finding.measured.startswith("1 pods")


def test_a_pod_outside_its_node_s_slice_is_named() -> None:
    answers = Answers(pods=[pod("a", ip="172.30.0.5")])
    finding = run(nodes.check_pod_addresses, make_platform({"eu": answers}), "eu")
    assert finding.status is Status.FAILED
    assert "greencompute/a" in finding.explanation


def test_one_address_of_two_pods_is_found() -> None:
    answers = Answers(pods=[pod("a"), pod("b")])
    finding = run(nodes.check_pod_addresses, make_platform({"eu": answers}), "eu")
    assert "greencompute/a and of greencompute/b" in finding.explanation


def test_a_region_without_any_pod_of_the_network_proves_nothing_and_fails() -> None:
    assert run(nodes.check_pod_addresses, make_platform(), "eu").status is Status.FAILED


def test_the_reference_slices_are_ok() -> None:
    assert run(nodes.check_slices, make_platform()).status is Status.OK


@pytest.mark.parametrize(
    ("region", "key", "value", "words"),
    [
        ("us", "podCidr", "172.30.8.0/20", "pods of eu"),
        ("us", "serviceCidr", "172.31.0.0/16", "services of eu"),
        ("eu", "podCidr", "10.101.1.0/24", "machines of eu"),
    ],
)
def test_ranges_that_overlap_are_named_with_both_owners(
    region: str, key: str, value: str, words: str
) -> None:
    regions = raw_outputs()["regions"]
    regions[region][key] = "172.30.0.0/20" if value == "172.30.8.0/20" else value
    finding = run(nodes.check_slices, make_platform(regions=regions))
    assert finding.status is Status.FAILED
    assert "overlaps" in finding.explanation
    assert words in finding.explanation


def test_a_node_that_has_another_slice_than_the_ledger_says_is_found() -> None:
    regions = raw_outputs()["regions"]
    regions["eu"]["nodes"]["eu-worker-1"]["podCidr"] = "172.30.9.0/24"
    finding = run(nodes.check_slices, make_platform(regions=regions))
    assert "the ledger says 172.30.1.0/24" in finding.explanation
