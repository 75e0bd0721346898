"""From the engine's events to the change set."""

from __future__ import annotations

from typing import Any

import pytest

from gate.changes import change_set, masked, value_at
from playbooks.definitions import folded
from report.model import SECRET, UNKNOWN, Against, Op

URN = "urn:pulumi:lab::crossmesh::kubernetes:core/v1:ConfigMap::"
MARKED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}


def state(name: str, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "kubernetes:core/v1:ConfigMap",
        "urn": URN + name,
        "custom": True,
        "parent": "urn:parent",
        "provider": "urn:provider::some-id",
        "inputs": inputs,
        "outputs": {},
        **more,
    }


def step(op: str, name: str, old: Any = None, new: Any = None, **more: Any) -> dict[str, Any]:
    metadata = {"op": op, "urn": URN + name, "type": "kubernetes:core/v1:ConfigMap", "old": old, "new": new}
    return {"resourcePreEvent": {"metadata": {**metadata, **more}, "planning": True}}


def test_counts_every_operation_once_and_sorts_by_urn() -> None:
    found = change_set(
        [
            step("same", "d", new=state("d", {"a": 1})),
            step("delete", "c", old=state("c", {"a": 1})),
            step("create", "a", new=state("a", {"a": 1})),
            step("update", "b", state("b", {"a": 1}), state("b", {"a": 2})),
        ],
        Against.STATE,
    )
    assert [(change.resource.name, change.op) for change in found.changes] == [
        ("a", Op.CREATE),
        ("b", Op.UPDATE),
        ("c", Op.DELETE),
    ]
    assert found.counts() == {"create": 1, "update": 1, "replace": 0, "delete": 1, "same": 1}
    assert [resource.name for resource in found.before] == ["b", "c", "d"]
    assert [resource.name for resource in found.after] == ["a", "b", "d"]


@pytest.mark.parametrize(
    "ops",
    [
        ("create-replacement", "replace", "delete-replaced"),
        ("delete-replaced", "replace", "create-replacement"),
    ],
)
def test_a_replacement_is_one_change_whatever_the_order_of_its_steps(ops: tuple[str, ...]) -> None:
    old, new = state("a", {"name": "x"}), state("a", {"name": "y"})
    diff = {"name": {"diffKind": "update-replace", "inputDiff": True}}
    steps = {
        "create-replacement": step("create-replacement", "a", old, new, detailedDiff=diff, keys=["name"]),
        "replace": step("replace", "a", old, new, detailedDiff=diff, keys=["name"]),
        "delete-replaced": step("delete-replaced", "a", old, old),
    }
    (change,) = change_set([steps[op] for op in ops], Against.STATE).changes
    assert change.op is Op.REPLACE
    assert change.replace_reasons == ("name",)
    assert change.old is not None and change.old.inputs == {"name": "x"}
    assert change.new is not None and change.new.inputs == {"name": "y"}
    (found,) = change.properties
    assert (found.path, found.old, found.new, found.replaces) == ("name", "x", "y", True)


def test_properties_come_from_the_providers_diff_with_values_of_both_sides() -> None:
    diff = {
        "spec.rules[10].host": {"diffKind": "update", "inputDiff": True},
        "spec.rules[2].host": {"diffKind": "add", "inputDiff": True},
    }
    hosts = [{"host": f"h{index}"} for index in range(11)]
    old = state("a", {"spec": {"rules": [*hosts[:2], {}, *hosts[3:]]}})
    new = state("a", {"spec": {"rules": [*hosts[:10], {"host": "new"}]}})
    (change,) = change_set([step("update", "a", old, new, detailedDiff=diff)], Against.STATE).changes
    assert [(entry.path, entry.old, entry.new) for entry in change.properties] == [
        ("spec.rules[2].host", None, "h2"),
        ("spec.rules[10].host", "h10", "new"),
    ]


def test_of_a_mapping_is_told_what_in_it_differs() -> None:
    way = {"address": "192.0.2.11", "port": 22, "user": "ops"}
    old, new = state("a", {"connection": way}), state("a", {"connection": {**way, "user": "deploy"}})
    diff = {"connection": {"diffKind": "update", "inputDiff": True}}
    (change,) = change_set([step("update", "a", old, new, detailedDiff=diff)], Against.STATE).changes
    told = [(entry.path, entry.old, entry.new) for entry in change.properties]
    assert told == [("connection.user", "ops", "deploy")]


def test_without_a_diff_inputs_are_compared() -> None:
    old = state("a", {"host": "x", "kept": [1, 2], "a.b": {"c": 1}})
    new = state("a", {"host": "y", "kept": [1, 2, 3], "a.b": {"c": 2}})
    (change,) = change_set([step("update", "a", old, new)], Against.STATE).changes
    assert [(entry.path, entry.old, entry.new) for entry in change.properties] == [
        ('["a.b"].c', 1, 2),
        ("host", "x", "y"),
        ("kept[2]", None, 3),
    ]


def test_what_stands_for_other_inputs_is_left_out_unless_it_is_alone() -> None:
    old, new = {"digest": "1", "variables": {"ttl": 5}}, {"digest": "2", "variables": {"ttl": 7}}
    diff = {"digest": {"diffKind": "update"}, "variables.ttl": {"diffKind": "update"}}
    (change,) = change_set(
        [step("update", "a", state("a", old), state("a", new), detailedDiff=diff)], Against.STATE
    ).changes
    assert [entry.path for entry in change.properties] == ["variables.ttl"]
    alone = {"digest": {"diffKind": "update"}}
    (change,) = change_set(
        [step("update", "a", state("a", {"digest": "1"}), state("a", {"digest": "2"}), detailedDiff=alone)],
        Against.STATE,
    ).changes
    assert [entry.path for entry in change.properties] == ["digest"]


def test_nothing_of_a_secret_is_left() -> None:
    inputs = {"data": MARKED, "list": [MARKED], "plain": "x"}
    assert masked(inputs) == {"data": SECRET, "list": [SECRET], "plain": "x"}
    (change,) = change_set([step("create", "a", new=state("a", inputs))], Against.NOTHING).changes
    assert change.new is not None
    assert "v1:abc" not in repr(dict(change.new.inputs))


def test_a_deleted_resource_is_never_one_that_will_be() -> None:
    found = change_set([step("delete", "a", old=state("a", {}), new=state("a", {}))], Against.STATE)
    assert found.after == ()
    assert [resource.name for resource in found.before] == ["a"]


def test_words_on_progress_are_no_notices_and_repeated_ones_are_said_once() -> None:
    def said(message: str, severity: str = "info", **more: Any) -> dict[str, Any]:
        return {"diagnosticEvent": {"urn": "u", "message": message, "severity": severity, **more}}

    found = change_set(
        [
            said("connecting\n", ephemeral=True),
            said("\n"),
            said("Traceback:\n", "info#err"),
            said("boom\n", "info#err"),
            said("bad\n", "error"),
            said("bad\n", "error"),
            said("careful", "warning"),
        ],
        Against.STATE,
    )
    assert [(notice.severity, notice.message) for notice in found.notices] == [
        ("info", "Traceback:\nboom"),
        ("error", "bad"),
        ("warning", "careful"),
    ]


def test_reads_and_refreshes_are_no_changes() -> None:
    assert (
        change_set([step("read", "a", new=state("a", {})), step("refresh", "b")], Against.STATE).changes == ()
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a", {"b": [1, {"c.d": 2}]}), ("a.b[0]", 1), ('a.b[1]["c.d"]', 2), ("a.b[9]", None), ("a.x.y", None)],
)
def test_values_are_found_by_property_path(path: str, expected: object) -> None:
    assert value_at({"a": {"b": [1, {"c.d": 2}]}}, path) == expected


def test_what_a_kubernetes_secret_holds_is_hidden_although_nothing_marks_it() -> None:
    inputs = {"metadata": {"name": "a"}, "data": {"tls.crt": "LS0t", "later": UNKNOWN}}
    new = {**state("a", inputs), "type": "kubernetes:core/v1:Secret"}
    (change,) = change_set([step("create", "a", new=new)], Against.STATE).changes
    assert change.resource.inputs == {
        "metadata": {"name": "a"},
        "data": {"tls.crt": SECRET, "later": UNKNOWN},
    }


def test_a_definition_s_change_is_told_by_its_paths_as_of_any_object() -> None:
    def declared(served: bool) -> dict[str, Any]:
        versions = [{"name": "v1", "served": served}]
        definition = folded(
            {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": {"versions": versions}}
        )
        inputs = {"definition": definition, "cluster": "urn:cluster"}
        return state("x", inputs, type="crossmesh:kubernetes:CustomResourceDefinition")

    differs = {"definition": {"diffKind": "update", "inputDiff": True}}
    update = step(
        "update",
        "x",
        declared(True),
        declared(False),
        type="crossmesh:kubernetes:CustomResourceDefinition",
        detailedDiff=differs,
        diffs=["definition"],
    )
    (change,) = change_set([update], Against.STATE).changes
    assert change.resource.type == "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
    assert change.resource.provider == "urn:cluster"
    assert [(entry.path, entry.old, entry.new) for entry in change.properties] == [
        ("spec.versions[0].served", True, False)
    ]


def test_what_is_in_a_secret_is_secret() -> None:
    assert value_at({"data": SECRET}, 'data["tls.crt"]') == SECRET
