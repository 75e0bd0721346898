"""Versions move one minor at a time and never back; API versions are served."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import releases
from components.manifests import Manifest, named
from components.tokens import BARE_METAL_CLUSTER
from gate.rules.change import api_versions, versions
from report.model import Finding, Resource, Severity, Status
from stacks.load import Stack
from stacks.model import RegionVersions, UnlistedPair
from tests.unit.gate.rules.support import (
    against,
    at,
    below,
    changes,
    creation,
    deletion,
    host_phase,
    kubernetes,
    provider_of,
    region,
    stack,
    update,
    with_environment,
    with_region,
)


@pytest.mark.parametrize(
    ("part", "old", "count"),
    [
        ("kubernetes", "1.34.3", 0),
        ("kubernetes", "1.34.1", 0),
        ("kubernetes", "1.33.9", 0),
        ("kubernetes", "1.32.9", 1),
        ("kubernetes", "1.34.4", 1),
        ("kubernetes", "1.35.0", 1),
        ("istio", "1.27.0", 0),
        ("istio", "1.26.0", 1),
        ("istio", "1.29.0", 1),
        ("istio", "1.28.10", 1),
    ],
)
def test_one_minor_version_at_a_time_and_never_back(part: str, old: str, count: int) -> None:
    new = {"kubernetes": "1.34.3", "istio": "1.28.3"}
    before = at(**{**new, part: old})
    assert len(against(versions.CHECK, changes(), of=at(**new), before=before)) == count


CLUSTER = below(region("eu"), BARE_METAL_CLUSTER, "eu", {}, region="eu", custom=False)


def control_plane(version: str) -> Resource:
    return host_phase(CLUSTER, "eu-cp-1", "control-plane", control_plane_kubernetes_version=version)


def istiod(tag: str) -> Manifest:
    pod = {"containers": [{"name": "discovery", "image": f"docker.io/istio/pilot:{tag}"}]}
    return named(
        "apps/v1",
        "Deployment",
        "istiod-canary",
        "istio-system",
        labels={"app": "istiod"},
        spec={"template": {"spec": pod}},
    )


@pytest.mark.parametrize(("old", "count"), [("1.33.0", 0), ("1.32.0", 1)])
def test_what_runs_counts_more_than_what_was_declared(old: str, count: int) -> None:
    found = changes(update(control_plane(old), control_plane("1.34.3")), same=[region("eu")])
    new = at(kubernetes="1.34.3")
    assert len(against(versions.CHECK, found, of=new, before=new)) == count


@pytest.mark.parametrize(("old", "count"), [("1.27.5", 0), ("1.26.5", 1)])
def test_istio_is_known_by_its_image(old: str, count: int) -> None:
    found = changes(update(kubernetes(istiod(old)), kubernetes(istiod("1.28.3"))))
    new = at(kubernetes="1.34.3", istio="1.28.3")
    assert len(against(versions.CHECK, found, of=new)) == count


@pytest.mark.parametrize(("kubelet", "count"), [("1.34.3-*", 0), ("1.33.0-*", 0), ("1.35.0-*", 1)])
def test_no_kubelet_is_newer_than_its_api_server(kubelet: str, count: int) -> None:
    worker = host_phase(CLUSTER, "eu-worker-1", "prepare", base_pins={"kubelet": kubelet})
    found = against(versions.CHECK, changes(creation(worker), same=[region("eu"), control_plane("1.34.3")]))
    assert len(found) == count


@pytest.mark.parametrize(
    ("kubernetes_version", "count"), [("1.34.3", 0), ("1.30.0", 0), ("1.35.0", 1), ("1.36.0", 2)]
)
def test_istio_and_metallb_run_on_certain_versions_of_kubernetes(kubernetes_version: str, count: int) -> None:
    new = at(kubernetes=kubernetes_version, istio="1.28.3", metallb="0.15.2", containerd="2.4.2")
    assert len(against(versions.CHECK, changes(), of=new)) == count


def test_a_distribution_with_an_early_containerd_is_a_warning_for_a_new_kubernetes_1_36() -> None:
    def found(before: Stack | None = None, **more: str) -> list[Finding]:
        new = at(kubernetes="1.36.3", metallb="0.16.1", **more)
        said = against(versions.CHECK, changes(), of=new, before=before)
        return [finding for finding in said if "containerd" in finding.message]

    (warning,) = found()
    assert warning.severity is Severity.WARNING
    assert warning.message.startswith("containerd is the distribution's, 1.6.20 by its sources: Kubernetes 1")
    assert warning.declared == ("versions", "containerd")
    assert found(containerd="2.4.2") == []
    assert found(at(kubernetes="1.35.3")) == [], "of that step the order between releases speaks"


def test_a_containerd_that_its_kubernetes_is_not_made_for_is_refused() -> None:
    (found,) = against(versions.CHECK, changes(), of=at(containerd="2.0.9"))
    assert (
        found.message
        == "Kubernetes 1.35.3 with containerd 2.0.9: Kubernetes 1.35 runs on containerd "
        + str(releases.release("kubernetes", "1.35.3").runs_on["containerd"])
    )


@pytest.mark.parametrize(
    ("bundle", "count"),
    [("v1.4.0", 0), ("v1.4.1", 0), ("v1.5.1", 1), ("v1.3.0-rc.1", 1), ("main", 0), (None, 0)],
)
def test_definitions_of_the_gateway_api_that_istio_is_not_made_with_are_a_warning(
    bundle: str | None, count: int
) -> None:
    annotations = {"gateway.networking.k8s.io/bundle-version": bundle} if bundle else None
    brought = [
        named(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            f"{kind}.gateway.networking.k8s.io",
            annotations=annotations,
        )
        for kind in ("gateways", "httproutes")
    ]
    found = against(versions.CHECK, changes(*(creation(kubernetes(manifest)) for manifest in brought)))
    assert [finding.severity for finding in found] == [Severity.WARNING] * count
    for finding in found:
        assert finding.message.startswith(
            f"eu: Gateway API {str(bundle).strip('v').partition('-')[0]} with Istio"
        )
        assert finding.fix == "bring definitions of 1.4"
        assert finding.declared == ("versions", "istio")


def adopted(version: str | None) -> Stack:
    """The example of production, with that version of its adopted cluster."""
    found = stack("production")
    (name,) = (name for name, spec in found.environment.regions.items() if spec.cluster.kind == "adopted")
    cluster = found.environment.regions[name].cluster.model_copy(update={"kubernetes_version": version})
    return with_region(found, name, lambda _: {"cluster": cluster})


@pytest.mark.parametrize(("version", "count"), [("1.33", 0), ("1.31.2", 0), ("1.36", 1), ("1.29", 1)])
def test_an_adopted_cluster_is_judged_by_its_own_version(version: str, count: int) -> None:
    found = against(versions.CHECK, changes(), of=adopted(version))
    assert len(found) == count
    istio = releases.release("istio", releases.default("istio")).name
    assert all(each.message.startswith(f"cloud: {istio} with Kubernetes {version}") for each in found)


def test_what_an_adopted_cluster_runs_that_nobody_declares_is_not_known() -> None:
    (found,) = against(versions.CHECK, changes(), of=adopted(None))
    assert found.status is Status.NOT_MEASURABLE
    assert "cloud" in found.message
    budget = kubernetes(named("policy/v1beta1", "PodDisruptionBudget", "x", "shop"), "cloud")
    (found,) = against(api_versions.CHECK, changes(creation(budget)), of=adopted(None))
    assert found.status is Status.NOT_MEASURABLE
    assert "cloud" in found.message


def test_an_adopted_cluster_serves_what_its_own_version_has() -> None:
    claim = changes(
        creation(kubernetes(named("resource.k8s.io/v1beta1", "ResourceClaim", "x", "shop"), "cloud"))
    )
    assert against(api_versions.CHECK, claim, of=adopted("1.33")) == []
    (found,) = against(api_versions.CHECK, claim, of=adopted("1.35"))
    assert found.severity is Severity.WARNING, "its owner may have had the API server told to serve it"
    assert "--runtime-config" in found.message
    (found,) = against(api_versions.CHECK, claim, of=adopted("1.38"))
    assert found.severity is Severity.ERROR


def test_an_adopted_cluster_does_not_serve_what_comes_with_a_later_version() -> None:
    new = creation(kubernetes(named("resource.k8s.io/v1", "ResourceClaim", "x", "shop"), "cloud"))
    (found,) = against(api_versions.CHECK, changes(new), of=adopted("1.33"))
    assert found.message == (
        "resource.k8s.io/v1 ResourceClaim is not served by Kubernetes 1.33: it comes with 1.34"
    )
    assert found.fix == "leave it out until the cluster has Kubernetes 1.34"
    assert found.declared == ("regions", "cloud", "cluster", "kubernetesVersion")


def test_of_an_adopted_cluster_without_a_version_nothing_is_missed_that_all_serve() -> None:
    for api_version, kind in (("apps/v1", "Deployment"), ("example.com/v1", "Shop")):
        new = creation(kubernetes(named(api_version, kind, "x", "shop"), "cloud"))
        assert against(api_versions.CHECK, changes(new), of=adopted(None)) == []


def test_a_region_that_goes_first_is_judged_alone() -> None:
    def first(version: str) -> Stack:
        own = RegionVersions(kubernetes=version)
        return with_region(stack(), "us", lambda _: {"versions": own})

    assert against(versions.CHECK, changes(), of=first("1.35.4"), before=stack()) == []
    had = releases.default("kubernetes")
    (found,) = against(versions.CHECK, changes(), of=first("1.35.1"), before=stack())
    assert found.message == f"us: Kubernetes goes back from {had} to 1.35.1, which is not supported"
    assert found.declared == ("regions", "us", "versions", "kubernetes")


@pytest.mark.parametrize(
    ("api_version", "kind", "severity"),
    [
        ("policy/v1", "PodDisruptionBudget", None),
        ("policy/v1beta1", "PodDisruptionBudget", Severity.ERROR),
        ("apps/v1", "Deployment", None),
        ("extensions/v1beta1", "Ingress", Severity.ERROR),
        ("networking.k8s.io/v1", "Ingress", None),
        ("v1", "Endpoints", Severity.WARNING),
        ("v1", "Service", None),
        # Betas are off by default.
        ("networking.k8s.io/v1beta1", "ServiceCIDR", Severity.ERROR),
        ("resource.k8s.io/v1beta1", "ResourceClaim", Severity.ERROR),
        ("admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy", Severity.ERROR),
        ("policy/v1beta1", "PodSecurityPolicy", Severity.ERROR),
        ("admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicy", Severity.ERROR),
    ],
)
def test_what_is_gone_is_an_error_and_what_will_go_a_warning(
    api_version: str, kind: str, severity: Severity | None
) -> None:
    found = against(api_versions.CHECK, changes(creation(kubernetes(named(api_version, kind, "x", "shop")))))
    assert [each.severity for each in found] == ([severity] if severity else [])


def test_what_the_target_of_an_upgrade_no_longer_serves_is_said_at_the_version_and_mended_before() -> None:
    """The object stays as it is: nothing else in the change is about it."""
    old = kubernetes(named("networking.k8s.io/v1beta1", "ServiceCIDR", "x", "shop"), "cloud")
    kept = replace(old, declared=("applications", "shop"))
    (found,) = against(api_versions.CHECK, changes(same=[kept]), of=adopted("1.37"), before=adopted("1.36"))
    assert found.message == (
        "networking.k8s.io/v1beta1 ServiceCIDR is not served by Kubernetes 1.37: it ended with 1.37; "
        "networking.k8s.io/v1 ServiceCIDR takes its place; it is there, and Kubernetes 1.36 serves it"
    )
    assert found.fix == "write it as networking.k8s.io/v1 ServiceCIDR, in a change before this one"
    assert found.declared == ("regions", "cloud", "cluster", "kubernetesVersion")
    assert found.urn == kept.urn


@pytest.mark.parametrize(
    ("api_version", "kind", "versions", "fix"),
    [
        # What takes its place comes with the upgrade.
        (
            "certificates.k8s.io/v1alpha1",
            "ClusterTrustBundle",
            ("1.36", "1.37"),
            "take it out in a change before this one, and write it as "
            "certificates.k8s.io/v1 ClusterTrustBundle after it",
        ),
        (
            "storagemigration.k8s.io/v1alpha1",
            "StorageVersionMigration",
            ("1.34", "1.35"),
            "take it out in a change before this one",
        ),
        (
            "admissionregistration.k8s.io/v1beta1",
            "ValidatingAdmissionPolicy",
            ("1.33", "1.34"),
            "write it as admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy, in a change before "
            "this one",
        ),
    ],
)
def test_what_can_be_done_before_an_upgrade_is_what_the_earlier_version_serves(
    api_version: str, kind: str, versions: tuple[str, str], fix: str
) -> None:
    kept = kubernetes(named(api_version, kind, "x"), "cloud")
    old, new = versions
    (found,) = against(api_versions.CHECK, changes(same=[kept]), of=adopted(new), before=adopted(old))
    assert found.fix == fix


def test_what_is_new_in_a_change_is_said_where_it_is_declared() -> None:
    new = replace(
        kubernetes(named("policy/v1beta1", "PodDisruptionBudget", "x", "shop")),
        declared=("applications", "shop"),
    )
    (found,) = against(api_versions.CHECK, changes(creation(new)), before=at(kubernetes="1.33.3"))
    assert (found.declared, found.fix) == ((), "write it as policy/v1 PodDisruptionBudget")


def test_who_brings_objects_of_their_own_is_told_by_the_cluster_of_their_provider() -> None:
    """They are no part of a region; their provider is."""
    urn = provider_of("us")
    provider = Resource(urn, "pulumi:providers:kubernetes", "us.kubernetes", {}, region="us")
    own = kubernetes(named("policy/v1beta1", "PodDisruptionBudget", "x", "shop"), "us")
    (found,) = against(api_versions.CHECK, changes(creation(replace(own, region="")), same=[provider]))
    served = releases.minor(releases.default("kubernetes"))
    assert f"is not served by Kubernetes {served}" in found.message
    assert found.declared == ("versions", "kubernetes")


@pytest.mark.parametrize(
    ("api_version", "kind", "severity"),
    [
        ("scheduling.k8s.io/v1beta1", "PriorityClass", Severity.ERROR),
        ("scheduling.k8s.io/v1beta1", "PodGroup", Severity.WARNING),
        ("storagemigration.k8s.io/v1beta1", "StorageVersionMigration", Severity.WARNING),
        ("storagemigration.k8s.io/v1alpha1", "StorageVersionMigration", Severity.ERROR),
        ("certificates.k8s.io/v1beta1", "PodCertificateRequest", Severity.WARNING),
        ("resource.k8s.io/v1beta2", "DeviceTaintRule", Severity.WARNING),
        ("resource.k8s.io/v1", "DeviceTaintRule", None),
        ("resource.k8s.io/v1beta2", "ResourceClaim", Severity.WARNING),
    ],
)
def test_a_group_s_new_kinds_do_not_end_with_those_that_left_it(
    api_version: str, kind: str, severity: Severity | None
) -> None:
    found = changes(creation(kubernetes(named(api_version, kind, "x", "shop"), "cloud")))
    told = against(api_versions.CHECK, found, of=adopted("1.37.1"))
    assert [each.severity for each in told] == ([severity] if severity else [])


def definition(**version: Any) -> Manifest:
    spec = {
        "group": "example.com",
        "names": {"kind": "Shop"},
        "versions": [{"name": "v1", "served": True, **version}],
    }
    return named("apiextensions.k8s.io/v1", "CustomResourceDefinition", "shops.example.com", spec=spec)


@pytest.mark.parametrize(
    ("version", "severity"),
    [({}, None), ({"served": False}, Severity.ERROR), ({"deprecated": True}, Severity.WARNING)],
)
def test_definitions_say_it_of_custom_resources(version: dict[str, Any], severity: Severity | None) -> None:
    shop = kubernetes(named("example.com/v1", "Shop", "x", "shop"))
    found = against(api_versions.CHECK, changes(creation(kubernetes(definition(**version))), creation(shop)))
    assert [each.severity for each in found] == ([severity] if severity else [])
    other = kubernetes(named("example.com/v1", "Shop", "x", "shop"), "us")
    assert (
        against(api_versions.CHECK, changes(creation(kubernetes(definition(**version))), creation(other)))
        == []
    )


def test_a_version_that_a_definition_has_not_is_not_served() -> None:
    """As when a release of a program drops one, and who brings objects of it has not followed."""
    shop = kubernetes(named("example.com/v1alpha1", "Shop", "x", "shop"))
    (found,) = against(api_versions.CHECK, changes(creation(kubernetes(definition())), creation(shop)))
    assert found.severity is Severity.ERROR
    assert found.message == "example.com/v1alpha1 Shop is not served, its definition has v1"
    assert found.fix == "write it as example.com/v1 Shop"


def test_what_goes_may_be_of_any_version() -> None:
    old = kubernetes(named("policy/v1beta1", "PodDisruptionBudget", "x", "shop"))
    assert against(api_versions.CHECK, changes(deletion(old))) == []


@pytest.mark.parametrize(
    ("old", "new", "fix"),
    [
        (
            "1.34.3",
            "1.36.3",
            "go to the next minor version of 1.34.3 first, which is 1.35.3, in a change of its own",
        ),
        ("1.30.0", "1.34.3", "go to the next minor version of 1.30.0 first, in a change of its own"),
        ("1.35.3", "1.34.9", "keep 1.35.3, or go on to a later one"),
    ],
)
def test_a_wrong_step_says_which_one_is_right(old: str, new: str, fix: str) -> None:
    others = {"istio": "1.29.1", "metallb": "0.16.1"}
    found = against(
        versions.CHECK,
        changes(),
        of=at(kubernetes=new, **others),
        before=at(kubernetes=old, **others),
    )
    assert fix in [finding.fix for finding in found]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("distribution", "2.4.2", ""),
        ("2.3.4", "2.4.2", ""),
        ("2.4.2", "2.4.2", ""),
        ("2.4.2", "2.3.4", "containerd goes back from 2.4.2 to 2.3.4"),
        ("2.4.2", "distribution", "containerd goes back from 2.4.2 to the distribution's"),
        ("2.2.1", "2.4.2", "containerd goes from 2.2.1 to 2.4.2: minor versions may not be left out"),
    ],
)
def test_containerd_goes_on_and_never_back(old: str, new: str, words: str) -> None:
    def declared(version: str) -> Stack:
        return at(containerd=version) if version != "distribution" else at()

    found = against(versions.CHECK, changes(), of=declared(new), before=declared(old))
    said = [finding.message for finding in found if "containerd goes" in finding.message]
    assert [words in one for one in said] == ([True] if words else [])


def test_containerd_and_kubernetes_go_one_after_the_other() -> None:
    before = at(kubernetes="1.34.9")
    (found,) = against(
        versions.CHECK, changes(), of=at(kubernetes="1.35.3", containerd="2.4.2"), before=before
    )
    assert "containerd and Kubernetes both change" in found.message
    assert "containerd first" in found.fix


def test_a_pair_that_an_operator_took_upon_himself_is_a_warning_at_its_entry() -> None:
    new = at(istio="1.29.1", kubernetes="1.36.3", containerd="2.4.2")
    pair = UnlistedPair(istio="1.29.1", kubernetes="1.36.3")
    taken = with_environment(new, lambda _: {"unlisted_pairs": (pair,)})
    (refused,) = against(versions.CHECK, changes(), of=new)
    assert refused.severity is Severity.ERROR
    (found,) = against(versions.CHECK, changes(), of=taken)
    assert found.severity is Severity.WARNING
    assert found.declared == ("unlistedPairs", "0")
    assert found.message.startswith(
        "Istio 1.29.1 with Kubernetes 1.36.3 is taken upon yourself: Istio 1.29 runs on"
    )
    assert "istio.io, Supported Releases" in found.message
    assert "not run here" in found.message
    assert "crossmesh rehearse up" in found.fix
    assert "go on to Istio 1.30.4, which lists it" in found.fix


def test_of_a_pair_that_no_release_lists_none_is_named() -> None:
    pair = UnlistedPair(istio="1.29.1", kubernetes="1.37.1")
    new = at(istio="1.29.1", kubernetes="1.37.1", containerd="2.4.2")
    taken = with_environment(new, lambda _: {"unlisted_pairs": (pair,)})
    (found,) = against(versions.CHECK, changes(), of=taken)
    assert "go on to" not in found.fix
