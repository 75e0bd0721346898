"""Claim 2: mTLS between services, one trust domain, one root, an intermediate of its own per cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from live.certificates import chain_problem, fingerprint, spiffe_ids
from live.checks import trust
from live.doctor.model import Watch
from live.doctor.parts import mesh_pods
from live.doctor.platform import Platform
from live.doctor.probes import Probes
from tests.lab.conftest import BroughtUp

SERVICE = "http://asset-mgr-ms-svc.greencompute.svc.cluster.local:8080/assetmgrms"


@pytest.fixture(scope="module")
def opened(platform: BroughtUp) -> Iterator[Platform]:
    with platform.site.clusters() as clusters:
        yield Platform(platform.site.declaration(), platform.outputs, clusters)


@pytest.fixture(scope="module")
def probes(opened: Platform) -> Iterator[dict[str, Probes]]:
    image = opened.stack.environment.probe_image
    made = {region: Probes(cluster, image) for region, cluster in opened.clusters.items()}
    yield made
    for probe in made.values():
        probe.remove()


@pytest.mark.parametrize("region", ["eu", "us"])
def test_plain_text_is_refused_from_outside_the_mesh_and_answered_inside(
    probes: dict[str, Probes], region: str
) -> None:
    """Claim 2: a plain-text request from an un-injected pod is refused, the same one from an injected pod
    answered.
    """
    refused = probes[region].ready("outside", Watch(90)).get(SERVICE)
    assert refused.closed, refused
    answered = probes[region].ready("inside", Watch(90)).get(SERVICE)
    assert answered.status == 200, answered
    assert '"service":"asset-mgr-ms-svc"' in answered.body


@pytest.mark.parametrize("region", ["eu", "us"])
def test_the_called_service_saw_the_caller_s_identity(probes: dict[str, Probes], region: str) -> None:
    """Claim 2: the requests are mTLS: the receiving sidecar verified a SPIFFE identity."""
    answered = probes[region].ready("inside", Watch(90)).get(SERVICE)
    assert "spiffe://lab.crossmesh.test/ns/crossmesh-doctor/sa/default" in answered.body, answered


def test_identities_are_of_one_trust_domain_and_one_root_and_intermediates_differ(opened: Platform) -> None:
    """Claim 2: SPIFFE identities under one trust domain and one root; each cluster's intermediate differs."""
    roots: set[str] = set()
    issuers: dict[str, set[str]] = {}
    for region in opened.regions:
        pods = mesh_pods(opened, region)
        assert len(pods) >= 3
        for pod in pods:
            chain, trusted = trust.read_workload_chain(
                opened.clusters[region], pod.metadata.namespace, pod.metadata.name
            )
            expected = f"spiffe://lab.crossmesh.test/ns/greencompute/sa/{pod.spec.service_account_name}"
            assert spiffe_ids(chain[0]) == [expected]
            assert len(trusted) == 1
            assert chain_problem(chain, trusted[0]) == ""
            roots.add(fingerprint(trusted[0]))
            issuers.setdefault(region, set()).add(fingerprint(chain[1]))
    assert len(roots) == 1
    assert all(len(found) == 1 for found in issuers.values())
    assert len(set.union(*issuers.values())) == len(opened.regions)


def test_the_root_s_private_key_is_in_no_cluster(opened: Platform) -> None:
    """Claim 2: a cluster that is taken over gives away its own intermediate and nothing above it."""
    for cluster in opened.clusters.values():
        secret = cluster.core.read_namespaced_secret("cacerts", "istio-system", _request_timeout=10)
        assert sorted(secret.data) == ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"]
        assert not any("root-key" in name for name in secret.data)
