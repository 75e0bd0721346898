"""Objects of a cluster: edited, gone, left over; and what nothing can be said of."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

from access.errors import Unanswered
from components.tokens import REGION
from live.drift import clusters
from live.drift.mask import Mask
from live.drift.model import Record
from report.model import SECRET, Op, PropertyChange, Status
from report.progress import Watch
from tests.unit.live.drift.support import (
    MANAGER,
    FakeCluster,
    FakeClusters,
    identity,
    inquiry,
    kubernetes_object,
    record,
    resource,
    secret,
    state_of,
    urn,
)

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "n"},
        "data": data,
    }


def live(manifest: dict[str, Any], manager: str = MANAGER) -> dict[str, Any]:
    """An object as a list has it: without its kind, with who manages it."""
    fields = {"f:data": {f"f:{key}": {} for key in manifest.get("data") or {}}}
    metadata = {
        **manifest["metadata"],
        "uid": "u",
        "managedFields": [{"manager": manager, "fieldsV1": fields}],
    }
    return {"data": manifest.get("data"), "metadata": metadata}


def look(
    applied: list[dict[str, Any]], found: list[dict[str, Any]], cluster: FakeCluster | None = None
) -> Record:
    given = cluster or FakeCluster()
    if cluster is None:
        given.serve("v1", "ConfigMap", "configmaps", found)
    result = record("clusters")
    state = state_of([identity("eu"), *(kubernetes_object("eu", manifest) for manifest in applied)])
    clusters.look(inquiry(state, FakeClusters({"eu": given})), result)
    return result


def rows(result: Record) -> list[tuple[str, str | None, str | None]]:
    return [(row.key, row.before, row.after) for row in result.seen().layer.rows]


def test_what_is_as_it_was_applied_is_no_finding() -> None:
    result = look([config_map("a", x="1")], [live(config_map("a", x="1"))])
    assert result.findings == []
    assert rows(result) == [("eu", "1 object as applied", "1 object as applied")]
    assert result.recognised == {"eu"}


def test_edited_gone_and_left_over_objects_are_told_apart() -> None:
    result = look(
        [config_map("a", x="1"), config_map("b"), config_map("c", x="1")],
        [
            live(config_map("a", x="2"), "kubectl-edit"),
            live(config_map("c", x="1")),
            live(config_map("old", y="1")),
            live(config_map("theirs", y="1"), "somebody"),
        ],
    )
    seen = result.seen()
    assert {(found.urn.rpartition("::")[2], found.op) for found in seen.drifted} == {
        ("eu.n.a", Op.UPDATE),
        ("eu.n.b", Op.DELETE),
        ("eu.n.old", Op.CREATE),
    }
    (left,) = [found.live for found in seen.drifted if found.op is Op.CREATE]
    assert left is not None
    assert left.provider == urn("pulumi:providers:kubernetes", "eu.kubernetes")
    (edited,) = [found for found in seen.drifted if found.op is Op.UPDATE]
    assert edited.properties == (PropertyChange("data.x", "1", "2"),)
    assert edited.live is not None
    assert edited.live.inputs["data"] == {"x": "2"}
    messages = sorted(found.message for found in seen.findings)
    assert messages == [
        'ConfigMap n/a of eu was edited: data.x is "2", applied was "1" (set by kubectl-edit)',
        "ConfigMap n/b of eu is gone",
        "ConfigMap n/old of eu has fields that crossmesh applied, and the state does not know it",
    ]
    assert all(found.status is Status.FAIL and found.fix and found.urn for found in seen.findings)
    assert rows(result)[0][2] == "1 object as applied, 1 edited, 1 gone, 1 left over"


def look_at_taints(answer: Any, watch: Watch | None = None) -> Record:
    """Of a node that was given two; `answer`: what the cluster says of the node."""
    cluster = FakeCluster({"/api/v1/nodes/w1": answer})
    cluster.serve("v1", "ConfigMap", "configmaps", [live(config_map("a"))])
    given = {"node": "w1", "taints": {"gpu:NoSchedule": "", "slow:NoExecute": "disk"}}
    inputs = {**given, "kubeconfig": secret("text")}
    region = urn(REGION, "eu")
    entry = resource("crossmesh:kubernetes:NodeTaints", "eu.w1.taints", inputs, parent=region)
    result = record("clusters")
    state = state_of([identity("eu"), kubernetes_object("eu", config_map("a")), entry])
    clusters.look(inquiry(state, FakeClusters({"eu": cluster}), watch=watch), result)
    return result


GPU = {"key": "gpu", "effect": "NoSchedule"}
NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}


def test_a_condition_of_a_node_is_no_drift_of_its_taints() -> None:
    slow = {"key": "slow", "value": "disk", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"}
    result = look_at_taints((200, {"spec": {"taints": [slow, NOT_READY, GPU]}}))
    assert result.findings == []
    words = "gpu:NoSchedule, slow=disk:NoExecute"
    assert rows(result)[1] == ("eu: taints of w1", words, words)


def test_taints_that_a_node_lost_or_that_were_edited_are_told() -> None:
    slow = {"key": "slow", "value": "tape", "effect": "NoExecute"}
    result = look_at_taints((200, {"spec": {"taints": [slow, NOT_READY]}}))
    (drifted,) = result.drifted
    assert (drifted.op, drifted.urn) == (Op.UPDATE, urn("crossmesh:kubernetes:NodeTaints", "eu.w1.taints"))
    assert drifted.properties == (
        PropertyChange("taints.gpu:NoSchedule", "", None),
        PropertyChange("taints.slow:NoExecute", "disk", "tape"),
    )
    assert drifted.live is not None
    assert drifted.live.inputs == {
        "kubeconfig": SECRET,
        "node": "w1",
        "taints": {"slow:NoExecute": "tape"},
    }
    (found,) = result.findings
    words = "of gpu:NoSchedule, slow=disk:NoExecute it has slow=tape:NoExecute"
    assert found.message == f"the taints of w1 of eu were edited: {words}"
    assert "pulumi up --refresh" in found.fix


def test_taints_are_gone_with_their_node_and_only_when_the_cluster_says_so() -> None:
    gone = look_at_taints((404, {"message": "not found"}))
    assert [(entry.op, entry.live) for entry in gone.drifted] == [(Op.DELETE, None)]
    assert [found.message for found in gone.findings] == ["the taints of w1 of eu are gone with its Node"]
    silent = look_at_taints(Unanswered("reset"))
    assert silent.drifted == []
    assert [found.status for found in silent.findings] == [Status.NOT_MEASURABLE]
    over = threading.Event()
    over.set()
    late = look_at_taints((200, {"spec": {}}), Watch(60, over))
    assert late.late and late.drifted == []


def test_an_object_that_is_owned_by_another_is_not_left_over() -> None:
    found = live(config_map("child", x="1"))
    found["metadata"]["ownerReferences"] = [{"kind": "Deployment"}]
    assert look([config_map("a")], [live(config_map("a")), found]).findings == []


def test_an_object_that_is_being_deleted_is_no_longer_as_it_was_applied() -> None:
    found = live(config_map("a"))
    found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    (drifted,) = look([config_map("a")], [found]).drifted
    assert drifted.properties == (PropertyChange("metadata.deletionTimestamp", None, "being deleted"),)


def test_kinds_that_may_not_be_read_are_not_measurable_and_hide_no_others() -> None:
    cluster = FakeCluster()
    cluster.serve("v1", "ConfigMap", "configmaps", [])
    cluster.serve("v1", "Secret", "secrets")
    cluster.answers["/api/v1/secrets"] = (403, {"message": "cannot list secrets"})
    hidden = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}}
    result = look([config_map("a"), hidden], [], cluster)
    assert {(found.status, found.message.partition(":")[0]) for found in result.findings} == {
        (Status.FAIL, "ConfigMap n/a of eu is gone"),
        (Status.NOT_MEASURABLE, "1 object of kind Secret of eu"),
    }
    assert rows(result) == [("eu", "1 object as applied", "0 objects as applied, 1 gone")]


def test_a_cluster_that_falls_silent_loses_no_object() -> None:
    cluster = FakeCluster()
    cluster.serve("v1", "ConfigMap", "configmaps")
    cluster.answers["/api/v1/configmaps"] = Unanswered("reset")
    result = look([config_map("a")], [], cluster)
    assert [found.status for found in result.findings] == [Status.NOT_MEASURABLE]
    assert result.drifted == []


def test_nothing_is_begun_when_the_time_is_over() -> None:
    over = threading.Event()
    over.set()
    cluster = FakeCluster()
    result = record("clusters")
    state = state_of([identity("eu"), kubernetes_object("eu", config_map("a"))])
    clusters.look(inquiry(state, FakeClusters({"eu": cluster}), watch=Watch(60, over)), result)
    assert cluster.asked == []
    assert [found.status for found in result.findings] == [Status.NOT_MEASURABLE]
    assert result.late


def test_objects_of_a_cluster_without_a_recorded_identity_are_not_looked_at() -> None:
    result = record("clusters")
    state = state_of([kubernetes_object("us", config_map("a"))])
    clusters.look(inquiry(state), result)
    assert [found.status for found in result.findings] == [Status.NOT_MEASURABLE]


def test_a_declared_region_that_was_not_brought_up_is_not_measurable() -> None:
    result = record("clusters")
    clusters.look(inquiry(state_of([]), regions=("us",)), result)
    (finding,) = result.findings
    assert finding.status is Status.NOT_MEASURABLE
    assert "cluster us: it is declared, and was not brought up" in finding.message


def test_a_changed_secret_is_told_without_its_text() -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "n"},
        "stringData": secret({"key": "hunter2"}),
    }
    cluster = FakeCluster()
    text = base64.b64encode(b"hunter3").decode()
    stored = {"metadata": manifest["metadata"], "data": {"key": text}}
    left = live({"metadata": {"name": "old", "namespace": "n"}, "data": {"token": text}})
    cluster.serve("v1", "Secret", "secrets", [stored, left])
    seen = look([manifest], [], cluster).seen()
    edited, old = sorted(seen.drifted, key=lambda found: found.op is Op.CREATE)
    assert edited.properties == (PropertyChange("data.key", SECRET, SECRET),)
    assert old.live is not None
    assert old.live.inputs["data"] == {"token": SECRET}
    assert any("data.key is another secret" in found.message for found in seen.findings)
    assert text not in repr((seen, edited.live and edited.live.inputs, old.live.inputs))


def test_a_secret_that_is_not_marked_as_one_is_told_without_its_text() -> None:
    texts = {"a": "correct horse", "b": "battery staple"}
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    metadata = {"name": "s", "namespace": "n"}
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "data": {"a": encoded["a"]},
        "stringData": {"b": texts["b"]},
    }
    other = base64.b64encode(b"another horse").decode()
    last_applied = json.dumps({"kind": "Secret", "data": {"token": other}})
    old = live({"metadata": {"name": "old", "namespace": "n"}, "data": {"token": other}})
    old["metadata"]["annotations"] = {LAST_APPLIED: last_applied, "note": "x"}
    cluster = FakeCluster()
    cluster.serve("v1", "Secret", "secrets", [{"metadata": metadata, "data": {"a": other}}, old])
    copied = live(config_map("c", x=f"{texts['a']}, {texts['b']}", y=f"{encoded['a']} {encoded['b']}"))
    cluster.serve("v1", "ConfigMap", "configmaps", [copied])
    seen = look([manifest, config_map("c", x="1", y="2")], [], cluster).seen()
    by_name = {found.urn.rpartition("::")[2]: found for found in seen.drifted}
    assert by_name["eu.n.s"].properties == (
        PropertyChange("data.a", SECRET, SECRET),
        PropertyChange("data.b", SECRET, None),
    )
    assert by_name["eu.n.c"].properties == (
        PropertyChange("data.x", "1", f"{SECRET}, {SECRET}"),
        PropertyChange("data.y", "2", f"{SECRET} {SECRET}"),
    )
    left = by_name["eu.n.old"].live
    assert left is not None
    assert left.inputs["metadata"]["annotations"] == {LAST_APPLIED: SECRET, "note": "x"}
    seen = Mask(state_of([kubernetes_object("eu", manifest)]).secrets()).seen(seen)
    told = repr((seen, [found.live and found.live.inputs for found in seen.drifted]))
    assert not [text for text in (*texts.values(), *encoded.values(), other) if text in told]


def test_no_part_of_a_secret_that_was_copied_elsewhere_is_told() -> None:
    key = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgb47NTfF43KLqZ0vX1yR5tU9wE3sB"
    hidden = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "n"},
        "stringData": secret({"key": key}),
    }
    encoded = base64.b64encode(key.encode()).decode()
    cluster = FakeCluster()
    cluster.serve("v1", "Secret", "secrets", [{"metadata": hidden["metadata"], "data": {"key": encoded}}])
    cluster.serve("v1", "ConfigMap", "configmaps", [live(config_map("a", x=key, y=f"in {encoded}"))])
    seen = look([config_map("a", x="1", y="2"), hidden], [], cluster).seen()
    (drifted,) = seen.drifted
    assert drifted.properties == (
        PropertyChange("data.x", "1", SECRET),
        PropertyChange("data.y", "2", f"in {SECRET}"),
    )
    assert key[:12] not in repr(seen)
    assert encoded[:12] not in repr(seen)


def test_a_gateway_that_lost_its_address_has_drifted() -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "g", "namespace": "n"},
        "spec": {"type": "LoadBalancer"},
    }
    recorded = {**manifest, "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}}
    cluster = FakeCluster()
    cluster.serve("v1", "Service", "services", [{**manifest, "status": {"loadBalancer": {}}}])
    result = record("clusters")
    state = state_of([identity("eu"), kubernetes_object("eu", manifest, recorded)])
    clusters.look(inquiry(state, FakeClusters({"eu": cluster})), result)
    (drifted,) = result.drifted
    assert drifted.properties == (PropertyChange("status.loadBalancer.ingress", ["10.0.0.1"], None),)


def test_clusters_are_those_whose_identity_was_recorded() -> None:
    unfinished = identity("us")
    unfinished["outputs"] = {}
    found = state_of([identity("eu", "uid-7", "the kubeconfig"), unfinished]).ways()
    assert {region: way.uid for region, way in found.items()} == {"eu": "uid-7"}
    assert "the kubeconfig" not in repr(found)
