"""The twin's machines: fewer than declared, and all that the change is about."""

from __future__ import annotations

from rehearsal.crew import crew
from tests.unit.rehearsal.support import declared, nodes, region


def test_a_small_region_is_there_whole() -> None:
    chosen = crew([declared({"eu": region(nodes("eu"), edges={"eu-edge": {"address": "192.0.2.40"}})})])
    assert chosen.regions == {"eu": ("eu-cp-1", "eu-worker-2", "eu-edge")}
    assert chosen.differences == ()


def test_of_many_workers_two_are_there_and_the_others_are_named() -> None:
    chosen = crew([declared({"eu": region(nodes("eu", workers=4))})])
    assert chosen.regions["eu"] == ("eu-cp-1", "eu-worker-2", "eu-worker-3")
    assert chosen.differences == ("region eu: 2 of 4 workers; not there are eu-worker-4, eu-worker-5",)


def test_five_control_plane_nodes_are_three() -> None:
    chosen = crew([declared({"eu": region(nodes("eu", control_planes=5))})])
    assert [name for name in chosen.regions["eu"] if "-cp-" in name] == ["eu-cp-1", "eu-cp-2", "eu-cp-3"]


def test_a_worker_that_comes_goes_or_changes_is_there() -> None:
    before = declared({"eu": region(nodes("eu", workers=5))})
    after = declared({"eu": region(nodes("eu", workers=6, eu_worker_5={"labels": {"disk": "fast"}}))})
    chosen = crew([before, after])
    assert chosen.regions["eu"] == ("eu-cp-1", "eu-worker-5", "eu-worker-7")
    assert crew([after, before]).regions == chosen.regions


def test_a_host_that_a_runbook_is_about_is_there() -> None:
    chosen = crew([declared({"eu": region(nodes("eu", workers=4))})], named=["eu-worker-5", "5", ""])
    assert chosen.has("eu", "eu-worker-5")
    assert len(chosen.regions["eu"]) == 3


def test_nodes_of_the_gateway_are_there() -> None:
    its = region(nodes("eu", workers=4), gatewayNodes=["eu-worker-4"])
    del its["loadBalancer"]
    assert crew([declared({"eu": its})]).has("eu", "eu-worker-4")


def test_a_region_that_comes_whole_needs_no_more_of_its_hosts_than_another() -> None:
    eu = region(nodes("eu", workers=1))
    chosen = crew([declared({"eu": eu}), declared({"eu": eu, "us": region(nodes("us", workers=4))})])
    assert [*chosen.regions] == ["eu", "us"]
    assert len(chosen.regions["us"]) == 3


def test_one_machine_stands_for_an_adopted_cluster() -> None:
    adopted = {
        "kind": "adopted",
        "kubeconfigSecret": "k",
        "podCidr": "10.1.0.0/16",
        "serviceCidr": "10.2.0.0/16",
    }
    chosen = crew([declared({"cloud": {"cluster": adopted}})])
    assert chosen.regions == {"cloud": ("cloud-stand-in-1",)}
    assert chosen.differences == (
        "region cloud: a cluster of one machine stands for the one that is adopted",
    )
