"""The twin's declaration: the environment's own, on the lab's machines, with nothing that leads outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.crew import crew
from rehearsal.twin import REPLICAS, STAND_IN, STAND_IN_IMAGE, Twin, prefixes, twin
from releases import built, default
from stacks.ledger import Ledger
from stacks.load import PROJECT, load_stack, stack_path
from stacks.model import BareMetalClusterSpec, Environment
from tests.unit.rehearsal.support import NETWORK, declared, nodes, placed, reference, region


def of(environment: Environment, ledger: Ledger | None = None) -> Twin:
    chosen = crew([environment])
    return twin(environment, ledger or Ledger(), chosen, placed(chosen), reference())


def loaded(made: Twin, directory: Path, name: str = "production") -> Any:
    """The twin's stack file, judged by all rules of stack files."""
    path = directory / "stacks" / f"Pulumi.{name}.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump({"config": made.config}, sort_keys=False))
    return load_stack(path)


@pytest.mark.parametrize("name", ["lab", "staging", "production"])
def test_the_twin_of_each_example_is_a_declaration_without_a_fault(name: str, tmp_path: Path) -> None:
    stack = load_stack(stack_path(name, PROJECT))
    made = of(stack.environment, stack.ledger)
    found = loaded(made, tmp_path, name)
    assert [*found.environment.regions] == [*stack.environment.regions]
    assert found.environment.ingresses == stack.environment.ingresses
    assert found.environment.namespaces == stack.environment.namespaces
    assert found.environment.domain == stack.environment.domain


@pytest.mark.parametrize("name", ["staging", "production"])
def test_no_address_of_a_real_machine_is_in_its_twin(name: str) -> None:
    stack = load_stack(stack_path(name, PROJECT))
    made = of(stack.environment, stack.ledger)
    for its in made.environment.regions.values():
        for host in its.hosts.values():
            assert str(host.address).startswith(f"{NETWORK}.")
            assert host.ssh_address == str(host.address)
        assert its.fabric is not None
        assert all(str(peer.address).startswith(f"{NETWORK}.") for peer in its.fabric.peers)
    assert made.secrets == ()


def test_control_planes_share_an_address_of_the_lab_s() -> None:
    shared = region(nodes("eu", control_planes=5))
    shared["cluster"]["apiServerAddress"] = "192.0.2.99"
    cluster = of(declared({"eu": shared})).environment.regions["eu"].cluster
    assert isinstance(cluster, BareMetalClusterSpec)
    assert str(cluster.api_server_address) == f"{NETWORK}.1.250"
    assert len(cluster.control_planes) == 3


def test_slices_of_the_ledger_stay_where_they_are() -> None:
    stack = load_stack(stack_path("production", PROJECT))
    found = Ledger.model_validate(of(stack.environment, stack.ledger).config["crossmesh:ledger"])
    for name, slices in stack.ledger.clusters.items():
        assert found.clusters[name] == slices
    assert "cloud" in found.clusters


def test_profiles_keep_their_own_settings_and_get_those_of_the_lab() -> None:
    profiles = {"large": {"kubelet": {"maxPods": 220}, "kubeadmIgnorePreflight": ["Mem"]}}
    found = of(
        declared({"eu": region(nodes("eu", eu_worker_2={"profile": "large"}))}, hostProfiles=profiles)
    ).environment.host_profiles
    assert found["large"].kubelet["maxPods"] == 220
    assert found["large"].kubelet["cgroupDriver"] == "cgroupfs"
    assert found["large"].kubeadm_ignore_preflight == ("Mem", "SystemVerification", "Swap")
    assert "maxPods" not in found["twin"].kubelet


def test_a_release_that_is_not_built_here_is_the_next_later_one_and_named() -> None:
    oldest = min(built("kubernetes"))
    made = of(declared({"eu": region(nodes("eu"))}, versions={"kubernetes": "1.33.0", "istio": "99.1.1"}))
    assert made.environment.versions.kubernetes == oldest
    assert made.environment.versions.istio == default("istio")
    assert f"versions: kubernetes {oldest}, as 1.33.0 is not built here" in made.differences


def test_pairs_are_those_of_the_releases_that_the_twin_has() -> None:
    there = declared(
        {"eu": {**region(nodes("eu")), "unlistedPairs": [{"istio": "1.30.4", "kubernetes": "1.37.1"}]}},
        versions={"kubernetes": "1.37.1", "istio": "1.30.4", "containerd": "2.4.2"},
    )
    made = of(there)
    (pair,) = made.environment.unlisted_in("eu")
    assert (pair.istio, pair.kubernetes) == (default("istio"), "1.37.1")
    assert made.environment.regions["eu"].unlisted_pairs is None
    assert any(words.startswith("unlistedPairs: {istio: ") for words in made.differences)


def test_a_pair_that_the_twin_has_as_declared_is_no_difference() -> None:
    pairs = [{"istio": default("istio"), "kubernetes": "1.36.3"}]
    versions = {"kubernetes": "1.36.3", "istio": default("istio"), "containerd": "2.4.2"}
    made = of(declared({"eu": region(nodes("eu"))}, versions=versions, unlistedPairs=pairs))
    assert [pair.model_dump() for pair in made.environment.unlisted_pairs] == pairs
    assert not any("unlistedPairs" in words for words in made.differences)


def test_of_an_application_that_is_not_the_solution_s_a_stand_in_answers_at_its_path() -> None:
    application = {
        "namespace": "shop",
        "image": "registry.example.com/shop/cart:1.2.3",
        "imagePullSecret": "pull",
        "port": 9000,
        "replicas": 7,
        "livenessPath": "/alive",
        "environment": {"TOKEN": {"secret": "token"}},
        "files": {"/etc/key": {"secret": "key"}},
    }
    ingress = {
        "namespace": "shop",
        "host": "shop.example.test",
        "paths": [{"path": "/cart", "application": "cart"}],
    }
    made = of(
        declared(
            {"eu": region(nodes("eu"))},
            namespaces={"shop": {}},
            applications={"cart": application},
            ingresses={"shop": ingress},
        )
    )
    cart = made.environment.applications["cart"]
    assert (cart.image, cart.replicas, cart.port) == (STAND_IN_IMAGE, REPLICAS, 9000)
    assert cart.environment == {"PATH_PREFIX": "/cart", "LISTEN_ADDRESS": ":9000"}
    assert cart.liveness_path == "/healthz/live"
    assert (cart.files, cart.image_pull_secret, made.secrets) == ({}, None, ())
    assert made.differences[-2:] == (
        "the reference solution's image stands for those of cart",
        "fewer pods of applications: cart 2 of 7",
    )


def test_secrets_of_the_solution_s_applications_are_one_stand_in() -> None:
    application = {
        "namespace": "shop",
        "image": STAND_IN_IMAGE,
        "environment": {"TOKEN": {"secret": "token"}, "WORD": "plain", "OTHER": {"secure": "AAA"}},
    }
    made = of(declared({"eu": region(nodes("eu"))}, namespaces={"shop": {}}, applications={"a": application}))
    found = made.config["crossmesh:environment"]["applications"]["a"]["environment"]
    assert found == {"TOKEN": {"secret": STAND_IN}, "WORD": "plain", "OTHER": {"secret": STAND_IN}}
    assert made.secrets == (STAND_IN,)


def test_what_leads_outside_is_gone() -> None:
    made = of(
        declared(
            {
                "eu": region(
                    nodes("eu", eu_worker_2={"ssh": {"address": "real.example"}}), ssh={"user": "ops"}
                )
            },
            ssh={"user": "ops", "knownHostsFile": "~/real"},
            sources={
                "proxy": {"http": "http://proxy.example:3128"},
                "registries": [{"name": "registry.example.com", "login": "pull"}],
            },
            tunnels={},
        )
    )
    text = yaml.safe_dump(made.config)
    for word in ("real", "proxy", "registry.example", "user: ops", "tunnels", "192.0.2."):
        assert word not in text, word
    assert "tunnels: nodes reach each other through the lab's router" in made.differences


def test_countries_are_left_out_where_no_database_is(tmp_path: Path) -> None:
    base = load_stack(stack_path("production", PROJECT))
    regions = sorted(base.environment.regions)
    first, *_, last = regions
    places = {
        "north": {"countries": ["NO"], "regions": [first]},
        "site": {"prefixes": ["10.1.0.0/16"], "continents": ["EU"], "regions": [first]},
    }
    host = next(ingress.host for ingress in base.environment.ingresses.values() if ingress.dns)
    balancer = {
        "geoipDatabase": "/var/lib/GeoIP/countries.mmdb",
        "delegated": True,
        "policy": {"geography": {"north": places["north"]}},
        "hostPolicies": {
            host: {"weights": dict.fromkeys(regions, 1), "failover": [last], "geography": places}
        },
    }
    document = base.environment.model_dump(mode="json", by_alias=True, exclude_unset=True)
    made = of(Environment.model_validate(document | {"globalLoadBalancer": balancer}), base.ledger)
    found = made.environment.global_load_balancer
    assert found is not None and found.geoip_database is None and found.policy is None
    (place,) = found.host_policies[host].geography.values()
    assert [str(prefix) for prefix in place.prefixes] == ["10.1.0.0/16"] and not place.continents
    assert any("no database of countries" in words for words in made.differences)
    assert not found.delegated and any("no parent delegates" in words for words in made.differences)
    loaded(made, tmp_path)


def test_the_lab_s_router_is_told_of_pods_and_of_addresses_by_bgp() -> None:
    fabric = {"asn": 64701, "peers": [{"address": "192.0.2.1", "asn": 64700}]}
    its = region(nodes("eu"), fabric=fabric, loadBalancer={"first": "198.51.100.0", "last": "198.51.100.3"})
    environment = declared({"eu": its})
    assert prefixes((environment, environment)) == ["172.30.0.0/16", "198.51.100.0/30"]
    assert (
        of(environment).config["crossmesh:environment"]["regions"]["eu"]["loadBalancer"]
        == its["loadBalancer"]
    )


def test_a_twin_issues_certificates_itself_in_the_place_of_given_ones() -> None:
    given = {"certificate": "a.pem", "privateKey": {"secret": "key"}}
    certificates = {"site": {"hosts": ["shop.example.test"], "given": given}}
    made = of(declared({"eu": region(nodes("eu"))}, certificates=certificates))
    assert not made.environment.certificates and "key" not in made.secrets
    words = "certificates: the twin's own authority issues those in the place of site"
    assert words in made.differences


def test_a_twin_has_routes_without_services_of_others_and_definitions_of_its_own(tmp_path: Path) -> None:
    there, theirs = {"application": "front"}, {"service": "legacy", "port": 80}
    rules = [
        {"path": "/both", "backends": [there, theirs], "rewrite": {"prefix": "/asked"}},
        {"path": "/theirs", "backends": [theirs]},
        {"path": "/none", "backends": [{**there, "weight": 0}, theirs]},
        {"path": "/old", "redirect": {"prefix": "/both"}},
    ]
    routes = {
        "api": {"namespace": "shop", "hosts": ["api.example.test"], "rules": rules},
        "theirs": {"namespace": "shop", "hosts": ["theirs.example.test"], "rules": rules[1:2]},
    }
    made = of(
        declared(
            {"eu": region(nodes("eu"))},
            domain="example.test",
            namespaces={"shop": {}},
            applications={"front": {"namespace": "shop", "image": "registry.example.test/front:1"}},
            gatewayApi="owner",
            routes=routes,
        )
    )
    environment = made.environment
    assert [rule.path for rule in environment.routes["api"].rules] == ["/both", "/old"]
    assert environment.routes.keys() == {"api"}
    assert environment.applications["front"].environment["PATH_PREFIX"] == "/asked"
    assert environment.gateway_api == "1.4.1"
    said = "\n".join(made.differences)
    assert "what leads to Services of others is left out: legacy" in said
    assert "definitions of the Gateway API 1.4.1" in said
    loaded(made, tmp_path)
