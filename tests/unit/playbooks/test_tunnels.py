from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from playbooks.inventory import HostPlan, ansible_inventory, host_plans
from playbooks.phase import COLLECTION
from playbooks.work.machines import PREPARE
from playbooks.work.network import INTERFACE, TUNNEL
from stacks.ledger import Ledger
from stacks.model import Environment

Render = Callable[..., str]
KEYS = {
    "tunnel_private_key": "private key of eu-worker-1",
    "tunnel_public_keys": {"us-cp-1": "public key of us-cp-1", "us-worker-1": "public key of us-worker-1"},
}


@pytest.fixture
def tunnelled(declaration: dict[str, Any]) -> dict[str, Any]:
    """The reference with tunnels instead of routers; the worker of one region is behind a NAT."""
    for region in declaration["regions"].values():
        del region["fabric"]
    declaration["regions"]["us"]["cluster"]["nodes"]["us-worker-1"]["tunnel"] = {"reachable": False}
    return declaration | {"tunnels": {}}


@pytest.fixture
def plans(tunnelled: dict[str, Any], ledger: Ledger) -> dict[str, HostPlan]:
    """Its hosts."""
    return host_plans(Environment.model_validate(tunnelled), ledger)


@pytest.mark.parametrize("template", ["wireguard.conf.j2", "routes.conf.j2", "service.conf.j2"])
def test_a_node_s_end_is_rendered_as_its_golden_file(
    plans: dict[str, HostPlan], render: Render, golden: Callable[[str, str], None], template: str
) -> None:
    variables = {**plans["eu-worker-1"].variables[TUNNEL], **KEYS}
    golden(f"tunnel/{template.removesuffix('.j2')}", render("tunnel", template, variables))


def test_a_node_that_nobody_can_call_keeps_its_way_open(plans: dict[str, HostPlan], render: Render) -> None:
    variables = plans["us-worker-1"].variables[TUNNEL]
    keys = {
        "tunnel_public_keys": dict.fromkeys(variables["tunnel_peers"], "key"),
        "tunnel_private_key": "own",
    }
    text = render("tunnel", "wireguard.conf.j2", {**variables, **keys})
    assert text.count("PersistentKeepalive = 25") == text.count("[Peer]") == 2


def test_pods_on_nodes_with_tunnels_send_no_more_than_these_take(
    plans: dict[str, HostPlan], tunnelled: dict[str, Any], ledger: Ledger, render: Render
) -> None:
    text = render("pod_network", "10-crossmesh.conflist.j2", dict(plans["eu-cp-1"].variables[PREPARE]))
    assert json.loads(text)["plugins"][0]["mtu"] == 1420
    del tunnelled["regions"]["us"], tunnelled["tunnels"]
    alone = host_plans(Environment.model_validate(tunnelled), ledger)["eu-cp-1"].variables[PREPARE]
    assert "pod_network_tunnel_mtu" not in alone
    bridge = json.loads(render("pod_network", "10-crossmesh.conflist.j2", dict(alone)))["plugins"][0]
    assert "mtu" not in bridge


def test_neighbours_keep_their_routes_beside_tunnels(plans: dict[str, HostPlan], render: Render) -> None:
    variables = dict(plans["eu-worker-1"].variables[PREPARE])
    text = render("pod_network", "bird.conf.j2", variables)
    assert "route 172.30.0.0/24 via 10.101.1.11;" in text
    assert 'include "/etc/bird/tunnels*.conf";' in text
    assert variables["pod_network_masquerade"] is True


def test_what_is_undone_is_what_the_role_made() -> None:
    """The drop-in stays, as other configuration does: without the unit it is of no use to anybody."""
    tasks = yaml.safe_load((COLLECTION / "roles" / "tunnel" / "tasks" / "main.yml").read_text())
    written = {
        file["path"]: file.get("mode")
        for task in tasks
        for file in task.get("crossmesh.nodes.config_files", {}).get("files", ())
    }
    assert set(TUNNEL.undo.files) == {path for path in written if "systemd" not in path}
    assert written[f"/etc/wireguard/{INTERFACE}.conf"] == "0600"
    hidden = [task["no_log"] for task in tasks if "no_log" in task]
    assert hidden == [True], "the private key's difference is shown to nobody"


def test_nodes_with_tunnels_are_a_group_for_use_by_hand(tunnelled: dict[str, Any], ledger: Ledger) -> None:
    groups = ansible_inventory(Environment.model_validate(tunnelled), ledger)["all"]["children"]
    assert sorted(groups["tunnelled"]["hosts"]) == ["eu-cp-1", "eu-worker-1", "us-cp-1", "us-worker-1"]
