"""How much single changes can hurt, where that is not said by their kind alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gate.effects.engine import assess
from gate.effects.exposure import COLUMN as EXPOSURE
from gate.effects.scene import Scene
from report.model import UNKNOWN, Against, Change, ChangeSet, Op, PropertyChange, Resource, Risk

PLATFORM = "urn:pulumi:lab::crossmesh::crossmesh:components:Platform"
REGION = Resource(f"{PLATFORM}$crossmesh:components:Region::eu", "crossmesh:components:Region", "eu", {})
CLUSTER = f"{PLATFORM}$crossmesh:components:Region$crossmesh:components:BareMetalCluster::eu"


def phase(**inputs: Any) -> Resource:
    urn = f"{CLUSTER.rpartition('::')[0]}$crossmesh:hosts:HostPhase::eu-worker-1-join"
    given = {
        "host": "eu-worker-1",
        "phase": "join",
        "connection": {"address": "192.0.2.11", "port": 22},
        "reset_on_delete": True,
        "variables": {"join_node_name": "eu-worker-1"},
    }
    return Resource(urn, "crossmesh:hosts:HostPhase", "eu-worker-1-join", {**given, **inputs}, parent=CLUSTER)


def service(annotations: dict[str, str], type: str = "LoadBalancer", **spec: list[str]) -> Resource:
    urn = f"{PLATFORM}$kubernetes:core/v1:Service::eu-gateway"
    metadata = {"name": "gateway", "annotations": annotations}
    inputs = {"metadata": metadata, "spec": {"type": type, **spec}}
    return Resource(urn, "kubernetes:core/v1:Service", "eu-gateway", inputs)


def risk(old: Resource, new: Resource, *paths: str) -> Risk:
    properties = tuple(PropertyChange(path, "old", "new") for path in paths)
    change = Change(Op.UPDATE, old.urn, old, new, properties)
    (found,) = assess(ChangeSet(Against.STATE, (change,), (REGION,))).changes
    return found.risk


def test_another_way_to_a_host_does_nothing_to_it() -> None:
    moved = phase(connection={"address": "192.0.2.11", "port": 2222})
    assert risk(phase(), moved, "connection") is Risk.ORDINARY


def test_other_variables_may_be_noticed() -> None:
    changed = phase(connection={"address": "192.0.2.11", "port": 2222}, variables={})
    assert risk(phase(), changed, "connection", "variables.join_node_name") is Risk.TRAFFIC


def test_an_upgrade_of_kubernetes_says_so_whatever_else_changes() -> None:
    old, new = phase(phase="prepare"), phase(phase="prepare")
    paths = (
        "digest",
        "variables.base_pins.kubelet",
        "variables.upgrade_version",
        "variables.images_bundles[0]",
    )
    properties = tuple(PropertyChange(path, "old", "new") for path in paths)
    change = Change(Op.UPDATE, old.urn, old, new, properties)
    (found,) = assess(ChangeSet(Against.STATE, (change,), (REGION,))).changes
    assert found.risk is Risk.TRAFFIC
    assert "Kubernetes is upgraded on the host" in found.why


def test_a_mirror_is_read_at_the_next_pull_and_a_login_starts_containerd_anew() -> None:
    """The provider tells variables by their names; where it is not asked, places inside of them are told."""
    old, new = phase(phase="prepare"), phase(phase="prepare")
    registries = "variables.container_runtime_registries"
    assert risk(old, new, "digest", registries, "declared") is Risk.ORDINARY
    assert risk(old, new, f"{registries}[0].mirror") is Risk.ORDINARY
    assert risk(old, new, "digest", "file_sums.container_runtime_authorities") is Risk.ORDINARY
    assert risk(old, new, "digest", registries, "secret_sums.container_runtime_logins") is Risk.TRAFFIC
    assert risk(old, new, "digest", registries, "variables.container_runtime_proxy") is Risk.TRAFFIC
    assert risk(old, new, "digest", registries, "roles_digest") is Risk.TRAFFIC
    assert risk(old, new, "digest") is Risk.TRAFFIC
    assert risk(phase(phase="join"), phase(phase="join"), registries) is Risk.TRAFFIC


def test_images_of_another_release_are_imported_beside_those_that_there_are() -> None:
    old, new = phase(phase="prepare"), phase(phase="prepare")
    assert risk(old, new, "digest", "variables.images_bundles[1]") is Risk.ORDINARY
    assert risk(old, new, "variables.images_bundles", "variables.base_pins.kubelet") is Risk.TRAFFIC


def tainted(node: str = "eu-worker-1", **taints: str) -> Resource:
    """Taints by their effect, of one key."""
    type = "crossmesh:kubernetes:NodeTaints"
    listed = {f"slow:{effect}": value for effect, value in taints.items()}
    inputs = {"node": node, "taints": listed}
    urn = f"{CLUSTER.rpartition('::')[0]}${type}::eu.{node}.taints"
    return Resource(urn, type, f"eu.{node}.taints", inputs, parent=CLUSTER, region="eu")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (None, tainted(NoExecute="disk"), "slow=disk:NoExecute"),
        (tainted(NoExecute="disk"), tainted(NoExecute="tape"), "slow=tape:NoExecute"),
        (tainted(NoSchedule=""), tainted(NoSchedule="", NoExecute=""), "slow:NoExecute"),
        (tainted(NoExecute=""), tainted(NoExecute="", NoSchedule=""), ""),
        (tainted(NoExecute=""), tainted(NoSchedule=""), ""),
        (tainted(NoExecute=""), None, ""),
        # It has them from its first moment: nobody is there to go.
        (None, tainted("eu-worker-2", NoExecute=""), ""),
    ],
)
def test_a_taint_that_evicts_says_so_of_a_node_that_is_there(
    old: Resource | None, new: Resource | None, told: str
) -> None:
    op = Op.CREATE if old is None else Op.DELETE if new is None else Op.UPDATE
    resource = new or old
    assert resource is not None
    change = Change(op, resource.urn, old, new)
    node = replace(phase(), region="eu", declared=("regions", "eu", "cluster", "nodes", "eu-worker-1"))
    region = replace(REGION, region="eu")
    (found,) = assess(ChangeSet(Against.STATE, (change,), (region, node))).changes
    assert found.risk is (Risk.TRAFFIC if told else Risk.ORDINARY)
    assert found.why == (f"pods that do not tolerate {told} are evicted from the node" if told else "")
    assert (found.blast.clusters, found.blast.nodes) == (("eu",), (resource.inputs["node"],))


def test_a_node_more_ends_no_tunnel_and_another_endpoint_or_a_node_less_may() -> None:
    """The provider tells variables by their names alone; what of them differs is in the inputs."""

    def tunnel(**peers: str) -> Resource:
        named = {name: {"endpoint": endpoint} for name, endpoint in peers.items()}
        keys = {name: f"key of {name}" for name in peers}
        variables = {"tunnel_peers": named, "tunnel_public_keys": keys, "tunnel_port": 51820}
        return phase(phase="tunnel", variables=variables)

    paths = ("digest", "variables.tunnel_peers", "variables.tunnel_public_keys")
    one, more = tunnel(a="192.0.2.1:51820"), tunnel(a="192.0.2.1:51820", b="192.0.2.2:51820")
    late = tunnel(a="192.0.2.1:51820", b="192.0.2.2:51820")
    late.inputs["variables"]["tunnel_public_keys"]["b"] = UNKNOWN
    assert risk(one, more, *paths) is Risk.ORDINARY
    assert risk(one, late, *paths) is Risk.ORDINARY
    assert risk(more, one, *paths) is Risk.TRAFFIC
    assert risk(one, tunnel(a="192.0.2.9:51820"), paths[0], paths[1]) is Risk.TRAFFIC
    assert risk(one, more, *paths, "roles_digest") is Risk.TRAFFIC


def test_another_machine_under_the_same_name_is_destructive() -> None:
    assert (
        risk(phase(), phase(connection={"address": "192.0.2.99", "port": 22}), "connection")
        is Risk.DESTRUCTIVE
    )


def test_a_service_that_asks_for_another_address_is_destructive() -> None:
    old, new = ({"metallb.io/loadBalancerIPs": f"192.0.2.{last}"} for last in (200, 210))
    path = 'metadata.annotations["metallb.io/loadBalancerIPs"]'
    assert risk(service(old), service(new), path) is Risk.DESTRUCTIVE
    assert risk(service(old), service({}), path) is Risk.DESTRUCTIVE


def test_an_address_of_a_node_that_a_service_gives_up_is_destructive_and_one_more_is_not() -> None:
    one, both = (
        service({}, "ClusterIP", externalIPs=found)
        for found in (["192.0.2.151"], ["192.0.2.151", "192.0.2.224"])
    )
    assert risk(both, one, "spec.externalIPs[1]") is Risk.DESTRUCTIVE
    assert risk(one, both, "spec.externalIPs[1]") is Risk.TRAFFIC
    balanced = service({"metallb.io/loadBalancerIPs": "192.0.2.200"})
    assert risk(balanced, one, "spec.type") is Risk.DESTRUCTIVE


def test_a_service_that_loses_its_address_in_another_way_is_destructive_as_well() -> None:
    old = service({"metallb.io/loadBalancerIPs": "192.0.2.200"})
    inside = service({"metallb.io/loadBalancerIPs": "192.0.2.200"}, type="ClusterIP")
    assert risk(old, inside, "spec.type") is Risk.DESTRUCTIVE
    for op, new in ((Op.DELETE, None), (Op.REPLACE, old)):
        (found,) = assess(ChangeSet(Against.STATE, (Change(op, old.urn, old, new),), (REGION,))).changes
        assert found.risk is Risk.DESTRUCTIVE


@pytest.mark.parametrize(
    ("type", "expected"),
    [
        ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", Risk.TRAFFIC),
        ("kubernetes:core/v1:ServiceAccount", Risk.TRAFFIC),
        ("kubernetes:core/v1:ResourceQuota", Risk.ORDINARY),
    ],
)
def test_what_others_need_is_missed_when_it_goes(type: str, expected: Risk) -> None:
    gone = Resource(f"urn:pulumi:lab::crossmesh::{type}::eu-x", type, "eu-x", {})
    (found,) = assess(ChangeSet(Against.STATE, (Change(Op.DELETE, gone.urn, gone, None),), (REGION,))).changes
    assert found.risk is expected


def route(name: str, host: str, kind: str = "Ingress") -> Resource:
    """A route of a host, which has the same name whatever its kind is."""
    rule = {"backendRefs": [{"name": "web", "port": 80}]}
    parents = [{"name": "main", "namespace": "edge"}]
    api, spec = {
        "Ingress": ("networking.k8s.io/v1", {"rules": [{"host": host}]}),
        "VirtualService": (
            "networking.istio.io/v1",
            {"hosts": [host], "gateways": ["edge/main"], "http": [{"redirect": {}}]},
        ),
    }.get(
        kind,
        ("gateway.networking.k8s.io/v1", {"hostnames": [host], "parentRefs": parents, "rules": [rule]}),
    )
    return declared(api, kind, name, {"metadata": {"name": name, "namespace": "shop"}, "spec": spec})


def declared(api: str, kind: str, name: str, inputs: dict[str, Any]) -> Resource:
    type = f"kubernetes:{api}:{kind}"
    return Resource(f"urn:pulumi:lab::crossmesh::{type}::{name}", type, name, inputs)


def gateway(*hosts: str) -> Resource:
    every = {"namespaces": {"from": "All"}}
    listeners = [
        {"name": host, "hostname": host, "port": 443, "protocol": "HTTPS", "allowedRoutes": every}
        for host in hosts
    ]
    inputs = {"metadata": {"name": "main", "namespace": "edge"}, "spec": {"listeners": listeners}}
    return declared("gateway.networking.k8s.io/v1", "Gateway", "main", inputs)


def judged(*changes: Change, same: tuple[Resource, ...] = ()) -> list[tuple[Risk, str]]:
    found = assess(ChangeSet(Against.STATE, changes, (REGION, *same)))
    return [(change.risk, change.why) for change in found.changes if change.op is not Op.CREATE]


def goes(old: Resource) -> Change:
    return Change(Op.DELETE, old.urn, old, None)


def becomes(old: Resource, new: Resource) -> Change:
    return Change(Op.UPDATE, old.urn, old, new)


def comes(new: Resource) -> Change:
    return Change(Op.CREATE, new.urn, None, new)


LOST = (Risk.DESTRUCTIVE, "a.example.com is answered no more")
KINDS = ["Ingress", "HTTPRoute", "GRPCRoute", "TLSRoute", "VirtualService"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_that_no_route_serves_any_more_is_lost(kind: str) -> None:
    old, other = route("a", "a.example.com", kind), route("b", "a.example.com", kind)
    assert judged(goes(old)) == [LOST]
    assert judged(becomes(old, route("a", "b.example.com", kind))) == [LOST]
    assert judged(goes(old), same=(other,)) == [(Risk.TRAFFIC, "it goes")]
    assert judged(becomes(old, old)) == [(Risk.TRAFFIC, "where requests go changes")]


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_route_of_a_host_counts_its_traffic(kind: str) -> None:
    old = route("a", "a.example.com", kind)
    web = {"service": {"name": "web", "port": {"number": 80}}}
    if kind == "Ingress":
        spec = {"rules": [{"host": "a.example.com", "http": {"paths": [{"backend": web}]}}]}
        old = replace(old, inputs={**old.inputs, "spec": spec})
    if kind == "VirtualService":
        http = [{"route": [{"destination": {"host": "web"}}]}]
        old = replace(old, inputs={**old.inputs, "spec": {**old.inputs["spec"], "http": http}})
    (found,) = assess(ChangeSet(Against.STATE, (goes(old),), (REGION,))).changes
    assert found.blast.traffic == 1.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_a_host_that_moves_between_kinds_of_route_is_still_answered(kind: str, other: str) -> None:
    old, new = route("a", "a.example.com", kind), route("z", "a.example.com", other)
    assert judged(goes(old), comes(new)) == [(Risk.TRAFFIC, "it goes")]


def test_a_host_that_a_form_of_hosts_covers_is_still_answered() -> None:
    every = route("z", "*.example.com", "HTTPRoute")
    assert judged(goes(route("a", "a.example.com")), same=(every,)) == [(Risk.TRAFFIC, "it goes")]


def test_a_gateway_and_its_listeners_take_their_hosts_with_them() -> None:
    routed = route("a", "a.example.com", "HTTPRoute")
    both = gateway("a.example.com", "b.example.com")
    assert judged(goes(both), same=(routed,)) == [LOST]
    assert judged(becomes(both, gateway("b.example.com")), same=(routed,)) == [LOST]
    assert judged(becomes(both, gateway("a.example.com")), same=(routed,)) == [
        (Risk.TRAFFIC, "what the gateway listens to changes")
    ]


def test_a_route_that_cannot_be_read_any_more_counts_as_gone() -> None:
    old = route("a", "a.example.com", "HTTPRoute")
    assert judged(becomes(old, replace(old, inputs={**old.inputs, "spec": UNKNOWN}))) == [LOST]


def test_what_is_for_requests_inside_of_the_mesh_answers_no_host() -> None:
    inside = route("a", "web", "VirtualService")
    spec = {**inside.inputs["spec"], "gateways": ["mesh"]}
    assert judged(goes(replace(inside, inputs={**inside.inputs, "spec": spec}))) == [
        (Risk.TRAFFIC, "it goes")
    ]


def test_a_service_that_asks_for_an_address_at_last_takes_none_away() -> None:
    new = service({"metallb.io/loadBalancerIPs": "192.0.2.200"})
    assert risk(service({}), new, "metadata.annotations") is Risk.TRAFFIC


@pytest.mark.parametrize(
    ("holder", "expected"),
    [
        ("IstioControlPlane", (Risk.TRAFFIC, "what proxies and gateways are configured with changes")),
        ("PodNetwork", (Risk.TRAFFIC, "which slices nodes have changes")),
        ("Application", (Risk.ORDINARY, "")),
    ],
)
def test_what_a_config_map_means_depends_on_whose_it_is(holder: str, expected: tuple[Risk, str]) -> None:
    parent = f"{PLATFORM}$crossmesh:components:{holder}::eu"
    old = replace(declared("core/v1", "ConfigMap", "eu.x", {}), parent=parent)
    assert judged(becomes(old, old)) == [expected]
    assert judged(comes(old)) == []


def test_what_is_new_refuses_requests_only_in_a_namespace_that_is_there() -> None:
    policy = {"metadata": {"namespace": "shop", "name": "x"}}
    new = declared("security.istio.io/v1", "AuthorizationPolicy", "x", policy)
    there = declared("core/v1", "Namespace", "shop", {"metadata": {"name": "shop"}})

    def risk_of(*same: Resource) -> Risk:
        return assess(ChangeSet(Against.STATE, (comes(new),), same)).changes[0].risk

    assert risk_of(there) is Risk.TRAFFIC
    assert risk_of() is Risk.ORDINARY


def test_other_names_of_an_api_server_mean_a_certificate_and_no_more() -> None:
    old = phase(phase="control-plane")
    change = Change(
        Op.UPDATE, old.urn, old, old, (PropertyChange("variables.control_plane_names[0]", "a", "b"),)
    )
    (found,) = assess(ChangeSet(Against.STATE, (change,), (REGION,))).changes
    assert "certificate is made anew" in found.why


@pytest.mark.parametrize(
    ("name", "variables", "words"),
    [
        (
            "control-plane",
            ("control_plane_endpoint", "control_plane_virtual_address", "control_plane_etcd_ca_certificate"),
            "the API is reached at another address, which this host takes",
        ),
        (
            "join",
            ("join_endpoint",),
            "kubelet starts anew, and reaches the API at another address; pods go on",
        ),
    ],
)
def test_another_address_of_the_api_says_what_starts_anew_whatever_else_changes(
    name: str, variables: tuple[str, ...], words: str
) -> None:
    old = phase(phase=name)
    properties = tuple(PropertyChange(f"variables.{each}", "a", "b") for each in variables)
    change = Change(Op.UPDATE, old.urn, old, old, (*properties, PropertyChange("roles_digest", "a", "b")))
    (found,) = assess(ChangeSet(Against.STATE, (change,), (REGION,))).changes
    assert found.risk is Risk.TRAFFIC
    assert found.why.startswith(words)


def test_an_application_s_secret_is_no_configuration_of_the_mesh() -> None:
    def secret(*declared_by: str) -> Resource:
        return replace(declared("core/v1", "Secret", "x", {"metadata": {"name": "x"}}), declared=declared_by)

    of_application, of_mesh = secret("applications", "shop"), secret("mesh")
    assert risk(of_application, of_application, "data.DB_PASSWORD") is Risk.ORDINARY
    assert risk(of_mesh, of_mesh, "data.key") is Risk.TRAFFIC


def test_a_redirect_from_plain_http_is_a_row_of_what_is_exposed() -> None:
    servers = [{"hosts": ["www.example.com"], "port": {"number": 80}, "tls": {"httpsRedirect": True}}]
    redirect = declared("networking.istio.io/v1", "Gateway", "http-redirect", {"spec": {"servers": servers}})
    changes = ChangeSet(Against.STATE, (Change(Op.CREATE, redirect.urn, None, redirect),), ())
    table = EXPOSURE.rows["exposure"](Scene(replace(changes, same=())))
    assert table.after["http://www.example.com/"] == "a redirect to https in all"


def control_plane(**labels: str) -> Resource:
    parent = f"{PLATFORM}$crossmesh:components:Region$crossmesh:components:IstioControlPlane::eu"
    urn = f"{parent.rpartition('::')[0]}$kubernetes:apps/v1:Deployment::eu.istio-system.istiod"
    inputs = {"metadata": {"name": "istiod", "namespace": "istio-system", "labels": labels}}
    return Resource(urn, "kubernetes:apps/v1:Deployment", "istiod", inputs, parent=parent, region="eu")


def test_proxies_lose_their_control_plane_with_its_revision_and_not_with_the_region() -> None:
    istiod, region = control_plane(app="istiod"), replace(REGION, region="eu")
    goes = Change(Op.DELETE, istiod.urn, istiod, None, ())
    (lost,) = assess(ChangeSet(Against.STATE, (goes,), (region,))).changes
    assert lost.risk is Risk.DESTRUCTIVE
    assert "until they start anew" in lost.why
    whole = Change(Op.DELETE, region.urn, region, None, ())
    with_region = assess(ChangeSet(Against.STATE, (goes, whole), ())).changes
    assert [change.risk for change in with_region if change.urn == istiod.urn] == [Risk.TRAFFIC]
    gateway = control_plane(app="istio-ingressgateway")
    other = Change(Op.DELETE, gateway.urn, gateway, None, ())
    (noticed,) = assess(ChangeSet(Against.STATE, (other,), (region,))).changes
    assert noticed.risk is Risk.TRAFFIC


def carrier(host: str) -> Resource:
    found = phase(host=host, phase="control-plane")
    return replace(found, urn=f"{found.urn}-{host}", name=host, region="eu", declared=("regions", "eu"))


@pytest.mark.parametrize(("others", "nodes"), [(["eu-cp-2"], ("eu-cp-1",)), ([], ("eu-cp-1", "eu-worker-1"))])
def test_a_cluster_is_lost_with_its_last_control_plane_and_with_no_other(
    others: list[str], nodes: tuple[str, ...]
) -> None:
    worker = replace(phase(), region="eu", declared=("regions", "eu", "cluster", "nodes", "eu-worker-1"))
    gone = replace(carrier("eu-cp-1"), declared=("regions", "eu", "cluster", "nodes", "eu-cp-1"))
    stay = (REGION, worker, *map(carrier, others))
    change = Change(Op.DELETE, gone.urn, gone, None)
    (found,) = assess(ChangeSet(Against.STATE, (change,), stay)).changes
    assert found.risk is Risk.DESTRUCTIVE
    assert found.blast.nodes == nodes
