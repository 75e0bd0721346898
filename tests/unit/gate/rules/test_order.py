"""Releases move in the order that they can; what the order is stands in the catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest

import releases
from components.manifests import Manifest, named
from components.tokens import BARE_METAL_CLUSTER
from gate.rules.change import order
from releases.order import order as facts
from report.model import Finding, Resource, Severity, Status
from stacks.load import Stack
from stacks.model import RegionVersions
from tests.unit.gate.rules.support import (
    against,
    at,
    below,
    changes,
    host_phase,
    kubernetes,
    region,
    update,
    with_environment,
    with_region,
)


def failures(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.status is Status.FAIL]


def test_metallb_moves_before_kubernetes_1_36_in_a_change_of_its_own() -> None:
    old = at(kubernetes="1.35.3", metallb="0.15.2", containerd="2.4.2")
    new = at(kubernetes="1.36.3", metallb="0.16.1", containerd="2.4.2")
    (found,) = failures(against(order.CHECK, changes(), of=new, before=old))
    assert found.message.startswith("Kubernetes goes to 1.36.3 while MetalLB is 0.15.2: Kubernetes 1.36 and")
    assert found.fix == "go to MetalLB 0.16 or later first, in a change of its own"
    assert found.declared == ("versions", "kubernetes")
    moved = at(kubernetes="1.35.3", metallb="0.16.1", containerd="2.4.2")
    assert against(order.CHECK, changes(), of=moved, before=old) == []
    assert failures(against(order.CHECK, changes(), of=new, before=moved)) == []


def test_containerd_moves_before_kubernetes_1_36_and_a_distribution_s_is_known_by_sources() -> None:
    old, new = at(kubernetes="1.35.3"), at(kubernetes="1.36.3")
    (found,) = failures(against(order.CHECK, changes(), of=new, before=old))
    assert found.message.startswith(
        "Kubernetes goes to 1.36.3 while containerd is 1.6.20: Kubernetes 1.36 is"
    )
    assert found.fix == "go to containerd 2.2 or later first, in a change of its own"
    both = at(kubernetes="1.36.3", containerd="2.4.2")
    assert failures(against(order.CHECK, changes(), of=both, before=old)), (
        "nothing says which is through first"
    )
    has = at(kubernetes="1.35.3", containerd="2.4.2")
    assert against(order.CHECK, changes(), of=both, before=has) == []


def test_what_no_source_tells_is_not_measurable() -> None:
    def unsaid(found: Stack) -> Stack:
        sources = found.environment.sources.model_copy(update={"apt": ()})
        return with_environment(found, lambda _: {"sources": sources})

    found = against(
        order.CHECK, changes(), of=unsaid(at(kubernetes="1.36.3")), before=unsaid(at(kubernetes="1.35.3"))
    )
    assert {finding.status for finding in found} == {Status.NOT_MEASURABLE}
    assert "containerd 2.2 or later must be there" in found[0].message


def test_the_containerd_that_nodes_have_counts_more_than_the_one_that_was_declared() -> None:
    def node(name: str, **pins: str) -> Resource:
        cluster = below(region("eu"), BARE_METAL_CLUSTER, "eu", {}, region="eu", custom=False)
        return host_phase(cluster, name, "prepare", base_pins={"kubelet": "1.35.3-*", **pins})

    nodes = [node("eu-1", **{"containerd.io": "2.4.2-*"}), node("eu-2", **{"containerd.io": "2.4.2-*"})]
    old, new = at(kubernetes="1.35.3"), at(kubernetes="1.36.3")
    found = failures(against(order.CHECK, changes(same=nodes), of=new, before=old))
    assert [finding.message.partition(":")[0] for finding in found] == ["us"]
    half = [nodes[0], node("eu-2")]
    found = failures(against(order.CHECK, changes(same=half), of=new, before=old))
    assert found[0].message.startswith("Kubernetes goes to 1.36.3 while containerd is 1.6.20")


def test_a_region_without_load_balancer_addresses_waits_for_no_metallb() -> None:
    def bare(found: Stack) -> Stack:
        for name in found.environment.regions:
            found = with_region(found, name, lambda _: {"load_balancer": None})
        return found

    old, new = (bare(at(kubernetes=version, containerd="2.4.2")) for version in ("1.35.3", "1.36.3"))
    assert against(order.CHECK, changes(), of=new, before=old) == []


def test_what_runs_counts_more_than_what_was_declared() -> None:
    found = changes(update(metallb("0.15.2"), metallb("0.16.1")), same=[region("eu"), region("us")])
    versions = {"metallb": "0.16.1", "containerd": "2.4.2"}
    old, new = (at(kubernetes=version, **versions) for version in ("1.35.3", "1.36.3"))
    (finding,) = failures(against(order.CHECK, found, of=new, before=old))
    assert finding.message.startswith("eu: Kubernetes goes to 1.36.3 while MetalLB is 0.15.2")


def metallb(version: str) -> Resource:
    labels = {"app": "metallb", "component": "controller"}
    pod = {"containers": [{"name": "controller", "image": f"quay.io/metallb/controller:v{version}"}]}
    made: Manifest = named(
        "apps/v1",
        "Deployment",
        "controller",
        "metallb-system",
        labels=labels,
        spec={"template": {"spec": pod}},
    )
    return kubernetes(made)


def test_a_step_without_a_simple_way_back_is_a_warning_that_tells_the_way() -> None:
    old, new = at(kubernetes="1.36.3", metallb="0.16.1"), at(kubernetes="1.37.1", metallb="0.16.1")
    found = against(order.CHECK, changes(), of=new, before=old)
    assert [finding.severity for finding in found] == [Severity.WARNING]
    assert "Kubernetes 1.37.1 has no simple way back: its kubeadm takes etcd to 3.7" in found[0].message
    assert "etcdctl downgrade enable 3.6" in found[0].fix
    assert against(order.CHECK, changes(), of=new, before=new) == []


def test_regions_of_a_mesh_may_go_to_another_istio_one_by_one() -> None:
    old = at(istio="1.28.3")
    first = with_region(old, "us", lambda _: {"versions": RegionVersions(istio="1.29.1")})
    assert against(order.CHECK, changes(), of=first, before=old) == []
    assert against(order.CHECK, changes(), of=at(istio="1.29.1"), before=first) == []


def test_of_what_is_new_no_order_is_asked() -> None:
    assert against(order.CHECK, changes(), of=at(kubernetes="1.37.1", metallb="0.16.1")) == []


def test_every_fact_is_of_a_known_program_and_says_how_it_was_seen() -> None:
    known = facts()
    for fact in (*known.first, *known.one_way):
        assert fact.program in releases.NAMES and fact.why and fact.source
    assert all(fact.other in releases.NAMES for fact in known.first)


@pytest.mark.parametrize("text", ["[[frist]]", "[[first]]\nprogram = 1", "["])
def test_a_malformed_file_is_named(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "order.toml").write_text(text)
    monkeypatch.setattr(releases, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"order\.toml"):
        facts()
