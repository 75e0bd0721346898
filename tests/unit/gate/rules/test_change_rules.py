"""Rules about what a change does: each bad change beside a good one that differs in one thing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.manifests import Manifest, mesh, named, namespaces
from components.tokens import (
    BARE_METAL_CLUSTER,
    GATEWAY_TRUST,
    GLOBAL_LOAD_BALANCER,
    LOAD_BALANCER_POOL,
    MESH_TRUST,
)
from gate.rules.change import CHECKS, capacity, mtls_kept, name_servers, protected, stateful, trust
from playbooks.tokens import CERTIFICATE_AUTHORITY
from report.model import UNKNOWN, Against, Change, PropertyChange, Resource, Risk, Severity, Status
from stacks.answers import INPUT, Answers
from stacks.model import HealthCheck, NamespaceSpec
from tests.unit.gate.rules.support import (
    MENDED,
    against,
    below,
    changes,
    component,
    creation,
    deletion,
    host_phase,
    kubernetes,
    region,
    replacement,
    stack,
    update,
    with_environment,
    with_region,
)
from tests.unit.stacks.routing_cases import environment


def test_nothing_is_against_no_change() -> None:
    for check in CHECKS:
        assert against(check, changes(), today=MENDED) == []


def test_every_rule_has_a_name_a_title_and_help() -> None:
    assert len({check.rule.id for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        assert check.rule.id.startswith("change/")
        assert len(check.rule.help) > 80


# -- What holds state


def claim(size: str = "1Gi") -> Resource:
    return kubernetes(
        named(
            "v1", "PersistentVolumeClaim", "data", "shop", spec={"resources": {"requests": {"storage": size}}}
        )
    )


LOST = {"risk": Risk.DESTRUCTIVE, "why": "its data goes with it", "replace_reasons": ("spec",)}


def test_a_replacement_that_loses_state_wants_approval() -> None:
    (found,) = against(stateful.CHECK, changes(replacement(claim(), claim("2Gi"), **LOST)))
    assert "because of spec: its data goes with it" in found.message
    assert "--approve 'kubernetes:core/v1:PersistentVolumeClaim::eu.shop.data'" in found.fix


@pytest.mark.parametrize(
    "good",
    [
        replacement(claim(), claim("2Gi"), **LOST, approved=True),
        replacement(claim(), claim("2Gi"), **LOST, pending=True),
        replacement(claim(), claim("2Gi"), risk=Risk.TRAFFIC),
        update(claim(), claim("2Gi"), risk=Risk.DESTRUCTIVE),
        replacement(kubernetes(named("batch/v1", "Job", "seed", "shop")), risk=Risk.DESTRUCTIVE),
    ],
)
def test_an_approved_one_and_what_loses_nothing_pass(good: Change) -> None:
    assert against(stateful.CHECK, changes(good)) == []


# -- What is protected


@pytest.mark.parametrize("change", [deletion, replacement])
def test_what_is_protected_neither_goes_nor_is_replaced(change: Any) -> None:
    (found,) = against(protected.CHECK, changes(change(replace(claim(), protect=True), approved=True)))
    assert found.severity is Severity.ERROR
    assert against(protected.CHECK, changes(change(claim()))) == []


def test_what_is_protected_may_change() -> None:
    kept = replace(claim(), protect=True)
    assert against(protected.CHECK, changes(update(kept, kept))) == []


# -- Mutual TLS


def space(name: str = "shop", where: str = "eu") -> Resource:
    return kubernetes(namespaces.application(name, NamespaceSpec(pod_security="privileged")), where)


def mode(namespace: str, found: str) -> Resource:
    return kubernetes(mesh.peer_authentication(namespace, found))


EVERYWHERE = mode("istio-system", "STRICT")


@pytest.mark.parametrize("weaker", ["PERMISSIVE", "DISABLE"])
def test_a_namespace_does_not_go_back(weaker: str) -> None:
    old, new = mode("shop", "STRICT"), mode("shop", weaker)
    (found,) = against(mtls_kept.CHECK, changes(update(old, new), same=[space(), EVERYWHERE]))
    assert weaker in found.message
    assert found.urn == new.urn
    assert against(mtls_kept.CHECK, changes(update(new, old), same=[space(), EVERYWHERE])) == []


def test_without_its_own_a_namespace_has_the_meshs_mode() -> None:
    gone = deletion(mode("shop", "STRICT"))
    assert against(mtls_kept.CHECK, changes(gone, same=[space(), EVERYWHERE])) == []
    assert len(against(mtls_kept.CHECK, changes(gone, same=[space()]))) == 1


def test_the_mesh_does_not_go_back() -> None:
    weaker = update(EVERYWHERE, mode("istio-system", "PERMISSIVE"))
    assert len(against(mtls_kept.CHECK, changes(weaker, same=[space()]))) == 1
    own = mode("shop", "STRICT")
    assert against(mtls_kept.CHECK, changes(weaker, same=[space(), own])) == []


def test_a_new_policy_weakens_a_namespace_as_well() -> None:
    new = creation(mode("shop", "PERMISSIVE"))
    assert len(against(mtls_kept.CHECK, changes(new, same=[space(), EVERYWHERE]))) == 1
    assert against(mtls_kept.CHECK, changes(new, creation(space()), same=[EVERYWHERE])) == []


def narrow(spec: dict[str, Any]) -> Resource:
    manifest: Manifest = named("security.istio.io/v1", "PeerAuthentication", "some", "shop", spec=spec)
    return kubernetes(manifest)


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({"selector": {"matchLabels": {"app": "web"}}, "mtls": {"mode": "PERMISSIVE"}}, 1),
        ({"selector": {"matchLabels": {"app": "web"}}, "mtls": {"mode": "STRICT"}}, 0),
        ({"portLevelMtls": {"8080": {"mode": "DISABLE"}}}, 1),
        ({"portLevelMtls": {"8080": {"mode": "STRICT"}}}, 0),
    ],
)
def test_some_pods_or_ports_do_not_go_back_either(spec: dict[str, Any], count: int) -> None:
    assert len(against(mtls_kept.CHECK, changes(creation(narrow(spec)), same=[space(), EVERYWHERE]))) == count
    assert against(mtls_kept.CHECK, changes(same=[narrow(spec), space(), EVERYWHERE])) == []


def test_what_goes_altogether_is_not_weakened() -> None:
    gone = [deletion(space()), deletion(mode("shop", "STRICT")), deletion(EVERYWHERE)]
    assert against(mtls_kept.CHECK, changes(*gone)) == []


# -- Capacity


def cluster(name: str) -> Resource:
    return below(region(name), BARE_METAL_CLUSTER, name, {"nodes": []}, region=name, custom=False)


def worker(where: str, number: int = 1) -> Resource:
    return host_phase(cluster(where), f"{where}-worker-{number}", "join")


def gateway(where: str, replicas: int = 2) -> Resource:
    spec = {"replicas": replicas}
    return kubernetes(
        named("apps/v1", "Deployment", "istio-ingressgateway", "istio-ingress", spec=spec), where
    )


HERE = [region("eu"), region("us")]


@pytest.mark.parametrize(
    "loss",
    [
        lambda where: deletion(worker(where)),
        lambda where: replacement(worker(where)),
        lambda where: deletion(gateway(where)),
        lambda where: update(gateway(where), gateway(where, 1)),
        lambda where: replacement(
            below(region(where), "pulumi:providers:kubernetes", f"{where}.kubernetes", {}, region=where)
        ),
        lambda where: deletion(cluster(where)),
    ],
)
def test_two_regions_do_not_lose_capacity_at_once(loss: Any) -> None:
    (found,) = against(capacity.CHECK, changes(loss("eu"), loss("us"), same=HERE))
    assert found.message.startswith("2 regions lose capacity in one change: eu: ")
    assert against(capacity.CHECK, changes(loss("eu"), same=[*HERE, worker("us")])) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda where: update(worker(where), worker(where)),
        lambda where: creation(worker(where, 2)),
        lambda where: update(gateway(where, 1), gateway(where, 2)),
        lambda where: deletion(kubernetes(named("apps/v1", "Deployment", "web", "shop"), where)),
        lambda where: deletion(host_phase(region(where), f"{where}-edge-1", "prepare")),
    ],
)
def test_what_costs_no_capacity_may_happen_everywhere(change: Any) -> None:
    assert against(capacity.CHECK, changes(change("eu"), change("us"), same=HERE)) == []


def test_a_region_that_goes_with_all_it_has_is_one() -> None:
    whole = [deletion(region("eu")), deletion(cluster("eu")), deletion(worker("eu")), deletion(gateway("eu"))]
    assert against(capacity.CHECK, changes(*whole, same=[region("us")])) == []
    assert len(against(capacity.CHECK, changes(*whole, deletion(worker("us")), same=[region("us")]))) == 1


# -- Names


def server(name: str) -> Resource:
    return host_phase(component(GLOBAL_LOAD_BALANCER, "global-load-balancer"), name, "edge")


def test_one_name_server_is_warned_of() -> None:
    (found,) = against(name_servers.CHECK, changes(creation(server("eu-edge-1"))))
    assert found.severity is Severity.WARNING
    assert "only name server" in found.message
    # One region alone has no other.
    assert found.fix.startswith("declare a second edge host")
    assert (
        against(name_servers.CHECK, changes(creation(server("eu-edge-1")), creation(server("us-edge-1"))))
        == []
    )


def test_one_name_server_that_clients_know_stays() -> None:
    new = [creation(server("eu-edge-3")), creation(server("us-edge-3"))]
    gone = [deletion(server("eu-edge-1")), deletion(server("us-edge-1"))]
    (found,) = against(name_servers.CHECK, changes(*gone, *new))
    assert found.severity is Severity.ERROR
    (found,) = against(name_servers.CHECK, changes(gone[0], *new, same=[server("us-edge-1")]))
    assert found.severity is Severity.WARNING
    kept = [server("us-edge-1"), server("us-edge-2")]
    assert against(name_servers.CHECK, changes(gone[0], *new, same=kept)) == []


def test_one_that_is_replaced_does_not_stay() -> None:
    both = [replacement(server("eu-edge-1")), replacement(server("us-edge-1"))]
    (found,) = against(name_servers.CHECK, changes(*both))
    assert found.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("names", "targets", "words"),
    [
        (
            ["example.org"],
            {"eu": "lb-eu.example.net", "us": "lb-us.example.net"},
            "example.org would be answered",
        ),
        (["www.example.org"], {"eu": "lb-eu.example.net"}, ""),
        (["example.org"], {"eu": "lb-eu.example.net", "us": "192.0.2.1"}, ""),
        (["example.org"], {"eu": "lb-eu.example.net", "us": UNKNOWN}, ""),
    ],
)
def test_a_zone_s_own_name_needs_a_gateway_with_an_address(
    names: list[str], targets: dict[str, str], words: str
) -> None:
    answers = Answers("example.org", tuple(names), 5, targets, {}, HealthCheck())
    balancer = component(GLOBAL_LOAD_BALANCER, "global-load-balancer", {INPUT: answers.to_inputs()})
    found = against(name_servers.CHECK, changes(creation(balancer)))
    assert words in "".join(finding.message for finding in found)
    assert bool(found) is bool(words)
    assert all("www.example.org" in finding.fix for finding in found)


def balanced(**declared: Any) -> Resource:
    """The balancer of two regions with such policies."""
    targets = declared.pop("targets", {"eu": ["192.0.2.1"], "us": ["192.0.2.2"]})
    answers = Answers.of(environment(["eu", "us"], {"shop": "shop.example.org"}, {}, **declared), targets)
    return component(GLOBAL_LOAD_BALANCER, "global-load-balancer", {INPUT: answers.to_inputs()})


SITE = {"geography": {"site": {"prefixes": ["10.1.0.0/16"], "regions": ["us"]}}}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, {}, []),
        ({}, {"policy": {"failover": ["eu", "us"]}}, ["all clients move from eu, us to eu"]),
        ({}, {"drained": ["us"]}, ["all clients move from eu, us to eu"]),
        ({"drained": ["us"]}, {}, ["all clients move from eu to eu, us"]),
        ({}, {"policy": SITE}, ["clients of 10.1.0.0/16 move from eu, us to us"]),
        (
            {"policy": {"weights": {"eu": 3, "us": 1}}},
            {"policy": {"weights": {"eu": 1, "us": 1}}},
            ["all clients move from eu 75%, us 25% to eu 50%, us 50%"],
        ),
        (
            {"policy": {"failover": ["eu", "us"]}},
            {"policy": {"failover": ["eu", "us"], **SITE}},
            ["clients of 10.1.0.0/16 move from eu to us"],
        ),
    ],
)
def test_whom_a_policy_leads_elsewhere_is_noted(
    before: dict[str, Any], after: dict[str, Any], words: list[str]
) -> None:
    found = against(name_servers.CHECK, changes(update(balanced(**before), balanced(**after))))
    assert [each.message for each in found] == [f"shop.example.org: {each}" for each in words]
    assert {each.severity for each in found} <= {Severity.NOTE}


@pytest.mark.parametrize(
    ("policy", "targets", "words"),
    [
        ({"failover": ["us"]}, {"eu": ["lb.example.net"], "us": ["192.0.2.2"]}, ""),
        ({"weights": {"eu": 1, "us": 0}}, {"eu": ["lb.example.net"], "us": ["192.0.2.2"]}, ""),
        ({"weights": {"eu": 1, "us": 2}}, {"eu": ["lb.example.net"], "us": ["lb.example.com"]}, ""),
        ({"weights": {"eu": 1, "us": 2}}, {"eu": ["lb.example.net"], "us": ["(known after up)"]}, ""),
        (
            {"weights": {"eu": 1, "us": 2}},
            {"eu": ["lb.example.net"], "us": ["192.0.2.2"]},
            "eu cannot be weighed beside us",
        ),
    ],
)
def test_weights_over_host_names_and_addresses_together_are_refused(
    policy: dict[str, Any], targets: dict[str, list[str]], words: str
) -> None:
    found = against(name_servers.CHECK, changes(creation(balanced(policy=policy, targets=targets))))
    assert [each.severity for each in found] == [Severity.ERROR] * bool(words)
    assert all(words in each.message for each in found)


def test_a_zone_s_own_name_is_led_to_no_host_name_by_a_policy() -> None:
    entry = Answers.from_inputs(
        balanced(policy={"failover": ["us"]}, targets={"eu": ["lb.example.net"], "us": ["192.0.2.2"]}).inputs
    )
    assert entry is not None
    at_apex = replace(entry, zone="shop.example.org")
    assert [
        "shop.example.org cannot be led to eu" in words for words, _ in name_servers._unkept(at_apex)
    ] == [True]


def test_one_region_stays() -> None:
    servers = [server("eu-edge-1"), server("us-edge-1")]
    gone = [deletion(region("eu")), deletion(region("us"))]
    (found,) = against(name_servers.CHECK, changes(*gone, creation(region("ap")), same=servers))
    assert found.message == "no region stays: eu, us go"
    assert against(name_servers.CHECK, changes(gone[0], same=[*servers, region("us")])) == []


@pytest.mark.parametrize(("ttl", "count"), [(1, 1), (2, 0), (5, 0), (60, 0), (61, 1), (3600, 1)])
def test_answers_are_neither_kept_too_long_nor_asked_for_each_time(ttl: int, count: int) -> None:
    balancer = stack().environment.global_load_balancer
    assert balancer is not None
    other = with_environment(
        stack(), lambda _: {"global_load_balancer": balancer.model_copy(update={"ttl": ttl})}
    )
    found = against(name_servers.CHECK, changes(same=[server("eu-edge-1"), server("us-edge-1")]), of=other)
    assert [each.severity for each in found] == [Severity.WARNING] * count


def test_the_help_names_the_bounds() -> None:
    assert "from 2 to 60 s" in name_servers.RULE.help


# -- Trust

MESH = component(MESH_TRUST, "mesh", {"id": "crossmesh", "trust_domain": "lab.crossmesh.test"})
OLD_MESH = replace(MESH, inputs={"id": "crossmesh", "trust_domain": "old.crossmesh.test"})
NAMED = {"common_name": "root", "organization": "example.test", "validity_days": 3650}
ROOT = below(MESH, CERTIFICATE_AUTHORITY, "mesh-root", NAMED)


def test_the_trust_domain_stays() -> None:
    (found,) = against(trust.CHECK, changes(update(OLD_MESH, MESH)))
    assert "old.crossmesh.test" in found.message
    assert against(trust.CHECK, changes(update(MESH, MESH))) == []


def test_where_no_resource_says_it_the_declaration_does() -> None:
    before = with_environment(
        stack(), lambda found: {"mesh": found.mesh.model_copy(update={"trust_domain": "old.crossmesh.test"})}
    )
    assert len(against(trust.CHECK, changes(), before=before)) == 1
    assert against(trust.CHECK, changes(), before=stack()) == []


def reissued(root: Resource = ROOT, key: bool = False, **inputs: Any) -> Change:
    """A root that is signed anew in place."""
    changed = [PropertyChange(name, root.inputs.get(name), value) for name, value in inputs.items()]
    if key:
        changed.append(PropertyChange("private_key", "[secret]", "[secret]"))
    return update(root, replace(root, inputs={**root.inputs, **inputs}), properties=tuple(changed))


@pytest.mark.parametrize(
    ("change", "count"),
    [
        (replacement(ROOT), 1),
        (deletion(ROOT), 1),
        (reissued(key=True), 1),
        (reissued(common_name="prod root CA"), 1),
        (reissued(organization="other.test"), 1),
        (reissued(path_length=0), 1),
        (reissued(path_length=1), 0),
        (reissued(validity_days=20), 0),
        (reissued(dns_names=["ca.example.test"]), 0),
        (creation(ROOT), 0),
    ],
)
def test_a_root_stays_one_by_which_what_it_signed_verifies(change: Change, count: int) -> None:
    found = against(trust.CHECK, changes(change))
    assert len(found) == count
    assert all(each.status is Status.FAIL for each in found)


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        (component(GATEWAY_TRUST, "gateways"), "clients of gateways trust"),
        (below(region("eu"), BARE_METAL_CLUSTER, "eu", {}, region="eu"), "the cluster's nodes trust"),
    ],
)
def test_what_clients_and_nodes_hold_on_to_stays_as_well(holder: Resource, words: str) -> None:
    root = below(holder, CERTIFICATE_AUTHORITY, "authority", NAMED)
    (found,) = against(trust.CHECK, changes(reissued(root, common_name="other")))
    assert words in found.message
    assert against(trust.CHECK, changes(reissued(root, path_length=0))) == [], "nothing is below it"
    assert against(trust.CHECK, changes(deletion(root), deletion(holder))) == [], "all of it goes"


@pytest.mark.parametrize(
    ("before", "after", "kept"), [((2, 1), (2,), False), ((1, 2), (2,), True), ((1,), (1,), True)]
)
def test_an_authority_that_another_one_has_followed_may_go(
    before: tuple[int, ...], after: tuple[int, ...], kept: bool
) -> None:
    holder = below(region("eu"), BARE_METAL_CLUSTER, "eu", {}, region="eu")
    root = below(
        holder, CERTIFICATE_AUTHORITY, "eu.cluster-ca", {"common_name": "kubernetes-eu"}, region="eu"
    )

    def declared(numbers: tuple[int, ...]) -> Any:
        update = {"certificate_authorities": numbers}
        return with_region(stack(), "eu", lambda old: {"cluster": old.cluster.model_copy(update=update)})

    found = against(trust.CHECK, changes(deletion(root)), of=declared(after), before=declared(before))
    assert bool(found) is kept


def test_an_authority_whose_both_ends_change_in_one_run_is_nobodys_trust() -> None:
    webhook = below(component(LOAD_BALANCER_POOL, "eu"), CERTIFICATE_AUTHORITY, "webhook", NAMED)
    assert against(trust.CHECK, changes(reissued(webhook, key=True))) == []


def test_a_key_that_was_written_anew_cannot_be_compared_without_a_state(tmp_path: Path) -> None:
    old, new = (replace(stack(), path=tmp_path / name) for name in ("old.yaml", "new.yaml"))
    for found, letters in ((old, "v1:a:b"), (new, "v1:c:d")):
        found.path.write_text(f"config:\n  crossmesh:meshRootKey:\n    secure: {letters}\n")
    (told,) = against(trust.CHECK, replace(changes(), against=Against.BASE), of=new, before=old)
    assert (told.status, "meshRootKey was written anew" in told.message) == (Status.NOT_MEASURABLE, True)
    assert against(trust.CHECK, replace(changes(), against=Against.BASE), of=new, before=new) == []
    assert against(trust.CHECK, changes(), of=new, before=old) == [], "the engine compares what it decrypts"
