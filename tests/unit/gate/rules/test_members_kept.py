"""What roles would refuse is said before: what cannot change on a member, and machines that change hands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from components.tokens import BARE_METAL_CLUSTER
from gate.rules.change import members_kept
from playbooks.phase import Fixed, Phase
from playbooks.work import PHASES
from report.model import Resource
from tests.unit.gate.rules.support import (
    against,
    below,
    changes,
    creation,
    deletion,
    host_phase,
    region,
    update,
)

CHECK = members_kept.CHECK
CLUSTER = below(region("eu"), BARE_METAL_CLUSTER, "eu", {}, region="eu", custom=False)
FIXED = [(phase, fixed) for phase in PHASES.values() for fixed in phase.fixed]


def phase_at(address: str, host: str, phase: str, holder: Resource = CLUSTER, **more: str) -> Resource:
    found = host_phase(holder, host, phase)
    return replace(found, inputs={**found.inputs, "connection": {"address": address, **more}})


@pytest.mark.parametrize(("phase", "fixed"), FIXED, ids=lambda entry: getattr(entry, "variable", str(entry)))
def test_each_thing_that_a_member_cannot_change_is_refused_with_a_way(phase: Phase, fixed: Fixed) -> None:
    def host(value: str, name: str = "eu-1") -> Resource:
        return host_phase(CLUSTER, name, phase.name, **{fixed.variable: value})

    (found,) = against(CHECK, changes(update(host("old"), host("new"))))
    assert f"{fixed.name} of eu-1 is old and would be new" in found.message
    assert found.fix == fixed.instead
    assert against(CHECK, changes(update(host("old"), host("old")))) == []
    assert against(CHECK, changes(creation(host("new")))) == [], "it is no member yet"


def test_hosts_of_one_cluster_that_the_same_concerns_are_told_of_together() -> None:
    def all_of(endpoint: str) -> list[Resource]:
        first = host_phase(CLUSTER, "eu-cp-1", "control-plane", control_plane_endpoint=endpoint)
        return [first, *(host_phase(CLUSTER, f"eu-{n}", "join", join_endpoint=endpoint) for n in (2, 3))]

    moved = map(update, all_of("192.0.2.11:6443"), all_of("192.0.2.15:6443"))
    (found,) = against(CHECK, changes(*moved))
    assert "endpoint of eu-2, eu-3, eu-cp-1 is 192.0.2.11:6443 and would be 192.0.2.15:6443" in found.message
    assert "keep the address at which the API is reached" in found.fix


def cluster_at(endpoint: str, virtual: str = "", own: str = "192.0.2.11") -> list[Resource]:
    given = {"control_plane_virtual_address": virtual} if virtual else {}
    first = host_phase(
        CLUSTER,
        "eu-cp-1",
        "control-plane",
        control_plane_endpoint=endpoint,
        control_plane_address=own,
        **given,
    )
    return [first, host_phase(CLUSTER, "eu-2", "join", join_endpoint=endpoint)]


OWN, ONE, OTHER = "192.0.2.11:6443", ("192.0.2.20:6443", "192.0.2.20"), ("192.0.2.30:6443", "192.0.2.30")


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        ((OWN,), ONE, False),
        ((OWN,), (*ONE, "192.0.2.12"), True),
        (ONE, (OWN,), True),
        (ONE, OTHER, True),
        ((OWN,), ("192.0.2.12:6443", "", "192.0.2.12"), True),
    ],
    ids=["given one", "with another machine", "taken away", "another one", "the machine moves"],
)
def test_a_cluster_at_its_only_control_plane_s_address_may_be_given_another(
    before: tuple[str, ...], after: tuple[str, ...], refused: bool
) -> None:
    """Its nodes follow. Any other address would be served no more while somebody is led away from it."""
    found = against(CHECK, changes(*map(update, cluster_at(*before), cluster_at(*after))))
    assert bool(found) is refused
    if refused:
        assert "endpoint of eu-2, eu-cp-1" in found[0].message
        assert "keep the address at which the API is reached" in found[0].fix


def test_nodes_do_not_follow_where_no_control_plane_leads() -> None:
    """Another machine becomes the only control plane."""
    (_, before), (first, after) = cluster_at(OWN), cluster_at(*ONE)
    (found,) = against(CHECK, changes(creation(first), update(before, after)))
    assert "endpoint of eu-2" in found.message


@pytest.mark.parametrize(
    "becomes",
    [
        ("eu-9", "join", CLUSTER),
        ("eu-1", "control-plane", CLUSTER),
        ("eu-edge-1", "edge", region("eu")),
    ],
    ids=["another name", "another role", "an edge"],
)
def test_a_machine_becomes_nothing_else_in_the_change_that_takes_it_out(
    becomes: tuple[str, str, Resource],
) -> None:
    host, phase, holder = becomes
    goes, comes = phase_at("192.0.2.21", "eu-1", "join"), phase_at("192.0.2.21", host, phase, holder)
    (found,) = against(CHECK, changes(deletion(goes), creation(comes)))
    assert f"the machine 192.0.2.21 is eu-1 (join), and would be {host} ({phase})" in found.message
    assert against(CHECK, changes(deletion(goes))) == []
    assert against(CHECK, changes(creation(comes))) == []
    behind = phase_at("192.0.2.21", host, phase, holder, machine="192.0.2.22")
    assert against(CHECK, changes(deletion(goes), creation(behind))) == [], (
        "another machine behind one address"
    )


def test_two_machines_do_not_swap_their_names() -> None:
    def two(one: str, other: str) -> list[Resource]:
        return [phase_at(one, "eu-1", "join"), phase_at(other, "eu-2", "join")]

    swapped = map(update, two("192.0.2.21", "192.0.2.22"), two("192.0.2.22", "192.0.2.21"))
    assert len(against(CHECK, changes(*swapped))) == 2


def test_a_host_may_move_to_an_address_that_nobody_had() -> None:
    old, new = (phase_at(address, "eu-1", "join") for address in ("192.0.2.21", "192.0.2.25"))
    assert against(CHECK, changes(update(old, new))) == []
