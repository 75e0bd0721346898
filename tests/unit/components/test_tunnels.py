"""Tunnels: who gets which key, and what comes before what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from components.platform import Platform
from playbooks.tokens import HOST_PHASE, TUNNEL_KEY
from stacks.ledger import Ledger, assign
from stacks.load import Stack
from stacks.model import Environment
from tests.unit.components import support

NODES = ("eu-cp-1", "eu-worker-1", "us-cp-1", "us-worker-1")


@pytest.fixture(scope="module")
def built(small_charts: None, stack: Stack) -> support.Recording:
    """The reference environment with tunnels instead of routers between its regions."""
    declaration: dict[str, Any] = stack.environment.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for region in declaration["regions"].values():
        del region["fabric"]
    declaration["tunnels"] = {}
    environment = Environment.model_validate(declaration)
    tunnelled = replace(stack, environment=environment, ledger=assign(environment, Ledger()))
    return support.run(lambda: Platform("lab", tunnelled, "root key").outputs, preview=False)


def test_each_node_has_a_key_and_its_private_part_is_on_no_other_host(built: support.Recording) -> None:
    keys = {each.inputs["host"] for each in built.resources.values() if each.type == TUNNEL_KEY}
    assert keys == set(NODES)
    for phase in (each for each in built.resources.values() if each.type == HOST_PHASE):
        own = f"private key of {phase.inputs['host']}.tunnel-key"
        held = phase.inputs.get("secret_variables") or {}
        assert (held.get("tunnel_private_key") == own) == (phase.inputs["phase"] == "tunnel")
        assert "private key of" not in str(phase.inputs["variables"])


def test_nodes_of_one_segment_are_no_peers_and_all_of_another_region_are(built: support.Recording) -> None:
    tunnel = built.one(HOST_PHASE, "eu-worker-1.tunnel").inputs["variables"]
    assert tunnel["tunnel_public_keys"] == {
        name: f"public key of {name}.tunnel-key" for name in ("us-cp-1", "us-worker-1")
    }
    assert set(tunnel["tunnel_peers"]) == set(tunnel["tunnel_public_keys"])


def test_a_node_becomes_a_member_when_its_tunnels_are_up_and_waits_for_no_other(
    built: support.Recording,
) -> None:
    for name, phase in (("eu-cp-1", "control-plane"), ("eu-worker-1", "join")):
        needs = built.needs(built.one(HOST_PHASE, f"{name}.{phase}"))
        tunnel = built.one(HOST_PHASE, f"{name}.tunnel")
        assert tunnel.urn in needs
        assert {urn for urn in built.needs(tunnel) if built.resources[urn].type == HOST_PHASE} == {
            built.one(HOST_PHASE, f"{name}.prepare").urn
        }
