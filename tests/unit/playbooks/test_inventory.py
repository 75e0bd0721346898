from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import releases
from playbooks.digest import Sources
from playbooks.inventory import ansible_inventory, host_plans
from playbooks.work.clusters import CONTROL_PLANE, JOIN
from playbooks.work.machines import PREPARE
from playbooks.work.names import EDGE
from stacks.ledger import Ledger
from stacks.model import Environment


def test_the_lab_has_the_golden_inventory(
    environment: Environment, ledger: Ledger, golden: Callable[[str, str], None]
) -> None:
    golden(
        "inventory.yaml", yaml.safe_dump(ansible_inventory(environment, ledger), sort_keys=False, width=100)
    )


def test_a_control_plane_node_is_prepared_and_then_made_one(environment: Environment, ledger: Ledger) -> None:
    plan = host_plans(environment, ledger)["eu-cp-1"]
    assert plan.phases == (PREPARE, CONTROL_PLANE)
    assert plan.groups == ("nodes", "control_planes", "region_eu")
    assert set(plan.variables) == set(plan.phases)


def test_a_worker_is_prepared_and_then_joined(environment: Environment, ledger: Ledger) -> None:
    assert host_plans(environment, ledger)["us-worker-1"].phases == (PREPARE, JOIN)


def test_an_edge_host_gets_nothing_of_kubernetes(environment: Environment, ledger: Ledger) -> None:
    plan = host_plans(environment, ledger)["us-edge-1"]
    assert plan.phases == (PREPARE, EDGE)
    assert "kube" not in json.dumps(plan.variables[PREPARE])


def test_variables_are_plain_json(environment: Environment, ledger: Ledger) -> None:
    for plan in host_plans(environment, ledger).values():
        for values in plan.variables.values():
            assert json.loads(json.dumps(values)) == values


def test_variables_are_named_after_the_phase_s_roles(environment: Environment, ledger: Ledger) -> None:
    for plan in host_plans(environment, ledger).values():
        for phase, values in plan.variables.items():
            owners = (*Sources(phase).roles, "prepare") if phase is PREPARE else Sources(phase).roles
            assert not [key for key in values if not key.startswith(tuple(f"{owner}_" for owner in owners))]


def test_the_order_of_the_declaration_does_not_matter(declaration: dict[str, Any], ledger: Ledger) -> None:
    shuffled = {
        **declaration,
        "regions": {name: declaration["regions"][name] for name in reversed(declaration["regions"])},
    }
    plans = [host_plans(Environment.model_validate(document), ledger) for document in (declaration, shuffled)]
    assert plans[0] == plans[1]
    assert list(plans[0]) == list(plans[1])


def test_adding_a_node_touches_no_other_host(declaration: dict[str, Any], ledger: Ledger) -> None:
    before = host_plans(Environment.model_validate(declaration), ledger)
    declaration["regions"]["eu"]["cluster"]["nodes"]["eu-worker-2"] = {
        "address": "10.101.1.14",
        "role": "worker",
        "profile": "container",
    }
    entries = ledger.model_dump(mode="json")
    entries["nodes"]["eu"]["eu-worker-2"] = "172.30.2.0/24"
    after = host_plans(Environment.model_validate(declaration), Ledger.model_validate(entries))
    assert {name: plan for name, plan in after.items() if name != "eu-worker-2"} == before


def test_a_change_of_one_profile_s_kubelet_touches_the_prepare_phase_alone(
    declaration: dict[str, Any], ledger: Ledger
) -> None:
    before = host_plans(Environment.model_validate(declaration), ledger)
    declaration["hostProfiles"]["container"]["kubelet"]["maxPods"] = 50
    after = host_plans(Environment.model_validate(declaration), ledger)
    changed = {
        (name, phase)
        for name, plan in after.items()
        for phase in plan.phases
        if plan.variables[phase] != before[name].variables[phase]
    }
    nodes = ("eu-cp-1", "eu-worker-1", "us-cp-1", "us-worker-1")
    assert changed == {(name, PREPARE) for name in nodes}


def test_a_node_has_the_sandbox_image_of_its_own_region_s_release(
    declaration: dict[str, Any], ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(releases.ROOT, tmp_path / "releases")
    default = tmp_path / "releases" / "kubernetes" / f"{releases.default('kubernetes')}.toml"
    default.with_name("1.35.0.toml").write_text(default.read_text().replace("/pause:3.10.1", "/pause:3.11"))
    monkeypatch.setattr(releases, "ROOT", tmp_path / "releases")
    declaration["regions"]["us"]["versions"] = {"kubernetes": "1.35.0"}
    plans = host_plans(Environment.model_validate(declaration), ledger)
    images = {name: plans[name].variables[PREPARE].get("container_runtime_sandbox_image") for name in plans}
    assert images["eu-worker-1"] == "registry.k8s.io/pause:3.10.1"
    assert images["us-worker-1"] == "registry.k8s.io/pause:3.11"
    assert images["us-edge-1"] is None


@pytest.mark.parametrize(
    ("cluster", "variables"),
    [
        ({}, {}),
        ({"audit": {"enabled": True, "maxAge": 30}, "encryptionAtRest": True}, {}),
        ({"audit": {"maxAge": 90}}, {"control_plane_audit_max_age": 90}),
        ({"audit": {"enabled": False}}, {"control_plane_audit": False}),
        ({"encryptionAtRest": False}, {"control_plane_encrypt_secrets": False}),
        ({"extendTokens": False}, {"control_plane_extend_tokens": False}),
    ],
)
def test_a_control_plane_is_told_what_of_its_hardening_is_not_as_by_default(
    declaration: dict[str, Any], ledger: Ledger, cluster: dict[str, Any], variables: dict[str, Any]
) -> None:
    before = host_plans(Environment.model_validate(declaration), ledger)["eu-cp-1"].variables[CONTROL_PLANE]
    declaration["regions"]["eu"]["cluster"].update(cluster)
    plans = host_plans(Environment.model_validate(declaration), ledger)
    assert plans["eu-cp-1"].variables[CONTROL_PLANE] == {**before, **variables}
    assert plans["us-cp-1"].variables[CONTROL_PLANE].items() & variables.items() == set()


def test_an_audit_policy_is_read_where_there_is_an_audit_log(
    declaration: dict[str, Any], ledger: Ledger
) -> None:
    cluster = declaration["regions"]["eu"]["cluster"]
    cluster["audit"] = {"policyFile": "/policies/audit.yaml"}
    plans = host_plans(Environment.model_validate(declaration), ledger)
    assert plans["eu-cp-1"].files[CONTROL_PLANE] == {"control_plane_audit_policy": "/policies/audit.yaml"}
    assert CONTROL_PLANE not in plans["us-cp-1"].files
    cluster["audit"]["enabled"] = False
    plans = host_plans(Environment.model_validate(declaration), ledger)
    assert CONTROL_PLANE not in plans["eu-cp-1"].files


def test_services_take_external_addresses_where_the_gateway_is_reached_by_those_of_nodes(
    declaration: dict[str, Any], ledger: Ledger
) -> None:
    region = declaration["regions"]["eu"]
    del region["loadBalancer"]
    region["gatewayNodes"] = ["eu-worker-1"]
    plans = host_plans(Environment.model_validate(declaration), ledger)
    assert plans["eu-cp-1"].variables[CONTROL_PLANE]["control_plane_external_ips"] is True
    assert "control_plane_external_ips" not in plans["us-cp-1"].variables[CONTROL_PLANE]


def test_without_a_fabric_each_node_is_told_its_neighbours_slices(
    declaration: dict[str, Any], ledger: Ledger
) -> None:
    del declaration["regions"]["eu"]["fabric"]
    values = host_plans(Environment.model_validate(declaration), ledger)["eu-cp-1"].variables[PREPARE]
    assert values["pod_network_peers"] == []
    assert values["pod_network_routes"] == [{"slice": "172.30.1.0/24", "via": "10.101.1.12"}]


def test_the_machines_of_an_adopted_cluster_are_not_in_the_inventory(
    declaration: dict[str, Any], ledger: Ledger
) -> None:
    declaration["regions"]["us"]["cluster"] = {
        "kind": "adopted",
        "kubeconfigSecret": "usKubeconfig",
        "podCidr": "172.29.0.0/16",
        "serviceCidr": "172.28.0.0/16",
    }
    plans = host_plans(Environment.model_validate(declaration), ledger)
    assert [name for name, plan in plans.items() if plan.region == "us"] == ["us-edge-1"]


def test_a_site_with_bundles_needs_none_but_the_platform_s_unless_it_declares_more(
    declaration: dict[str, Any], ledger: Ledger
) -> None:
    def bundles(host: str) -> list[str]:
        plans = host_plans(Environment.model_validate(declaration), ledger)
        return plans[host].variables[PREPARE]["images_bundles"]  # type: ignore[no-any-return]

    images = declaration["sources"]["images"]
    declaration["versions"] = {"kubernetes": "1.34.3", "istio": "1.28.3", "metallb": "0.15.2"}
    declaration["regions"]["us"]["versions"] = {"kubernetes": "1.34.9"}
    images["bundles"] = ["shop", "istio-1.28.3"]
    platform = ["istio-1.28.3", "kubernetes-node-1.34.3", "metallb-0.15.2"]
    assert bundles("eu-worker-1") == [*platform, "shop"]
    assert bundles("eu-cp-1") == ["kubernetes-control-plane-1.34.3", *platform[1:]]
    assert "kubernetes-node-1.34.9" in bundles("us-worker-1")
    del images["bundles"]
    assert bundles("eu-worker-1") == platform
