"""What must be there before what, and what must not wait for what."""

from __future__ import annotations

import pytest

from playbooks.tokens import ADMISSION
from playbooks.tokens import HOST_PHASE as PHASE
from playbooks.work import PHASES

REGIONS = ("eu", "us")


def _kinds(recording, kind, region):
    return [
        each
        for each in recording.resources.values()
        if each.kubernetes and each.type.endswith(f":{kind}") and each.region == region
    ]


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_waits_for_nothing_of_the_other_but_what_istiod_reads_there(up, region):
    other = next(name for name in REGIONS if name != region)
    for each in up.resources.values():
        if each.region != region or "token-for" in each.name or "remote-secret" in each.name:
            continue
        foreign = {urn for urn in up.needs(each) if up.resources[urn].region == other}
        assert not foreign, f"{each.name} waits for {sorted(foreign)}"


@pytest.mark.parametrize("region", REGIONS)
def test_a_worker_is_prepared_while_the_control_plane_is_made(up, region):
    worker = up.one(PHASE, f"{region}-worker-1.prepare")
    control_plane = up.one(PHASE, f"{region}-cp-1.control-plane")
    assert control_plane.urn not in up.needs(worker)
    assert {worker.urn, control_plane.urn} <= up.needs(up.one(PHASE, f"{region}-worker-1.join"))


@pytest.mark.parametrize("region", REGIONS)
def test_edge_hosts_wait_for_no_cluster(up, region):
    edge = up.one(PHASE, f"{region}-edge-1.edge")
    assert not [urn for urn in up.needs(edge) if "kubernetes" in urn or "control-plane" in urn]
    assert up.one(PHASE, f"{region}-edge-1.prepare").urn in edge.depends_on


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
@pytest.mark.parametrize("region", REGIONS)
def test_what_is_awaited_begins_only_when_there_are_nodes_to_run_pods(up, region, kind):
    joined = up.one(PHASE, f"{region}-worker-1.join").urn
    found = _kinds(up, kind, region)
    assert found
    assert [each.name for each in found if joined not in up.needs(each)] == []


@pytest.mark.parametrize("kind", ["Namespace", "CustomResourceDefinition", "ConfigMap", "ServiceAccount"])
def test_what_runs_no_pod_waits_for_no_node_unless_it_is_an_application_s(up, kind):
    joined = up.one(PHASE, "eu-worker-1.join").urn
    waiting = [each.name for each in _kinds(up, kind, "eu") if joined in up.needs(each)]
    assert [name for name in waiting if "greencompute" not in name] == []


@pytest.mark.parametrize("kind", ["Service", "Ingress"])
def test_services_and_ingresses_are_awaited_by_their_addresses_alone(up, kind):
    for each in _kinds(up, kind, "eu"):
        spec, annotations = each.inputs["spec"], each.inputs["metadata"]["annotations"]
        if kind == "Ingress" or spec.get("type") == "LoadBalancer":
            assert annotations["pulumi.com/waitFor"] == "jsonpath={.status.loadBalancer.ingress[0]}"
        else:
            assert annotations["pulumi.com/skipAwait"] == "true"


@pytest.mark.parametrize("region", REGIONS)
def test_what_istiod_is_asked_about_waits_until_it_was_seen_to_answer(up, region):
    asked = up.one(ADMISSION, f"{region}.istio-system.offered.admission")
    webhooks = _kinds(up, "ValidatingWebhookConfiguration", region)
    mesh = [each for each in webhooks if "metallb" not in each.name]
    assert mesh
    assert {each.urn for each in mesh} <= up.needs(asked)
    waiting = [*_kinds(up, "PeerAuthentication", region), *_kinds(up, "DestinationRule", region)]
    assert waiting
    assert all(asked.urn in up.needs(each) for each in waiting)
    assert "name" not in asked.inputs["probe"]["metadata"], "what is there already would be refused"


@pytest.mark.parametrize("region", REGIONS)
def test_the_gateway_s_address_waits_for_no_istiod(up, region):
    service = up.one("kubernetes:core/v1:Service", f"{region}.istio-ingress.istio-ingressgateway")
    istiod = up.one("kubernetes:apps/v1:Deployment", f"{region}.istio-system.istiod")
    assert istiod.urn not in up.needs(service)


@pytest.mark.parametrize("region", REGIONS)
def test_a_pool_waits_for_the_controller_and_is_checked_by_it_from_then_on(up, region):
    pool = _kinds(up, "IPAddressPool", region)[0]
    checks = [each for each in _kinds(up, "ValidatingWebhookConfiguration", region) if "metallb" in each.name]
    assert checks
    assert all(pool.urn in up.needs(each) for each in checks)
    service = up.one("kubernetes:core/v1:Service", f"{region}.metallb-system.metallb-webhook-service")
    assert all(service.urn in up.needs(each) for each in checks)


@pytest.mark.parametrize("region", REGIONS)
def test_istiod_starts_with_its_intermediate_and_never_makes_one_of_its_own(up, region):
    istiod = up.one("kubernetes:apps/v1:Deployment", f"{region}.istio-system.istiod")
    cacerts = up.one("kubernetes:core/v1:Secret", f"{region}.istio-system.cacerts")
    assert cacerts.urn in up.needs(istiod)


@pytest.mark.parametrize("region", REGIONS)
def test_pods_with_a_sidecar_wait_for_the_injector(up, region):
    injector = up.one(
        "kubernetes:admissionregistration.k8s.io/v1:MutatingWebhookConfiguration",
        f"{region}.istio-sidecar-injector",
    )
    istiod = up.one("kubernetes:apps/v1:Deployment", f"{region}.istio-system.istiod")
    assert istiod.urn in up.needs(injector), "the webhook must not refuse pods before istiod serves it"
    for name in ("istio-ingress.istio-ingressgateway", "greencompute.asset-mgr-ms-svc"):
        assert injector.urn in up.needs(up.one("kubernetes:apps/v1:Deployment", f"{region}.{name}"))


@pytest.mark.parametrize("region", REGIONS)
def test_custom_resources_wait_for_their_definitions_and_who_serves_them(up, region):
    for type_, name, waits in [
        (
            "kubernetes:metallb.io/v1beta1:IPAddressPool",
            "metallb-system.gateways",
            "ipaddresspools.metallb.io",
        ),
        (
            "kubernetes:metallb.io/v1beta1:IPAddressPool",
            "metallb-system.gateways",
            "metallb-system.controller",
        ),
        (
            "kubernetes:security.istio.io/v1:PeerAuthentication",
            "istio-system.default",
            "istiod-default-validator",
        ),
        (
            "kubernetes:networking.istio.io/v1:DestinationRule",
            "greencompute.locality-failover",
            "peerauthentications.security.istio.io",
        ),
    ]:
        needs = up.needs(up.one(type_, f"{region}.{name}"))
        assert any(urn.endswith(f"::{region}.{waits}") for urn in needs), f"{name} does not wait for {waits}"


@pytest.mark.parametrize("region", REGIONS)
def test_no_pool_is_checked_by_a_webhook_that_its_node_may_not_know_the_way_to_yet(up, region):
    """kube-proxy learns of the controller after that is ready: `connection refused` ended the run."""
    webhook = up.one(
        "kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration",
        f"{region}.metallb-webhook-configuration",
    )
    for kind in ("IPAddressPool", "L2Advertisement"):
        made = up.one(f"kubernetes:metallb.io/v1beta1:{kind}", f"{region}.metallb-system.gateways")
        assert made.urn in up.needs(webhook)


@pytest.mark.parametrize("region", REGIONS)
def test_the_gateway_s_service_waits_for_addresses_to_hand_out(up, region):
    service = up.one("kubernetes:core/v1:Service", f"{region}.istio-ingress.istio-ingressgateway")
    pool = up.one("kubernetes:metallb.io/v1beta1:IPAddressPool", f"{region}.metallb-system.gateways")
    assert pool.urn in up.needs(service)


def test_a_remote_token_waits_for_the_account_that_it_is_for(up):
    token = up.one("crossmesh:kubernetes:ServiceAccountToken", "us.token-for.eu")
    account = up.one("kubernetes:core/v1:ServiceAccount", "us.istio-system.istio-reader-service-account")
    assert account.urn in up.needs(token)


def test_a_phase_waits_for_those_that_its_declaration_puts_before_it(up):
    phases = [each for each in up.resources.values() if each.type == PHASE]
    assert {each.inputs["phase"] for each in phases} == set(PHASES) - {"tunnel"}
    for each in phases:
        phase = PHASES[each.inputs["phase"]]
        before = {
            other.urn
            for other in phases
            if (other.inputs["phase"] in phase.awaits and other.region == each.region)
            or (other.inputs["phase"] in phase.after and other.inputs["host"] == each.inputs["host"])
        }
        assert each.depends_on & {other.urn for other in phases} == before
