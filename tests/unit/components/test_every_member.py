"""Members of maps and lists, and what a region or a host says otherwise: that one comes or goes is seen."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_origin

import pytest
import yaml

from stacks.introspect import models_in
from stacks.model import Environment, Model
from stacks.model.machines import HostLogin, JumpHost
from tests.unit.components.declared import built, changed, compared, declaration, keys, plain, stack_of

EU, STOCK = "regions.eu", "applications.stock"
NODES = f"{EU}.cluster.nodes"
WORKER, EDGE = f"{NODES}.eu-worker-1", f"{EU}.edges.eu-edge-1"
MEMBERS = (
    "domains.1",
    "unlistedPairs.1",
    "sources.apt.1",
    "sources.apt.0.components.1",
    "sources.images.bundles.1",
    "sources.proxy.except.1",
    "sources.registries.1",
    "hostProfiles.small.kubelet.podPidsLimit",
    "hostProfiles.small.kubeProxy.conntrack",
    "hostProfiles.small.kubeadmIgnorePreflight.1",
    "regions.cloud",
    f"{EU}.fabric.peers.1",
    f"{EU}.gatewayNodes.0",
    f"{EU}.cluster.apiServerNames.0",
    f"{EU}.cluster.certificateAuthorities.1",
    f"{EU}.cluster.encryptionKeys.1",
    f"{NODES}.eu-worker-2",
    f"{WORKER}.labels.disk",
    f"{WORKER}.taints.0",
    f"{WORKER}.accept.0",
    f"{WORKER}.replaceablePackages.0",
    f"{EU}.edges.eu-edge-2",
    f"{EDGE}.accept.0",
    f"{EDGE}.replaceablePackages.0",
    "namespaces.back",
    "applications.spare",
    f"{STOCK}.environment.LEVEL",
    f"{STOCK}.files.</etc/stock/other>",
    f"{STOCK}.writable.1",
    "certificates.more",
    "certificates.apart.hosts.1",
    "ingresses.other",
    "ingresses.shop.paths.1",
    "routes.more",
    "routes.api.hosts.1",
    "routes.api.rules.1",
    "routes.api.rules.0.methods.1",
    "routes.api.rules.0.headers.x-more",
    "routes.api.rules.0.backends.1",
    *(
        f"routes.api.rules.0.{key}.{member}"
        for key in ("requestHeaders", "responseHeaders")
        for member in ("set.x-b", "add.x-d", "remove.1")
    ),
    "globalLoadBalancer.drained.0",
    "globalLoadBalancer.healthCheck.returned.cloud",
    "globalLoadBalancer.hostPolicies.<shop.example.test>",
    *(
        f"globalLoadBalancer.{policy}.{member}"
        for policy in ("policy", "hostPolicies.<shop.example.test>")
        for member in (
            "weights.eu",
            "failover.0",
            "geography.there",
            "geography.here.prefixes.1",
            "geography.here.countries.1",
            "geography.here.continents.1",
            "geography.here.regions.0",
            "geography.here.failover.0",
        )
    ),
)
"""Of each map and list of the declaration, a member that can go by itself."""
NAMED_ONLY = {
    "hostProfiles": "a profile that no node names does nothing; of one that it names, each field is seen"
}
"""Maps whose members are seen by those who name them."""
LOGINS = {"eu-cp-1": f"{EU}.ssh", "eu-worker-1": f"{WORKER}.ssh", "eu-edge-1": f"{EDGE}.ssh"}
"""Where each of these hosts has from how it is logged in to: its region, or itself."""
JUMP = {"address", "user", "port", "privateKeyFile"}
OTHERS = {
    f"{STOCK}.environment.LEVEL": "debug",
    f"{STOCK}.files.</etc/stock/other>.secret": "other",
    f"{NODES}.eu-worker-2.profile": "large",
    "hostProfiles.small.kubelet.podPidsLimit": 101,
    f"{WORKER}.labels.disk": "slow",
}
"""Values inside of maps, which are no key of the model."""


def merged(one: Any, other: Any) -> Any:
    """The first with what the second says; lists are the second's."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {key: merged(one.get(key), other.get(key, one.get(key))) for key in {**one, **other}}
    return copy.deepcopy(other)


FULL = merged(declaration(), yaml.safe_load(Path(__file__).with_name("full.yaml").read_text()))


def at(path: str) -> Any:
    """What the declaration has there."""
    found = FULL
    for key in keys(path):
        found = found[key]
    return found


def leaves(path: str, inside: str = "") -> Iterator[str]:
    """All that is said there, as paths below it."""
    for key, value in at(path).items():
        yield from leaves(f"{path}.{key}", f"{key}.") if isinstance(value, Mapping) else [f"{inside}{key}"]


def another(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
    return f"{value}x" if not value.startswith("192.") else f"{value}9"


def containers(model: type[Model], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every map and list of the model, with * for a member."""
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        is_container = get_origin(field.annotation) in (dict, tuple)
        if is_container:
            yield ".".join(here)
        for inner in models_in(field.annotation):
            yield from containers(inner, (*here, "*") if is_container else here)


def pattern(path: str) -> str:
    """A member's map or list, as `containers` tells it."""
    parts, place, found = keys(path)[:-1], FULL, []
    holder = ""
    for part in parts:
        found.append("*" if isinstance(place, list) or holder in OF_NAMES else str(part))
        holder, place = ".".join(found), place[part]
    return ".".join(found)


OF_NAMES = set(containers(Environment))
"""Under these are names, and no keys of the model."""


@pytest.fixture(scope="module")
def before(later: None) -> dict[str, Any]:
    return seen(FULL)


def seen(declared: Any) -> dict[str, Any]:
    """What the gate compares, by URN, as text."""
    return {urn: plain(inputs) for urn, inputs in compared(built(stack_of(declared))).items()}


def changed_hosts(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Those of the hosts of `LOGINS` all of whose phases differ."""
    return {
        host
        for host in LOGINS
        if all(before[urn] != after[urn] for urn in before if f"HostPhase::{host}." in urn)
    }


def test_every_map_and_list_of_the_model_loses_a_member_here() -> None:
    lost = {pattern(member) for member in MEMBERS}
    assert lost | NAMED_ONLY.keys() == OF_NAMES
    assert not lost & NAMED_ONLY.keys()


@pytest.mark.parametrize("member", MEMBERS)
def test_that_a_member_goes_or_comes_is_seen_by_the_gate(member: str, before: dict[str, Any]) -> None:
    assert seen(changed(FULL, member, None)) != before


@pytest.mark.parametrize("path", OTHERS)
def test_a_value_inside_of_a_map_is_seen_by_the_gate(path: str, before: dict[str, Any]) -> None:
    assert seen(changed(FULL, path, OTHERS[path])) != before


def test_a_region_and_a_host_say_all_that_a_login_may_say() -> None:
    both = {"user", "port", "privateKeyFile", "becomePassword", *(f"jump.{key}" for key in JUMP)}
    for host, login in LOGINS.items():
        assert {*leaves(login)} == (both if host == "eu-cp-1" else both | {"address"})
    said = {field.alias or name for name, field in HostLogin.model_fields.items()}
    assert said == {leaf.partition(".")[0] for leaf in both} | {"address", "direct"}
    assert {field.alias or name for name, field in JumpHost.model_fields.items()} == JUMP


@pytest.mark.parametrize("leaf", sorted(leaves(f"{WORKER}.ssh")))
def test_what_a_region_or_a_host_says_otherwise_is_seen_by_the_gate_for_each_host(
    leaf: str, before: dict[str, Any]
) -> None:
    declared = FULL
    holders = {host: login for host, login in LOGINS.items() if leaf in leaves(login)}
    for login in holders.values():
        declared = changed(declared, f"{login}.{leaf}", another(at(f"{login}.{leaf}")))
    assert changed_hosts(before, seen(declared)) == holders.keys()


@pytest.mark.parametrize("key", ["user", "port", "privateKeyFile", "becomePassword", "jump"])
def test_that_it_is_said_no_more_is_seen_by_the_gate_for_each_host(key: str, before: dict[str, Any]) -> None:
    declared = FULL
    for login in LOGINS.values():
        declared = changed(declared, f"{login}.{key}", None)
    after = seen(declared)
    assert changed_hosts(before, after) == LOGINS.keys()
    if key == "jump":
        # There is that of the environment still, until they are reached directly.
        for login in LOGINS.values():
            declared = changed(declared, f"{login}.direct", True)
        assert changed_hosts(after, seen(declared)) == LOGINS.keys()
