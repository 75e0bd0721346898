"""Labels and taints that are declared of nodes reach the nodes, and nothing else of them is ours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from components.manifests.clusters import labels
from components.platform import Platform
from playbooks.inventory import host_plans
from playbooks.tokens import CLUSTER_IDENTITY, NODE_TAINTS
from playbooks.work.clusters import CONTROL_PLANE
from playbooks.work.machines import PREPARE
from stacks.model import HostProfile, Node
from stacks.model.clusters import Taint
from tests.unit.components import support

GPU = Taint(key="nvidia.com/gpu", value="true", effect="NoSchedule")
TAINTS = [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]


@pytest.fixture
def labelled(stack):
    """The reference environment with a label and a taint of one worker."""
    nodes = dict(stack.environment.regions["eu"].cluster.nodes)
    nodes["eu-worker-1"] = nodes["eu-worker-1"].model_copy(update={"labels": {"gpu": "t4"}, "taints": (GPU,)})
    cluster = stack.environment.regions["eu"].cluster.model_copy(update={"nodes": nodes})
    regions = {
        **stack.environment.regions,
        "eu": stack.environment.regions["eu"].model_copy(update={"cluster": cluster}),
    }
    return replace(stack, environment=stack.environment.model_copy(update={"regions": regions}))


def test_a_node_of_which_nothing_is_declared_is_left_alone(up, stack):
    assert up.of("kubernetes:core/v1:NodePatch") == []
    assert up.of(NODE_TAINTS) == []
    assert labels("n", Node(address="192.0.2.1", role="worker")) is None


def test_labels_and_taints_are_given_to_the_node_once_it_is_a_member(small_charts, labelled):
    found = support.run(lambda: Platform("lab", labelled, "root key").outputs, preview=False)
    (patch,) = found.of("kubernetes:core/v1:NodePatch")
    assert patch.inputs["metadata"]["labels"]["gpu"] == "t4"
    # The list is one field, which others write as well: who applies it takes away what they put in.
    assert "spec" not in patch.inputs
    (taints,) = found.of(NODE_TAINTS)
    assert taints.name == "eu.eu-worker-1.taints"
    assert taints.inputs["node"] == "eu-worker-1"
    assert taints.inputs["taints"] == {"nvidia.com/gpu:NoSchedule": "true"}
    joined = found.one("crossmesh:hosts:HostPhase", "eu-worker-1.join")
    identity = found.one(CLUSTER_IDENTITY, "eu.identity")
    assert {joined.urn, identity.urn} <= found.needs(taints)
    assert {joined.urn, taints.urn} <= found.needs(patch)
    assert taints.deleted_with == found.one("crossmesh:hosts:HostPhase", "eu-cp-1.control-plane").urn
    assert "kubeconfig" in taints.secrets
    assert (taints.region, taints.declared) == ("eu", ("regions", "eu", "cluster"))


def test_a_node_has_its_taints_before_any_pod_can_come(stack, labelled):
    plans = host_plans(labelled.environment, labelled.ledger)
    before = host_plans(stack.environment, stack.ledger)
    kubelet = {name: plan.variables[PREPARE].get("kubelet_configuration") for name, plan in plans.items()}
    assert kubelet["eu-worker-1"]["registerWithTaints"] == TAINTS
    assert [name for name in plans if plans[name].variables != before[name].variables] == ["eu-worker-1"]


def test_a_cluster_of_one_node_runs_everything_there(small_charts, stack):
    region = stack.environment.regions["eu"]
    only = region.cluster.nodes["eu-cp-1"].model_copy(update={"workload": True})
    cluster = region.cluster.model_copy(update={"nodes": {"eu-cp-1": only}})
    regions = {**stack.environment.regions, "eu": region.model_copy(update={"cluster": cluster})}
    alone = replace(stack, environment=stack.environment.model_copy(update={"regions": regions}))
    plans = host_plans(alone.environment, alone.ledger)
    assert "join" not in [phase.name for phase in plans["eu-cp-1"].phases]
    bundles = plans["eu-cp-1"].variables[PREPARE]["images_bundles"]
    assert {"istio", "kubernetes-control-plane"} <= {bundle.rpartition("-")[0] for bundle in bundles}
    assert "solution" in bundles
    found = support.run(lambda: Platform("lab", alone, "root key").outputs, preview=False)
    (patch,) = found.of("kubernetes:core/v1:NodePatch")
    # kubeadm's taint of a control plane is its role's matter: it must not come at all.
    assert found.of(NODE_TAINTS) == []
    assert plans["eu-cp-1"].variables[CONTROL_PLANE]["control_plane_taints"] == []
    with_worker = host_plans(stack.environment, stack.ledger)["eu-cp-1"].variables[CONTROL_PLANE]
    assert [taint["effect"] for taint in with_worker["control_plane_taints"]] == ["NoSchedule"]
    assert patch.inputs["metadata"]["labels"]["node-role.kubernetes.io/worker"] == ""
    istiod = found.one("kubernetes:apps/v1:Deployment", "eu.istio-system.istiod")
    assert istiod.inputs["spec"]["replicas"] == 1


def test_taints_of_a_profile_come_and_go_as_the_node_s_own_do(small_charts, stack):
    nodes = dict(stack.environment.regions["eu"].cluster.nodes)
    nodes["eu-worker-1"] = nodes["eu-worker-1"].model_copy(update={"profile": "gpu", "taints": (GPU,)})
    cluster = stack.environment.regions["eu"].cluster.model_copy(update={"nodes": nodes})
    region = stack.environment.regions["eu"].model_copy(update={"cluster": cluster})
    own = {"key": "shelf", "effect": "NoExecute"}
    profiles = {
        **stack.environment.host_profiles,
        "gpu": HostProfile(kubelet={"registerWithTaints": [{**TAINTS[0], "value": "old"}, own]}),
    }
    changed = {"regions": {**stack.environment.regions, "eu": region}, "host_profiles": profiles}
    stack = replace(stack, environment=stack.environment.model_copy(update=changed))
    found = support.run(lambda: Platform("lab", stack, "root key").outputs, preview=False)
    assert found.of("kubernetes:core/v1:NodePatch") == []
    (taints,) = found.of(NODE_TAINTS)
    assert taints.inputs["taints"] == {"nvidia.com/gpu:NoSchedule": "true", "shelf:NoExecute": ""}
    plan = host_plans(stack.environment, stack.ledger)["eu-worker-1"]
    assert plan.variables[PREPARE]["kubelet_configuration"]["registerWithTaints"] == [*TAINTS, own]
