"""Whatever is declared, in whatever order, and comes and goes: slices never move and never overlap."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stacks.errors import LEDGER
from stacks.ledger import Ledger, PoolExhausted, assign, declared_nodes, missing, propose, retired
from stacks.model import Environment
from stacks.positions import read
from stacks.shape import validate
from stacks.write import write_ledger
from tests.unit.stacks.small import small

Declaration = dict[str, list[str] | str]
"""By region: the nodes of a bare-metal cluster, or the pod range of an adopted one."""

ORDER = ["eu", "us", "ap", "sa", "af"]
REGIONS = st.sampled_from(ORDER)
NODES = st.lists(st.sampled_from([f"n{number}" for number in range(12)]), min_size=1, max_size=8, unique=True)
ADOPTED = st.sampled_from(["172.30.64.0/20", "172.30.129.0/24", "10.50.0.0/16"])
DECLARATIONS = st.dictionaries(REGIONS, NODES | ADOPTED, min_size=1, max_size=5)
SIZES = st.fixed_dictionaries(
    {
        "podPrefixCluster": st.integers(18, 22),
        "podPrefixNode": st.integers(22, 27),
        "servicePrefixCluster": st.integers(17, 22),
    }
)


def raw_environment(declaration: Declaration, sizes: dict[str, int]) -> dict[str, Any]:
    regions: dict[str, Any] = {}
    for name, content in declaration.items():
        number = ORDER.index(name)
        cluster: dict[str, Any] = {
            "kind": "adopted",
            "kubeconfigSecret": "x",
            "podCidr": content,
            "serviceCidr": f"10.60.{number}.0/24",
        }
        if isinstance(content, list):
            nodes = {
                node: {"address": f"10.1.{number}.{10 + int(node[1:])}", "role": "worker"} for node in content
            }
            cluster = {"kind": "bareMetal", "nodes": nodes}
        regions[name] = {"machineNetwork": f"10.1.{number}.0/24", "cluster": cluster}
    return small(regions, sizes)


def environment(declaration: Declaration, sizes: dict[str, int]) -> Environment:
    return Environment.model_validate(raw_environment(declaration, sizes))


def step(declared: Environment, ledger: Ledger) -> Ledger | None:
    """One run of the command; None where the pool is full, which is said and changes nothing."""
    try:
        return assign(declared, ledger)
    except PoolExhausted:
        return None


def check_sound(declared: Environment, before: Ledger, after: Ledger) -> None:
    sizes = declared.addresses
    for region, slices in before.clusters.items():
        assert after.clusters[region] == slices, "a cluster's slice moved"
    for region, nodes in before.nodes.items():
        assert nodes.items() <= after.nodes[region].items(), "a node's slice moved"
    pods = [slices.pods for slices in after.clusters.values()]
    services = [slices.services for slices in after.clusters.values()]
    nodes = [(region, slice_) for region, entries in after.nodes.items() for slice_ in entries.values()]
    for group in (pods, services, [slice_ for _, slice_ in nodes]):
        assert not any(first.overlaps(second) for first, second in combinations(group, 2))
    assert all(
        slice_.subnet_of(sizes.pod_pool) and slice_.prefixlen == sizes.pod_prefix_cluster for slice_ in pods
    )
    assert all(slice_.subnet_of(sizes.service_pool) for slice_ in services)
    assert all(slice_.subnet_of(after.clusters[region].pods) for region, slice_ in nodes)
    assert all(slice_.prefixlen == sizes.pod_prefix_node for _, slice_ in nodes)
    assert missing(declared, after) == ()


@settings(max_examples=150, deadline=None)
@given(st.lists(DECLARATIONS, min_size=1, max_size=6), SIZES)
def test_slices_never_move_and_never_overlap_while_clusters_and_nodes_come_and_go(
    history: list[Declaration], sizes: dict[str, int]
) -> None:
    ledger = Ledger()
    for declaration in history:
        declared = environment(declaration, sizes)
        after = step(declared, ledger)
        if after is None:
            continue
        check_sound(declared, ledger, after)
        live = {(region, node) for region, nodes in declared_nodes(declared).items() for node in nodes}
        kept = {(entry.region, entry.node) for entry in retired(declared, after) if entry.node}
        recorded = {(region, node) for region, nodes in after.nodes.items() for node in nodes}
        assert recorded == live | kept
        ledger = after


@settings(max_examples=150, deadline=None)
@given(st.lists(DECLARATIONS, min_size=1, max_size=3), SIZES, st.randoms(use_true_random=False))
def test_the_order_of_a_declaration_does_not_matter(
    history: list[Declaration], sizes: dict[str, int], random: Any
) -> None:
    first = second = Ledger()
    for declaration in history:
        names = list(declaration)
        random.shuffle(names)
        shuffled: Declaration = {}
        for name in names:
            content = declaration[name]
            shuffled[name] = random.sample(content, len(content)) if isinstance(content, list) else content
        first = step(environment(declaration, sizes), first) or first
        second = step(environment(shuffled, sizes), second) or second
    assert first == second
    assert first.model_dump_json() == second.model_dump_json()


@settings(max_examples=100, deadline=None)
@given(DECLARATIONS, SIZES)
def test_assigning_again_changes_nothing_and_a_proposal_is_what_is_assigned(
    declaration: Declaration, sizes: dict[str, int]
) -> None:
    declared = environment(declaration, sizes)
    once = step(declared, Ledger())
    if once is None:
        return
    assert assign(declared, once) == once
    for proposal in propose(declared, Ledger()):
        if proposal.node:
            assert once.nodes[proposal.region][proposal.node] == proposal.pods
        else:
            assert once.clusters[proposal.region].pods == proposal.pods
            assert once.clusters[proposal.region].services == proposal.services


@settings(max_examples=100, deadline=None)
@given(DECLARATIONS, SIZES)
def test_a_pool_is_called_full_only_when_it_is(declaration: Declaration, sizes: dict[str, int]) -> None:
    """With nothing adopted or retired, what is declared fits, or is too much, by count alone."""
    bare: Declaration = {name: content for name, content in declaration.items() if isinstance(content, list)}
    if not bare:
        return
    room = 2 ** max(0, sizes["podPrefixNode"] - sizes["podPrefixCluster"])
    fits = (
        all(len(nodes) <= room for nodes in bare.values())
        and sizes["podPrefixNode"] >= sizes["podPrefixCluster"]
    )
    clusters_fit = len(bare) <= 2 ** (sizes["podPrefixCluster"] - 16) and len(bare) <= 2 ** (
        sizes["servicePrefixCluster"] - 16
    )
    assert (step(environment(bare, sizes), Ledger()) is not None) == (fits and clusters_fit)


@settings(max_examples=40, deadline=None)
@given(st.lists(DECLARATIONS, min_size=1, max_size=3), SIZES)
def test_what_is_written_is_what_is_read(
    tmp_path_factory: Any, history: list[Declaration], sizes: dict[str, int]
) -> None:
    path: Path = tmp_path_factory.mktemp("stacks") / "Pulumi.test.yaml"
    path.write_text("# kept\nconfig:\n  a:b: 1  # kept\n# kept\n")
    ledger = Ledger()
    for declaration in history:
        ledger = step(environment(declaration, sizes), ledger) or ledger
        write_ledger(path, ledger)
        assert read_ledger(path) == ledger
        assert path.read_text().count("# kept") == 3


def read_ledger(path: Path) -> Ledger:
    found = validate(read(path), LEDGER, Ledger).value
    assert found is not None
    return found
