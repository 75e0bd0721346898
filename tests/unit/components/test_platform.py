"""What the platform is made of, seen in what its resources are given."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
import yaml

import releases
from access.outputs import Outputs, RegionOutput
from components import charts
from components.platform import Platform
from report import schema
from stacks.model import AddressRange, AdoptedClusterSpec
from tests.unit.components import support


def texts(secret):
    """A Secret's data as text."""
    return {key: base64.b64decode(value).decode() for key, value in secret.inputs["data"].items()}


def test_the_outputs_are_those_of_the_contract(small_charts, stack):
    found = {}

    def program():
        import pulumi

        platform = Platform("lab", stack, "root key")
        return pulumi.Output.all(**platform.outputs).apply(found.update)

    support.run(program, preview=False)
    assert set(found) == set(schema.texts(Outputs))
    assert found["url"] == "https://assetmanagement.greencompute.lab.crossmesh.test/assetconsumer"
    assert found["caCertificate"] == "certificate of gateway-ca"
    edges = [edge for _, spec in sorted(stack.environment.regions.items()) for edge in spec.edges.values()]
    assert found["nameservers"] == [f"{edge.address}:53" for edge in edges]
    eu = found["regions"]["eu"]
    assert set(eu) == set(schema.texts(RegionOutput))
    assert eu["podCidr"] == "172.30.0.0/20"
    assert eu["nodes"]["eu-worker-1"]["podCidr"] == "172.30.1.0/24"
    assert eu["gatewayAddresses"] == ["198.51.100.1"]
    node = stack.environment.regions["eu"].cluster.nodes["eu-cp-1"]
    assert eu["apiServer"] == f"https://{node.address}:6443"
    assert sorted(found["kubeconfigs"]) == ["eu", "us"]


def test_the_kubeconfig_is_issued_from_the_cluster_s_own_authority(up):
    identity = up.one("crossmesh:kubernetes:ClusterIdentity", "eu.identity")
    config = yaml.safe_load(identity.inputs["kubeconfig"])
    user = config["users"][0]["user"]
    assert base64.b64decode(user["client-certificate-data"]) == b"certificate of eu.administrator"
    cluster = config["clusters"][0]["cluster"]
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"certificate of eu.cluster-ca"


def test_the_authority_s_key_reaches_the_control_plane_and_no_other_host(up):
    holders = [
        each.name
        for each in up.of("crossmesh:hosts:HostPhase")
        if "key of" in str(each.inputs) and "secret_variables" in each.inputs
    ]
    assert sorted(holders) == ["eu-cp-1.control-plane", "us-cp-1.control-plane"]


def test_workers_get_the_authority_s_hash_and_a_way_to_make_their_token(up):
    join = up.one("crossmesh:hosts:HostPhase", "eu-worker-1.join")
    assert join.inputs["variables"]["join_ca_certificate_hash"] == "sha256:00"
    assert "clusters:" in join.inputs["kubeconfig"]
    assert "join_token" not in join.inputs["variables"]


def test_each_cluster_has_an_intermediate_of_the_one_root(up):
    root = up.one("crossmesh:tls:CertificateAuthority", "mesh-root")
    assert root.inputs["private_key"] == "root key"
    for region in ("eu", "us"):
        intermediate = up.one("crossmesh:tls:CertificateAuthority", f"{region}.mesh-ca")
        assert intermediate.inputs["issuer"]["certificate"] == "certificate of mesh-root"
        assert intermediate.inputs["path_length"] == 0
        secret = up.one("kubernetes:core/v1:Secret", f"{region}.istio-system.cacerts")
        assert texts(secret) == {
            "ca-cert.pem": f"certificate of {region}.mesh-ca",
            "ca-key.pem": f"key of {region}.mesh-ca",
            "cert-chain.pem": f"certificate of {region}.mesh-ca",
            "root-cert.pem": f"root of {region}.mesh-ca",
        }


def test_a_remote_secret_leads_to_the_other_cluster_by_a_token(up):
    secret = up.one("kubernetes:core/v1:Secret", "eu.istio-system.istio-remote-secret-us")
    assert secret.inputs["metadata"]["labels"]["istio/multiCluster"] == "true"
    config = yaml.safe_load(texts(secret)["us"])
    assert config["users"][0]["user"] == {"token": "token of us.token-for.eu"}
    assert config["clusters"][0]["cluster"]["server"].endswith(".2.11:6443")


def test_name_servers_are_told_every_region_s_gateway(up, stack):
    edge = up.one("crossmesh:hosts:HostPhase", "us-edge-1.edge")
    regions = stack.environment.regions
    assert edge.inputs["variables"]["gdnsd_gateways"] == {
        name: [str(regions[name].load_balancer.first)] for name in ("eu", "us")
    }


def test_name_servers_verify_gateways_by_the_authority_that_clients_trust(up):
    edge = up.one("crossmesh:hosts:HostPhase", "us-edge-1.edge")
    authority = up.one("crossmesh:tls:CertificateAuthority", "gateway-ca")
    assert edge.inputs["variables"]["gdnsd_ca_certificate"]
    assert authority.urn in up.needs(edge)


def test_the_gateway_asks_for_the_address_that_name_servers_answer_with(up, stack):
    service = up.one("kubernetes:core/v1:Service", "eu.istio-ingress.istio-ingressgateway")
    asked = service.inputs["metadata"]["annotations"]["metallb.io/loadBalancerIPs"]
    assert asked == str(stack.environment.regions["eu"].load_balancer.first)


def test_where_nothing_is_exposed_every_output_is_there_since_the_engine_drops_those_that_are_none(
    small_charts, stack
):
    quiet = replace(stack, environment=stack.environment.model_copy(update={"ingresses": {}}))
    found = {}

    def program():
        import pulumi

        return pulumi.Output.all(**Platform("lab", quiet, "root key").outputs).apply(found.update)

    support.run(program, preview=False)
    assert set(found) == set(schema.texts(Outputs))
    assert [name for name, value in found.items() if value is None] == []


def test_of_a_gateway_of_one_pod_its_deployment_alone_says_why(up):
    name = "eu.istio-ingress.istio-ingressgateway"
    said = [
        up.one(f"kubernetes:{kind}", name).inputs["metadata"]
        for kind in ("apps/v1:Deployment", "core/v1:Service")
    ]
    assert ["crossmesh/alone" in metadata.get("annotations", {}) for metadata in said] == [True, False]


def test_a_host_s_phase_has_its_planned_variables_and_nothing_of_other_hosts(up):
    prepare = up.one("crossmesh:hosts:HostPhase", "eu-worker-1.prepare")
    assert prepare.inputs["variables"]["pod_network_slice"] == "172.30.1.0/24"
    assert "eu-cp-1" not in str(prepare.inputs["variables"])


def test_the_metallb_webhook_is_ready_before_its_controller_runs(up):
    secret = up.one("kubernetes:core/v1:Secret", "eu.metallb-system.metallb-webhook-cert")
    assert texts(secret)["tls.crt"] == "certificate of eu.metallb-webhook"
    authority = base64.b64encode(b"certificate of eu.metallb-ca").decode()
    webhook = up.one(
        "kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration",
        "eu.metallb-webhook-configuration",
    )
    assert webhook.inputs["webhooks"][0]["clientConfig"]["caBundle"] == authority
    declared = up.one("crossmesh:kubernetes:CustomResourceDefinition", "eu.bgppeers.metallb.io")
    definition = declared.inputs["definition"]
    assert definition["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"] == authority
    controller = up.one("kubernetes:apps/v1:Deployment", "eu.metallb-system.controller")
    container = controller.inputs["spec"]["template"]["spec"]["containers"][0]
    assert "--disable-cert-rotation=true" in container["args"]


def test_addresses_beside_the_machine_network_are_announced_by_bgp_through_each_node_s_bird(
    small_charts, stack
):
    regions = dict(stack.environment.regions)
    beside = AddressRange(first="172.20.10.1", last="172.20.10.254")
    regions["eu"] = regions["eu"].model_copy(update={"load_balancer": beside})
    environment = stack.environment.model_copy(update={"regions": regions})
    changed = stack.__class__(**{**stack.__dict__, "environment": environment})
    up = support.run(lambda: Platform("lab", changed, "root key").outputs, preview=False)
    peer = up.one("kubernetes:metallb.io/v1beta2:BGPPeer", "eu.metallb-system.bird")
    assert peer.inputs["spec"] == {"myASN": 65101, "peerASN": 65101, "peerAddress": "127.0.0.2"}
    kinds = ("BGPAdvertisement", "L2Advertisement")
    found = {kind: [each.name for each in up.of(f"kubernetes:metallb.io/v1beta1:{kind}")] for kind in kinds}
    assert found == {
        "BGPAdvertisement": ["eu.metallb-system.gateways"],
        "L2Advertisement": ["us.metallb-system.gateways"],
    }
    service = up.one("kubernetes:core/v1:Service", "eu.istio-ingress.istio-ingressgateway")
    assert service.inputs["metadata"]["annotations"]["metallb.io/loadBalancerIPs"] == "172.20.10.1"


def test_a_gateway_at_nodes_own_addresses_needs_no_metallb_and_is_reached_through_kube_proxy(
    small_charts, stack
):
    regions = dict(stack.environment.regions)
    own = {"load_balancer": None, "gateway_nodes": ("us-worker-1",)}
    regions["us"] = regions["us"].model_copy(update=own)
    environment = stack.environment.model_copy(update={"regions": regions})
    changed = stack.__class__(**{**stack.__dict__, "environment": environment})
    up = support.run(lambda: Platform("lab", changed, "root key").outputs, preview=False)
    address = str(regions["us"].nodes["us-worker-1"].address)
    service = up.one("kubernetes:core/v1:Service", "us.istio-ingress.istio-ingressgateway")
    assert service.inputs["spec"]["type"] == "ClusterIP"
    assert service.inputs["spec"]["externalIPs"] == [address]
    assert not [each for each in up.resources.values() if each.region == "us" and "metallb" in each.name]
    edge = up.one("crossmesh:hosts:HostPhase", "eu-edge-1.edge")
    assert edge.inputs["variables"]["gdnsd_gateways"]["us"] == [address]
    namespace = up.one("kubernetes:core/v1:Namespace", "us.istio-ingress")
    assert namespace.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"


def test_no_release_of_kubernetes_in_the_catalogue_leaves_services_external_addresses_out():
    """From 1.40 on kube-proxy passes over them (KEP-5707): docs/decisions/gateways-at-nodes-addresses.md."""
    minors = [int(version.split(".")[1]) for version in releases.versions("kubernetes")]
    assert minors and max(minors) < 40


def test_istio_s_webhooks_say_from_the_start_what_istiod_makes_of_them(up):
    found = [
        each for each in up.resources.values() if "istio" in each.name and "WebhookConfiguration" in each.type
    ]
    assert len(found) == 6
    for each in found:
        assert {webhook["failurePolicy"] for webhook in each.inputs["webhooks"]} == {"Fail"}
        assert "caBundle" in each.inputs["metadata"]["annotations"]["pulumi.com/waitFor"]


@pytest.fixture
def adopted(stack):
    """The reference stack with an adopted cluster in `us`."""
    regions = dict(stack.environment.regions)
    cluster = AdoptedClusterSpec(
        kind="adopted", kubeconfig_secret="usKubeconfig", pod_cidr="10.8.0.0/16", service_cidr="10.9.0.0/16"
    )
    update = {"cluster": cluster, "load_balancer": None, "fabric": None}
    regions["us"] = regions["us"].model_copy(update=update)
    environment = stack.environment.model_copy(update={"regions": regions})
    return stack.__class__(**{**stack.__dict__, "environment": environment})


def test_an_adopted_cluster_joins_the_mesh_and_its_machines_are_left_alone(small_charts, adopted):
    def program():
        return Platform("lab", adopted, "root key", kubeconfigs={"us": support.KUBECONFIG}).outputs

    found = support.run(program, preview=False)
    phases = [each.name for each in found.of("crossmesh:hosts:HostPhase") if each.region == "us"]
    assert sorted(phases) == ["us-edge-1.edge", "us-edge-1.prepare"]
    objects = [each for each in found.resources.values() if each.kubernetes and each.region == "us"]
    assert objects
    assert {each.deleted_with for each in objects} == {""}, (
        "its objects must not vanish from the state unremoved"
    )
    assert not [each for each in objects if "metallb" in each.name]
    secret = found.one("kubernetes:core/v1:Secret", "eu.istio-system.istio-remote-secret-us")
    config = yaml.safe_load(texts(secret)["us"])
    assert config["clusters"][0]["cluster"]["server"] == "https://192.0.2.1:6443"
    edge = found.one("crossmesh:hosts:HostPhase", "eu-edge-1.edge")
    assert edge.inputs["variables"]["gdnsd_gateways"]["us"] == ["198.51.100.1"]


def test_an_adopted_cluster_without_a_kubeconfig_is_refused(small_charts, adopted):
    with pytest.raises(ValueError, match="region 'us': no kubeconfig"):
        support.run(lambda: Platform("lab", adopted, "root key"), preview=False)


def test_the_program_asks_for_charts_of_the_declared_version(up, stack, monkeypatch):
    asked = []

    def record(chart, release, namespace, values, *, version, kubernetes):
        asked.append((version, kubernetes))
        return support.chart(chart, release, namespace, values, version=version, kubernetes=kubernetes)

    monkeypatch.setattr(charts, "istio", record)
    support.run(lambda: Platform("lab", stack, "root key").outputs, preview=False)
    versions = stack.environment.versions
    assert set(asked) == {(versions.istio, versions.kubernetes)}
