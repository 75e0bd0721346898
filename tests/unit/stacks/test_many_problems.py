"""Files with many problems, and files that can hardly be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.errors import StackFileError, render_path
from stacks.load import load_stack
from tests.unit.stacks.conftest import changed

Write = Callable[[str], Path]


def problems_of(path: Path) -> list[tuple[int, str]]:
    with pytest.raises(StackFileError) as caught:
        load_stack(path)
    return [(problem.line, render_path(problem.path)) for problem in caught.value.problems]


def test_problems_of_single_keys_and_of_several_keys_are_reported_together_in_the_order_of_lines(
    write: Write,
) -> None:
    text = changed(
        ("domain: example.test", "domain: Example"),
        ("asn: 64513", "asn: none"),
        ("address: 192.0.2.13", "address: 192.0.2.12"),
        ("192.0.2.72, role: worker", "192.0.2.72, role: wroker"),
        ("kind: adopted", "kind: adoptd"),
        ("front:1.0", "front"),
        ("host: back.example.test", "host: shop.example.test"),
        ("us-worker-1: 172.30.17.0/24", "us-worker-1: 172.30.16.0/24"),
    )
    found = problems_of(write(text))
    assert [path for _, path in found] == [
        "domain",
        "regions.eu.edges.eu-edge-1.address",
        "regions.us.fabric.asn",
        "regions.us.cluster.nodes.us-worker-1.role",
        "regions.cloud.cluster.kind",
        "applications.front.image",
        "ingresses.back.host",
        "crossmesh:ledger.nodes.us.us-worker-1",
    ]
    assert [line for line, _ in found] == sorted(line for line, _ in found)


@pytest.mark.parametrize(
    "change",
    [
        ("    domain: example.test\n", ""),
        ("      podPool: 172.30.0.0/16\n", ""),
        ("    mesh:\n      id: example\n", "    mesh:\n"),
    ],
)
def test_what_is_missing_at_the_top_hides_no_other_problem(change: tuple[str, str], write: Write) -> None:
    found = problems_of(write(changed(change, ("address: 192.0.2.13", "address: 192.0.2.12"))))
    assert len(found) == 2
    assert (
        found[1][1] == "regions.eu.edges.eu-edge-1.address"
        or found[0][1] == "regions.eu.edges.eu-edge-1.address"
    )


@pytest.mark.parametrize(
    ("text", "line", "got"),
    [
        ("config:\n  a: [1\n  b: 2\n", 3, "flow sequence"),
        ("config:\n\ta: 1\n", 2, "\\t"),
        ("config: {a: 1\n", 2, "flow mapping"),
        ("a: 1\n---\nb: 2\n", 2, "single document"),
        ("config:\n  a: !secret x\n", 2, "!secret"),
        ("config:\n  a: *nobody\n", 2, "alias"),
    ],
)
def test_text_that_is_no_yaml_is_refused_with_its_line(text: str, line: int, got: str, write: Write) -> None:
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text))
    (problem,) = caught.value.problems
    assert problem.line == line
    assert got in problem.got
    assert "YAML document" in problem.rule


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("", "an empty file"),
        ("- a\n", "a list"),
        ("config: 5\n", "5"),
        ("config:\n  pulumi:disable-default-providers: [kubernetes]\n", "nothing"),
        (
            "config:\n  pulumi:disable-default-providers: [kubernetes]\n  crossmesh:environment: [1]\n",
            "a list of 1",
        ),
        ("confg: {}\n", "the unknown key 'confg'"),
        (
            "config:\n  pulumi:disable-default-providers: [kubernetes]\n  crossmesh:enviroment: {}\n",
            "the unknown key 'crossmesh:enviroment'",
        ),
    ],
)
def test_a_file_of_another_shape_is_refused(text: str, got: str, write: Write) -> None:
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text))
    (problem,) = caught.value.problems
    assert problem.got == got


def test_a_value_that_contains_itself_is_refused(write: Write) -> None:
    with pytest.raises(StackFileError, match="an alias of what it lies in"):
        load_stack(write("config: &all\n  a: *all\n"))


def test_values_that_lie_deeper_than_anybody_reads_are_refused(write: Write) -> None:
    with pytest.raises(StackFileError, match="values in values without end"):
        load_stack(write(f"config:\n  a: {'[' * 3000}{']' * 3000}\n"))


def test_bytes_that_are_no_utf_8_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_bytes(b"config:\n  a: \xff\n")
    with pytest.raises(StackFileError) as caught:
        load_stack(path)
    assert caught.value.problems[0].line == 2


def test_an_environment_without_regions_is_refused(write: Write) -> None:
    text = (
        "config:\n  pulumi:disable-default-providers: [kubernetes]\n  crossmesh:environment: {regions: {}}\n"
    )
    assert {path for _, path in problems_of(write(text))} == {"domain", "addresses", "mesh", "regions"}


def test_a_stack_without_a_file_names_the_stacks_that_there_are(write: Write, tmp_path: Path) -> None:
    write("x")
    with pytest.raises(StackFileError) as caught:
        load_stack(tmp_path / "Pulumi.other.yaml")
    assert "no such file" in str(caught.value)
    assert "stacks there are: test" in str(caught.value)


def test_a_fault_of_one_value_is_not_told_as_a_fault_of_what_refers_to_it(write: Write) -> None:
    text = changed(("        namespace: shop\n        image", "        namespace: 5\n        image"))
    assert problems_of(write(text)) == [(68, "applications.front.namespace")]
