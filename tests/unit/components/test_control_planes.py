"""Clusters of several control-plane nodes: who is first, what they share, and in which order they come."""

from __future__ import annotations

from typing import Any

import pytest

from access import kubeconfig as kubeconfigs
from playbooks.inventory import host_plans
from playbooks.rolling import waves
from playbooks.tokens import CERTIFICATE_AUTHORITY, ENCRYPTION_KEY, HOST_PHASE, SIGNING_KEY
from playbooks.work.clusters import CONTROL_PLANE, authority_name
from stacks.ledger import Ledger, assign
from stacks.model import Environment
from tests.unit.components import support
from tests.unit.components.declared import built, changed, declaration, stack_of

EU = "regions.eu.cluster"
ADDRESS = "192.0.2.20"


def control_plane(number: int) -> dict[str, Any]:
    return {"address": f"192.0.2.{20 + number}", "role": "control-plane"}


def declared(*more: str) -> Any:
    """The region `eu` with an address of its API, and further control-plane nodes by their names."""
    found = changed(declaration(), f"{EU}.apiServerAddress", ADDRESS)
    for number, name in enumerate(more, 1):
        found = changed(found, f"{EU}.nodes.{name}", control_plane(number))
    return found


def phases(
    resources: dict[str, support.Registered], phase: str, region: str = "eu"
) -> dict[str, support.Registered]:
    return {
        each.inputs["host"]: each
        for each in resources.values()
        if each.type == HOST_PHASE and each.inputs["phase"] == phase and each.inputs.get("region") == region
    }


@pytest.fixture(scope="module")
def three() -> dict[str, support.Registered]:
    return built(stack_of(declared("eu-cp-2", "eu-cp-3")))


def test_everybody_reaches_the_api_at_the_shared_address(three: dict[str, support.Registered]) -> None:
    endpoint = f"{ADDRESS}:6443"
    assert {
        each.inputs["variables"]["control_plane_endpoint"] for each in phases(three, "control-plane").values()
    } == {endpoint}
    assert {each.inputs["variables"]["join_endpoint"] for each in phases(three, "join").values()} == {
        endpoint
    }
    (cluster,) = [
        each for each in three.values() if each.type.endswith(":ClusterIdentity") and each.region == "eu"
    ]
    assert f"https://{endpoint}" in str(cluster.inputs["kubeconfig"])


def test_one_makes_the_cluster_and_the_others_join_one_after_the_other(
    three: dict[str, support.Registered],
) -> None:
    made = phases(three, "control-plane")
    assert {host: each.inputs["variables"]["control_plane_initialises"] for host, each in made.items()} == {
        "eu-cp-1": True,
        "eu-cp-2": False,
        "eu-cp-3": False,
    }
    first, second, third = (made[name] for name in ("eu-cp-1", "eu-cp-2", "eu-cp-3"))
    assert not {second.urn, third.urn} & first.depends_on
    assert first.urn in second.depends_on and third.urn not in second.depends_on
    # Also where the second one stays: of two that go, the engine takes none out beside the other.
    assert {first.urn, second.urn} <= third.depends_on
    assert all(each.inputs["kubeconfig"] for each in made.values())


def test_workers_and_objects_wait_for_all_of_them(three: dict[str, support.Registered]) -> None:
    made = {each.urn for each in phases(three, "control-plane").values()}
    (worker, *_) = phases(three, "join").values()
    assert made <= worker.depends_on


def test_they_share_keys_that_are_made_once(three: dict[str, support.Registered]) -> None:
    secrets = [each.inputs["secret_variables"] for each in phases(three, "control-plane").values()]
    assert secrets[0] == secrets[1] == secrets[2]
    assert set(secrets[0]) == {
        "control_plane_ca_private_key",
        "control_plane_encryption_keys",
        "control_plane_etcd_ca_private_key",
        "control_plane_front_proxy_ca_private_key",
        "control_plane_service_account_private_key",
    }
    of_region = {each.name for each in three.values() if each.type in (CERTIFICATE_AUTHORITY, SIGNING_KEY)}
    assert {"eu.front-proxy-ca", "eu.etcd-ca", "eu.service-accounts"} <= of_region


def test_what_they_share_is_taken_over_where_the_first_of_them_has_it_already(
    three: dict[str, support.Registered],
) -> None:
    """It ran alone, and kubeadm made its keys there."""
    found = {
        each.name: each.inputs["kept_on"]
        for each in three.values()
        if each.type in (CERTIFICATE_AUTHORITY, SIGNING_KEY) and each.inputs.get("kept_on")
    }
    assert {name: where["name"] for name, where in found.items()} == {
        "eu.front-proxy-ca": "front-proxy-ca",
        "eu.etcd-ca": "etcd/ca",
        "eu.service-accounts": "sa",
    }
    (first, *_) = phases(three, "control-plane").values()
    for where in found.values():
        assert (where["host"], where["connection"]) == ("eu-cp-1", first.inputs["connection"])


@pytest.mark.parametrize("order", [[1], [1, 2], [2, 1], [2], [3, 2]])
def test_a_key_of_secrets_is_made_when_it_is_named_and_kept_when_it_is_named_no_more(
    order: list[int],
) -> None:
    """For what backups have in them. Each control plane has those that are named, in their order."""
    resources = built(stack_of(changed(declared(), f"{EU}.encryptionKeys", order)))
    made = sorted(each.name for each in resources.values() if each.type == ENCRYPTION_KEY)
    names = ["eu.encryption-key", *(f"eu.encryption-key.{number}" for number in range(2, max(order) + 1))]
    assert [name for name in made if name.startswith("eu.")] == names
    wanted = [{"name": f"name of {name}", "secret": f"secret of {name}"} for name in names]
    for each in phases(resources, "control-plane").values():
        given = each.inputs["secret_variables"]["control_plane_encryption_keys"]
        assert given == [wanted[number - 1] for number in order]


@pytest.mark.parametrize("order", [[1], [1, 2], [2, 1], [2]])
def test_all_authorities_are_trusted_and_the_first_issues(order: list[int]) -> None:
    resources = built(stack_of(changed(declared(), f"{EU}.certificateAuthorities", order)))
    names = {number: f"eu.cluster-ca{'' if number == 1 else f'.{number}'}" for number in order}
    made = {each.name: each for each in resources.values() if each.type == CERTIFICATE_AUTHORITY}
    assert {name for name in made if name.startswith("eu.cluster-ca")} == set(names.values())
    assert made[names[order[0]]].inputs["common_name"] == authority_name("eu", order[0])
    trusted = [f"certificate of {names[number]}" for number in order]
    for each in phases(resources, "control-plane").values():
        variables, secrets = each.inputs["variables"], each.inputs["secret_variables"]
        assert variables["control_plane_ca_certificate"] == trusted[0]
        assert variables.get("control_plane_authorities") == (trusted if len(order) > 1 else None)
        assert secrets["control_plane_ca_private_key"] == f"key of {names[order[0]]}"
    for each in phases(resources, "join").values():
        assert each.inputs["variables"]["join_authorities"] == trusted
    (administrator,) = [each for each in resources.values() if each.name == "eu.administrator"]
    assert administrator.inputs["issuer"]["certificate"] == trusted[0]
    (cluster,) = [
        each for each in resources.values() if each.type.endswith(":ClusterIdentity") and each.region == "eu"
    ]
    assert kubeconfigs.read(cluster.inputs["kubeconfig"]).authority == "".join(trusted)


def test_no_host_s_share_depends_on_who_else_there_is(three: dict[str, support.Registered]) -> None:
    """One that joins, or is taken out, touches nobody who stays."""
    one = phases(built(stack_of(declared())), "control-plane")["eu-cp-1"]
    assert one.inputs["variables"] == phases(three, "control-plane")["eu-cp-1"].inputs["variables"]


def test_a_cluster_without_an_address_is_what_it_was() -> None:
    resources = built(stack_of(declaration()))
    (made,) = phases(resources, "control-plane").values()
    assert not any(name.startswith("control_plane_virtual") for name in made.inputs["variables"])
    assert "control_plane_initialises" not in made.inputs["variables"]
    assert set(made.inputs["secret_variables"]) == {
        "control_plane_ca_private_key",
        "control_plane_encryption_keys",
    }
    assert made.inputs.get("kubeconfig") is None
    assert not [each for each in resources.values() if each.type == SIGNING_KEY]
    ends = {each.deleted_with for each in resources.values() if each.kubernetes and each.region == "eu"}
    assert ends == {made.urn}


def test_objects_go_with_the_cluster_and_not_with_one_of_its_control_planes(
    three: dict[str, support.Registered],
) -> None:
    made = {each.urn for each in phases(three, "control-plane").values()}
    ends = {each.deleted_with for each in three.values() if each.kubernetes and each.region == "eu"}
    assert len(ends) == 1 and not ends & made


def order(environment: Any, ledger: Ledger) -> list[str]:
    plans = host_plans(Environment.model_validate(environment), ledger)
    (wave, *_) = waves(plans, Environment.model_validate(environment))
    return list(wave.hosts)


def test_who_joined_first_is_first_whatever_it_is_called() -> None:
    """A name that sorts before others does not make a cluster a second time."""
    before = declared("eu-cp-2", "eu-cp-3")
    ledger = assign(Environment.model_validate(before), Ledger())
    after = changed(declared("eu-cp-2"), f"{EU}.nodes.a-cp", control_plane(9))
    ledger = assign(Environment.model_validate(after), ledger)
    assert order(after, ledger) == ["eu-cp-1", "eu-cp-2", "a-cp"]
    plans = host_plans(Environment.model_validate(after), ledger)
    first = [
        name
        for name, plan in plans.items()
        if plan.variables.get(CONTROL_PLANE, {}).get("control_plane_initialises")
    ]
    assert first == ["eu-cp-1"]


def test_the_next_one_is_first_when_the_first_is_taken_out() -> None:
    before = declared("eu-cp-2", "eu-cp-3")
    ledger = assign(Environment.model_validate(before), Ledger())
    after = changed(changed(before, f"{EU}.nodes.eu-cp-1", None), f"{EU}.nodes.a-cp", control_plane(9))
    ledger = assign(Environment.model_validate(after), ledger)
    assert order(after, ledger) == ["eu-cp-2", "eu-cp-3", "a-cp"]


def test_keepalived_is_installed_where_an_address_is_shared_alone() -> None:
    def packages(environment: Any) -> dict[str, bool]:
        model = Environment.model_validate(environment)
        plans = host_plans(model, assign(model, Ledger()))
        return {
            name: "keepalived" in next(iter(plan.variables.values()))["base_packages"]
            for name, plan in plans.items()
        }

    assert not any(packages(declaration()).values())
    assert [name for name, has in packages(declared("eu-cp-2", "eu-cp-3")).items() if has] == [
        "eu-cp-1",
        "eu-cp-2",
        "eu-cp-3",
    ]
