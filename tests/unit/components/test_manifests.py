"""The lab's manifests and chart values against the recorded ones.

`UPDATE_GOLDEN=1 python -m pytest tests/unit/components` records them anew; look at the difference then.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Address

import pytest
import yaml

from components.manifests import applications, exposure, mesh, namespaces, network
from releases import default, release
from stacks.model import AddressRange, ApplicationSpec, NamespaceSpec
from tests.unit.components import support

GOLDEN = support.ROOT / "tests" / "golden" / "components"

WEB = {
    "namespace": "shop",
    "image": "registry.example.test/web@sha256:" + "0" * 64,
    "imagePullSecret": "registryLogin",
    "environment": {"DB_HOST": "db.example.test", "DB_PASSWORD": {"secret": "dbPassword"}},
    "files": {"/etc/web/tls.key": {"secret": "webKey"}},
    "writable": ["/var/cache/web", "/run"],
    "runAsUser": 101,
    "port": 80,
}


def _documents(environment):
    """File name → documents of what the reference environment gives its first region."""
    region = environment.regions["eu"]
    istiod = mesh.istiod_values(
        environment.mesh,
        region="eu",
        network=region.mesh_network,
        image=release("istio", environment.versions.istio).images["pilot"],
        replicas=1,
    )
    certificates = {"certificate": "CERT", "private_key": "KEY", "root_certificate": "ROOT", "chain": "CHAIN"}
    return {
        "namespaces": [
            namespaces.istio_system(region.mesh_network),
            namespaces.istio_ingress(),
            *(namespaces.application(name, spec) for name, spec in sorted(environment.namespaces.items())),
        ],
        "istiod-values": [istiod],
        "gateway-values": [
            mesh.gateway_values(replicas=1, ports=(443, 15021), addresses=["192.0.2.200"]),
            mesh.gateway_values(replicas=2, ports=(80, 443, 15021)),
            mesh.gateway_values(
                replicas=2, ports=(443, 15021), addresses=["192.0.2.151", "198.51.100.118"], of_nodes=True
            ),
        ],
        "redirected": exposure.redirected({"www.example.test", "*.example.test"}),
        "mesh": [
            mesh.certificate_authority(**certificates),
            mesh.remote_secret("us", "KUBECONFIG"),
            *mesh.configuration_reader("default"),
            mesh.peer_authentication("istio-system", "STRICT"),
            mesh.locality_failover("greencompute"),
            mesh.ingress_class(),
        ],
        "load-balancer": [
            *network.release(
                support.metallb(default("metallb")),
                images=release("metallb", default("metallb")).images,
                ca_bundle="BUNDLE",
                certificate="CERT",
                private_key="KEY",
                ca_certificate="CA",
            ),
            network.address_pool(
                AddressRange(first=IPv4Address("192.0.2.200"), last=IPv4Address("192.0.2.219"))
            ),
            network.advertisement("L2Advertisement"),
            network.advertisement("BGPAdvertisement"),
            network.bgp_peer(65200),
        ],
        "network": [
            network.slices(
                "eu", "172.30.0.0/20", "172.31.0.0/20", {"b": "172.30.1.0/24", "a": "172.30.0.0/24"}
            )
        ],
        "applications": [
            manifest
            for name, spec in sorted(environment.applications.items())
            for manifest in applications.objects(name, spec, region="eu")
        ],
        "application-with-secrets": applications.objects(
            "web",
            ApplicationSpec.model_validate(WEB),
            region="eu",
            secrets={"DB_PASSWORD": "SECRET", "0.8e2b1c5a.tls.key": "KEY"},
            digest="DIGEST",
            pull_config="CONFIG",
        ),
        "ingresses": [
            document
            for name, spec in sorted(environment.ingresses.items())
            for document in (
                exposure.tls_secret(f"{name}-tls", chain="CHAIN", private_key="KEY"),
                exposure.ingress(name, spec, environment.applications),
            )
        ],
    }


@pytest.mark.parametrize("name", sorted(_documents(support.reference_stack().environment)))
def test_manifests_are_the_recorded_ones(name, stack):
    text = yaml.safe_dump_all(_documents(stack.environment)[name], sort_keys=False, width=110)
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs; if that is meant, record it with UPDATE_GOLDEN=1"


def test_more_than_one_replica_gets_a_disruption_budget(stack):
    spec = stack.environment.applications["asset-mgr-ms-svc"].model_copy(update={"replicas": 3})
    kinds = [manifest["kind"] for manifest in applications.objects("asset-mgr-ms-svc", spec, region="eu")]
    assert kinds == ["ServiceAccount", "Service", "Deployment", "PodDisruptionBudget"]


def test_a_declared_variable_wins_over_the_given_one(stack):
    spec = stack.environment.applications["asset-mgr-ms-svc"].model_copy(
        update={"environment": {"REGION_NAME": "elsewhere"}}
    )
    container = applications.deployment("x", spec, region="eu")["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "REGION_NAME", "value": "elsewhere"} in container["env"]


def test_the_account_default_of_a_namespace_may_give_no_token() -> None:
    made = namespaces.default_account("shop")
    assert made["metadata"]["name"] == "default" and made["metadata"]["namespace"] == "shop"
    assert made["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("spec", "enforced", "watched"),
    [
        (NamespaceSpec(), "privileged", "restricted"),
        (NamespaceSpec(pod_security="privileged"), "privileged", "privileged"),
        (NamespaceSpec(injection=False), "restricted", "restricted"),
        (NamespaceSpec(injection=False, pod_security="baseline"), "baseline", "baseline"),
    ],
)
def test_pod_security_admits_sidecars_and_watches_the_rest(spec, enforced, watched):
    labels = namespaces.application("n", spec)["metadata"]["labels"]
    levels = [labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")]
    assert levels == [enforced, watched, watched]


def test_a_named_revision_is_that_of_istiod_its_webhooks_and_the_tag_default(stack):
    canary = stack.environment.mesh.model_copy(update={"revision": "canary"})
    image = release("istio", default("istio")).images["pilot"]
    values = mesh.istiod_values(canary, region="eu", network="flat", image=image, replicas=2)
    assert (values["revision"], values["revisionTags"]) == ("canary", ["default"])
    assert mesh.base_values(canary) == {"defaultRevision": "canary"}
    assert mesh.base_values(stack.environment.mesh) == {}
    role, _ = mesh.configuration_reader("canary")
    assert role["rules"][0]["resourceNames"] == ["istio-canary"]


def test_workloads_that_are_taken_for_those_of_no_trust_domain_are_known_by_the_mesh_s_own(stack):
    """istiod 1.29 does so with another cluster's where it has not read that cluster's configuration yet."""
    image = release("istio", default("istio")).images["pilot"]
    values = mesh.istiod_values(stack.environment.mesh, region="eu", network="flat", image=image, replicas=2)
    assert values["meshConfig"]["trustDomainAliases"] == [stack.environment.mesh.trust_domain]


def test_official_proxies_keep_istio_s_own_filters(stack):
    official = stack.environment.mesh.model_copy(update={"stock_envoy": False})
    values = mesh.istiod_values(
        official, region="eu", network="flat", image="docker.io/istio/pilot:1.28.3", replicas=2
    )
    assert values["telemetry"] == {"enabled": True}
    assert not [name for name in values["env"] if name.startswith("PILOT_")]


def test_a_released_object_is_adapted_in_a_copy():
    released = support.metallb(default("metallb"))
    images = release("metallb", default("metallb")).images
    network.release(
        released, images=images, ca_bundle="B", certificate="C", private_key="K", ca_certificate="A"
    )
    assert released == support.metallb(default("metallb"))
