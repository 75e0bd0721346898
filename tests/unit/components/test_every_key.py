"""Every key of the declaration does something: changing it changes what is built, or what one reader does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from live.checks.backups import wanted
from live.checks.names import delegated
from live.doctor.probes import job
from playbooks.inventory import ansible_inventory, host_plans
from runbooks.etcd.backup import settings
from stacks.introspect import models_in
from stacks.ledger import Ledger, assign
from stacks.load import Stack
from stacks.model import Environment, Model
from tests.unit.components import support
from tests.unit.components.declared import built, changed, compared, declaration, plain, secrets_of, stack_of

EU, CLOUD = "regions.eu", "regions.cloud.cluster"
HOSTED = "regions.hosted.cluster.nodes.hosted-worker-1"
WORKER, EDGE = f"{EU}.cluster.nodes.eu-worker-1", f"{EU}.edges.eu-edge-1"
ADOPTED = {"kind": "adopted", "kubeconfigSecret": "x", "podCidr": "10.8.0.0/20", "serviceCidr": "10.9.0.0/20"}
MADE = {"kind": "bareMetal", "nodes": {"cp-1": {"address": "10.20.0.11", "role": "control-plane"}}}
SWAPPED = {
    "eu-cp-1": {"address": "192.0.2.11", "role": "worker", "profile": "small", "zone": "a"},
    "eu-worker-1": {"address": "192.0.2.12", "role": "worker", "profile": "small", "zone": "a"},
    "eu-worker-2": {"address": "192.0.2.14", "role": "control-plane"},
}
CHANGES: dict[str, tuple[str, Any]] = {
    "Environment.domain": ("domain", "example.org"),
    "Environment.domains": ("domains", ["example.net"]),
    "Environment.probe_image": ("probeImage", "registry.example.test/tools:2"),
    "AddressPools.pod_pool": ("addresses.podPool", "172.28.0.0/16"),
    "AddressPools.service_pool": ("addresses.servicePool", "172.29.0.0/16"),
    "AddressPools.pod_prefix_cluster": ("addresses.podPrefixCluster", 21),
    "AddressPools.pod_prefix_node": ("addresses.podPrefixNode", 25),
    "AddressPools.service_prefix_cluster": ("addresses.servicePrefixCluster", 21),
    "Backups.destination": ("backups.destination", "s3://ours/etcd"),
    "Backups.keep": ("backups.keep", 7),
    "Backups.days": ("backups.days", 90),
    "Backups.max_age_hours": ("backups.maxAgeHours", 8),
    "Versions.kubernetes": ("versions.kubernetes", "1.35.4"),
    "Versions.istio": ("versions.istio", "1.29.2"),
    "Versions.metallb": ("versions.metallb", "0.16.2"),
    "Versions.containerd": ("versions.containerd", "2.4.2"),
    "UnlistedPair.istio": ("unlistedPairs.0.istio", "1.30.4"),
    "UnlistedPair.kubernetes": ("unlistedPairs.0.kubernetes", "1.37.1"),
    "AptSource.name": ("sources.apt.0.name", "other"),
    "AptSource.uri": ("sources.apt.0.uri", "http://192.0.2.3/apt"),
    "AptSource.suite": ("sources.apt.0.suite", "trixie"),
    "AptSource.components": ("sources.apt.0.components", ["main", "contrib"]),
    "AptSource.distribution": ("sources.apt.0.distribution", "debian-13"),
    "AptSource.signed_by": ("sources.apt.0.signedBy", "/keys/other"),
    "ImageBundles.base_url": ("sources.images.baseUrl", "http://192.0.2.3/images"),
    "ImageBundles.signed_by": ("sources.images.signedBy", "/keys/other"),
    "ImageBundles.bundles": ("sources.images.bundles", ["shop", "tools"]),
    "Proxy.http": ("sources.proxy.http", "http://proxy.example.test:8080"),
    "Proxy.https": ("sources.proxy.https", "http://proxy.example.test:8080"),
    "Proxy.beside": ("sources.proxy.except", [".example.test"]),
    "Registry.name": ("sources.registries.0.name", "other.example.test"),
    "Registry.mirror": ("sources.registries.0.mirror", "https://other.example.test"),
    "Registry.login": ("sources.registries.0.login", "other"),
    "Registry.ca_file": ("sources.registries.0.caFile", "/keys/other"),
    "Ssh.user": ("ssh.user", "root"),
    "Ssh.port": ("ssh.port", 2222),
    "Ssh.private_key_file": ("ssh.privateKeyFile", "/keys/other"),
    "Ssh.known_hosts_file": ("ssh.knownHostsFile", "/keys/other"),
    "Ssh.hardened": ("ssh.hardened", True),
    "Ssh.become_password": ("ssh.becomePassword", "sudo"),
    "HostProfile.kubelet": ("hostProfiles.small.kubelet.maxPods", 60),
    "HostProfile.kube_proxy": ("hostProfiles.small.kubeProxy.conntrack.min", 1),
    "HostProfile.kubeadm_ignore_preflight": ("hostProfiles.small.kubeadmIgnorePreflight", []),
    "HostProfile.containerd_restrict_oom_score_adj": (
        "hostProfiles.small.containerdRestrictOomScoreAdj",
        False,
    ),
    "HostProfile.userspace_tunnels": ("hostProfiles.small.userspaceTunnels", True),
    "Tunnels.port": ("tunnels.port", 51821),
    "Tunnels.mtu": ("tunnels.mtu", 1380),
    "TunnelEnd.address": (f"{HOSTED}.tunnel.address", "203.0.113.99"),
    "TunnelEnd.port": (f"{HOSTED}.tunnel.port", 51822),
    "TunnelEnd.reachable": (f"{HOSTED}.tunnel.reachable", False),
    "TunnelEnd.keepalive": (f"{HOSTED}.tunnel.keepalive", 25),
    "RegionSpec.machine_network": ("regions.cloud.machineNetwork", "172.30.0.0/20"),
    "RegionSpec.mesh_network": (f"{EU}.meshNetwork", "other"),
    "RegionVersions.kubernetes": (f"{EU}.versions.kubernetes", "1.35.4"),
    "RegionVersions.istio": (f"{EU}.versions.istio", "1.29.2"),
    "RegionVersions.metallb": (f"{EU}.versions.metallb", "0.16.2"),
    "RegionVersions.containerd": (f"{EU}.versions.containerd", "2.4.2"),
    "Fabric.asn": (f"{EU}.fabric.asn", 64513),
    "FabricPeer.address": (f"{EU}.fabric.peers.0.address", "192.0.2.2"),
    "FabricPeer.asn": (f"{EU}.fabric.peers.0.asn", 64511),
    "RegionSpec.gateway_nodes": (f"{EU}.gatewayNodes", ["eu-worker-1"]),
    "AddressRange.first": (f"{EU}.loadBalancer.first", "192.0.2.41"),
    "AddressRange.last": (f"{EU}.loadBalancer.last", "192.0.2.50"),
    "BareMetalClusterSpec.kind": (f"{EU}.cluster", ADOPTED),
    "BareMetalClusterSpec.api_server_address": (f"{EU}.cluster.apiServerAddress", "192.0.2.20"),
    "BareMetalClusterSpec.api_server_names": (f"{EU}.cluster.apiServerNames", ["eu.example.test"]),
    "BareMetalClusterSpec.certificate_authorities": (f"{EU}.cluster.certificateAuthorities", [1, 2]),
    "BareMetalClusterSpec.encryption_keys": (f"{EU}.cluster.encryptionKeys", [1, 2]),
    "BareMetalClusterSpec.extend_tokens": (f"{EU}.cluster.extendTokens", False),
    "BareMetalClusterSpec.encryption_at_rest": (f"{EU}.cluster.encryptionAtRest", False),
    "Audit.enabled": (f"{EU}.cluster.audit.enabled", False),
    "Audit.policy_file": (f"{EU}.cluster.audit.policyFile", "/policies/audit.yaml"),
    "Audit.max_age": (f"{EU}.cluster.audit.maxAge", 90),
    "Audit.max_backup": (f"{EU}.cluster.audit.maxBackup", 5),
    "Audit.max_size": (f"{EU}.cluster.audit.maxSize", 50),
    "AdoptedClusterSpec.kind": (CLOUD, MADE),
    "AdoptedClusterSpec.kubeconfig_secret": (f"{CLOUD}.kubeconfigSecret", "other"),
    "AdoptedClusterSpec.api_server": (f"{CLOUD}.apiServer", "https://192.0.2.201:6443"),
    "AdoptedClusterSpec.kubernetes_version": (f"{CLOUD}.kubernetesVersion", "1.32"),
    "AdoptedClusterSpec.pod_cidr": (f"{CLOUD}.podCidr", "10.20.64.0/18"),
    "AdoptedClusterSpec.service_cidr": (f"{CLOUD}.serviceCidr", "10.22.0.0/20"),
    "BareMetalClusterSpec.max_unavailable": (f"{EU}.cluster.maxUnavailable", 2),
    "Node.address": (f"{WORKER}.address", "192.0.2.15"),
    "Node.profile": (f"{WORKER}.profile", "large"),
    "Node.role": (f"{EU}.cluster.nodes", SWAPPED),
    "Node.labels": (f"{WORKER}.labels", {"disk": "fast"}),
    "Taint.key": (f"{WORKER}.taints.0.key", "other"),
    "Taint.value": (f"{WORKER}.taints.0.value", "other"),
    "Taint.effect": (f"{WORKER}.taints.0.effect", "NoExecute"),
    "Node.workload": (f"{EU}.cluster.nodes.eu-cp-1.workload", True),
    "Node.zone": (f"{WORKER}.zone", "b"),
    "Host.address": (f"{EDGE}.address", "192.0.2.15"),
    "Login.user": (f"{EU}.ssh.user", "other"),
    "Login.port": (f"{EU}.ssh.port", 2222),
    "Login.private_key_file": (f"{EU}.ssh.privateKeyFile", "/keys/other"),
    "Login.become_password": (f"{EU}.ssh.becomePassword", "sudo"),
    "Login.direct": (f"{EU}.ssh.direct", True),
    "HostLogin.user": (f"{WORKER}.ssh.user", "other"),
    "HostLogin.port": (f"{EDGE}.ssh.port", 2222),
    "HostLogin.private_key_file": (f"{WORKER}.ssh.privateKeyFile", "/keys/other"),
    "HostLogin.become_password": (f"{WORKER}.ssh.becomePassword", "sudo"),
    "HostLogin.direct": (f"{EDGE}.ssh.direct", True),
    "HostLogin.address": (f"{EDGE}.ssh.address", "edge.example.test"),
    "JumpHost.address": ("ssh.jump.address", "192.0.2.99"),
    "JumpHost.user": ("ssh.jump.user", "other"),
    "JumpHost.port": ("ssh.jump.port", 2222),
    "JumpHost.private_key_file": ("ssh.jump.privateKeyFile", "/keys/jump"),
    "Host.replaceable_packages": (f"{EDGE}.replaceablePackages", ["bind9"]),
    "Host.accept": (f"{EDGE}.accept", ["ports"]),
    "Node.replaceable_packages": (f"{WORKER}.replaceablePackages", ["docker-ce"]),
    "Node.accept": (f"{WORKER}.accept", ["swap"]),
    "MeshSpec.id": ("mesh.id", "other"),
    "MeshSpec.trust_domain": ("mesh.trustDomain", "example.org"),
    "MeshSpec.revision": ("mesh.revision", "canary"),
    "MeshSpec.stock_envoy": ("mesh.stockEnvoy", True),
    "NamespaceSpec.injection": ("namespaces.shop.injection", False),
    "NamespaceSpec.default_account_token": ("namespaces.shop.defaultAccountToken", False),
    "NamespaceSpec.mtls": ("namespaces.shop.mtls", "PERMISSIVE"),
    "NamespaceSpec.pod_security": ("namespaces.back.podSecurity", "baseline"),
    "ApplicationSpec.namespace": ("applications.stock.namespace", "back"),
    "ApplicationSpec.image": ("applications.front.image", "registry.example.test/front:2"),
    "ApplicationSpec.port": ("applications.front.port", 8081),
    "ApplicationSpec.replicas": ("applications.front.replicas", 2),
    "ApplicationSpec.image_pull_secret": ("applications.front.imagePullSecret", "pull"),
    "ApplicationSpec.writable": ("applications.front.writable", ["/run"]),
    "ApplicationSpec.run_as_user": ("applications.front.runAsUser", 101),
    "ApplicationSpec.run_as_group": ("applications.front.runAsGroup", 101),
    "Secret.secret": ("applications.stock.environment.TOKEN.secret", "other"),
    "Secret.secure": ("applications.stock.environment.TOKEN", {"secure": "v1:x"}),
    "Requests.cpu": ("applications.front.resources.requests.cpu", "60m"),
    "Requests.memory": ("applications.front.resources.requests.memory", "65Mi"),
    "Limits.cpu": ("applications.front.resources.limits.cpu", "1"),
    "Limits.memory": ("applications.front.resources.limits.memory", "1Gi"),
    "ApplicationSpec.liveness_path": ("applications.front.livenessPath", "/live"),
    "ApplicationSpec.readiness_path": ("applications.front.readinessPath", "/ready"),
    "IngressSpec.namespace": ("ingresses.shop.namespace", "back"),
    "IngressSpec.public": ("ingresses.shop.public", "It asks for a login itself."),
    "IngressSpec.host": ("ingresses.shop.host", "other.example.test"),
    "IngressSpec.dns": ("ingresses.shop.dns", False),
    "IngressSpec.redirect_http": ("ingresses.shop.redirectHttp", True),
    "IngressPath.path": ("ingresses.shop.paths.0.path", "/basket"),
    "IngressPath.application": ("ingresses.shop.paths.0.application", "stock"),
    "Environment.gateway_api": ("gatewayApi", "owner"),
    "RouteSpec.namespace": ("routes.api.namespace", "back"),
    "RouteSpec.hosts": ("routes.api.hosts", ["apis.example.test"]),
    "RouteSpec.public": ("routes.api.public", "It asks for a login itself."),
    "RouteSpec.dns": ("routes.api.dns", False),
    "RouteSpec.redirect_http": ("routes.api.redirectHttp", True),
    "RouteRule.path": ("routes.api.rules.0.path", "/v2"),
    "RouteRule.path_type": ("routes.api.rules.3.pathType", "Exact"),
    "RouteRule.methods": ("routes.api.rules.0.methods", ["POST"]),
    "RouteRule.headers": ("routes.api.rules.0.headers", {"x-team": "two"}),
    "RouteRule.timeout": ("routes.api.rules.0.timeout", "1m30s"),
    "RouteBackend.application": ("routes.api.rules.0.backends.0.application", "stock"),
    "RouteBackend.service": ("routes.api.rules.0.backends.1.service", "other"),
    "RouteBackend.port": ("routes.api.rules.0.backends.1.port", 81),
    "RouteBackend.weight": ("routes.api.rules.0.backends.0.weight", 8),
    "RouteRedirect.host": ("routes.api.rules.1.redirect.host", "shop.example.test"),
    "RouteRedirect.path": ("routes.api.rules.2.redirect.path", "/v2"),
    "RouteRedirect.prefix": ("routes.api.rules.1.redirect.prefix", "/newer"),
    "RouteRedirect.status": ("routes.api.rules.1.redirect.status", 302),
    "RouteRewrite.host": ("routes.api.rules.0.rewrite.host", "older.example.test"),
    "RouteRewrite.path": ("routes.api.rules.3.rewrite.path", "/every"),
    "RouteRewrite.prefix": ("routes.api.rules.0.rewrite.prefix", "/api"),
    "HeaderChanges.set": ("routes.api.rules.0.requestHeaders.set", {"x-from": "edge"}),
    "HeaderChanges.add": ("routes.api.rules.0.requestHeaders.add", {"x-seen": "gateway"}),
    "HeaderChanges.remove": ("routes.api.rules.0.responseHeaders.remove", ["x-runtime"]),
    "CertificateSpec.hosts": ("certificates.apart.hosts", ["shop.example.test"]),
    "GivenParts.ca": ("certificates.apart.given.ca", "other.pem"),
    "GlobalLoadBalancerSpec.ttl": ("globalLoadBalancer.ttl", 6),
    "GlobalLoadBalancerSpec.geoip_database": ("globalLoadBalancer.geoipDatabase", "/srv/countries.mmdb"),
    "GlobalLoadBalancerSpec.delegated": ("globalLoadBalancer.delegated", True),
    "GlobalLoadBalancerSpec.drained": ("globalLoadBalancer.drained", ["hosted"]),
    "RoutingPolicy.weights": ("globalLoadBalancer.policy.weights", {"eu": 1, "hosted": 1, "cloud": 0}),
    "RoutingPolicy.failover": ("globalLoadBalancer.policy.failover", ["hosted"]),
    "GeographyPlace.prefixes": ("globalLoadBalancer.policy.geography.here.prefixes", ["10.2.0.0/16"]),
    "GeographyPlace.countries": ("globalLoadBalancer.policy.geography.here.countries", ["FR"]),
    "GeographyPlace.continents": ("globalLoadBalancer.policy.geography.here.continents", ["AF"]),
    "GeographyPlace.regions": ("globalLoadBalancer.policy.geography.here.regions", ["hosted"]),
    "GeographyPlace.failover": ("globalLoadBalancer.policy.geography.here.failover", ["hosted"]),
    "HealthCheck.interval": ("globalLoadBalancer.healthCheck.interval", 3),
    "HealthCheck.timeout": ("globalLoadBalancer.healthCheck.timeout", 2),
    "HealthCheck.down_threshold": ("globalLoadBalancer.healthCheck.downThreshold", 3),
    "HealthCheck.up_threshold": ("globalLoadBalancer.healthCheck.upThreshold", 3),
    "HealthCheck.hold_down": ("globalLoadBalancer.healthCheck.holdDown", 60),
    "HealthCheck.comeback": ("globalLoadBalancer.healthCheck.return", "automatic"),
    "HealthCheck.returned": ("globalLoadBalancer.healthCheck.returned", {"eu": 1}),
}
"""Of every key of the model (class and field): where it is in the declaration, and another value for it."""

ELSEWHERE = {
    "Environment.probe_image": "doctor",
    **dict.fromkeys(
        ("Backups.destination", "Backups.keep", "Backups.days", "Backups.max_age_hours"), "backups"
    ),
    "AddressPools.pod_prefix_cluster": "ledger",
    "AddressPools.pod_prefix_node": "ledger",
    "AddressPools.service_prefix_cluster": "ledger",
    "RegionSpec.machine_network": "ledger",
    **dict.fromkeys(("UnlistedPair.istio", "UnlistedPair.kubernetes"), "pairs"),
    "AdoptedClusterSpec.kubeconfig_secret": "secrets",
    "GlobalLoadBalancerSpec.delegated": "delegations",
}
"""Keys that nothing that is built shows, and the reader that they are for."""


def _resources(registered: dict[str, support.Registered]) -> Any:
    """What is built. Components by themselves are not: what they carry may be read by nobody."""
    return {
        urn: [each.inputs if each.custom else [], sorted(each.depends_on)] for urn, each in registered.items()
    }


READERS: dict[str, Callable[[Stack], Any]] = {
    "hosts": lambda stack: [
        {phase.name: variables for phase, variables in plan.variables.items()}
        for plan in host_plans(stack.environment, stack.ledger).values()
    ],
    "inventory": lambda stack: ansible_inventory(stack.environment, stack.ledger),
    "ledger": lambda stack: assign(stack.environment, Ledger()).model_dump(mode="json"),
    "doctor": lambda stack: job("outside", "run", stack.environment.probe_image),
    "backups": lambda stack: [
        settings(stack.environment.backups, {"destination": "", "keep": "", "days": ""}),
        wanted(stack.environment),
    ],
    "secrets": secrets_of,
    "delegations": lambda stack: delegated(stack.environment),
    "pairs": lambda stack: {
        region: [pair.model_dump() for pair in stack.environment.unlisted_in(region)]
        for region in stack.environment.regions
    },
}
"""What is made of a declaration, the quick ones first."""


def _made_of(stack: Stack) -> dict[str, str]:
    registered = built(stack)
    made = {"resources": _resources(registered), **{name: read(stack) for name, read in READERS.items()}}
    return {name: plain(found) for name, found in made.items()} | {"compared": plain(compared(registered))}


def _keys(model: type[Model]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = models_in(field.annotation)
        if not inner:
            yield f"{model.__name__}.{name}"
        for each in inner:
            yield from _keys(each)


@pytest.fixture(scope="module")
def before(later: None) -> dict[str, str]:
    """What each reader makes of the declaration as it is, and what is built of it."""
    return _made_of(stack_of(declaration()))


def test_every_key_of_the_model_is_changed_by_this_test() -> None:
    assert set(CHANGES) == set(_keys(Environment))


@pytest.mark.parametrize("key", CHANGES)
def test_changing_a_key_changes_something_and_is_seen_by_the_gate(key: str, before: dict[str, str]) -> None:
    path, value = CHANGES[key]
    declared = changed(declaration(), path, value)
    assert plain(declared) != plain(declaration()), "another value was meant"
    made = _made_of(stack_of(declared))
    differing = {name for name, found in made.items() if found != before[name]}
    assert "compared" in differing, f"of another {path} the gate says nothing"
    assert differing & {"hosts", "inventory", "resources"} or key in ELSEWHERE, f"{path}: nobody reads it"
    assert ELSEWHERE.get(key, "compared") in differing
