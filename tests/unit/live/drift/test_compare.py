"""What of a live object counts as drift, and what does not."""

from __future__ import annotations

import base64
import json
from typing import Any

from live.drift.compare import Difference, compare
from live.state import Sealed
from report.model import SECRET

OWN = "crossmesh"


def tree(*paths: str) -> dict[str, Any]:
    """Fields as `managedFields` has them, from paths with '/' between their steps."""
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        for step in path.split("/"):
            node = node.setdefault(step, {})
    return root


def owned(*entries: tuple[str, tuple[str, ...]]) -> list[dict[str, Any]]:
    """`metadata.managedFields`: managers with the paths that they own."""
    return [{"manager": name, "operation": "Apply", "fieldsV1": tree(*paths)} for name, paths in entries]


def drifted(
    inputs: dict[str, Any], live: dict[str, Any], recorded: dict[str, Any] | None = None
) -> list[tuple[str, Any, Any]]:
    found = compare(inputs, recorded, live, own_manager=OWN)
    return [(entry.path, entry.applied, entry.live) for entry in found]


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "a", "labels": {"app": "a"}},
    "spec": {
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "app", "image": "a:1", "args": ["-v"]}]}},
    },
}


def live_deployment() -> dict[str, Any]:
    """The same as an API server would have it, with its defaults and status."""
    found = json.loads(json.dumps(DEPLOYMENT))
    found["metadata"] |= {"uid": "u", "resourceVersion": "7", "generation": 1}
    found["spec"] |= {"progressDeadlineSeconds": 600, "strategy": {"type": "RollingUpdate"}}
    found["spec"]["template"]["spec"]["containers"][0] |= {"imagePullPolicy": "IfNotPresent"}
    found["status"] = {"readyReplicas": 2}
    return found


def test_defaults_and_status_are_no_drift() -> None:
    assert drifted(DEPLOYMENT, live_deployment()) == []


def test_an_edited_field_is_named_with_both_values_and_with_who_owns_it_now() -> None:
    live = live_deployment()
    live["spec"]["replicas"] = 5
    live["metadata"]["managedFields"] = owned(
        (OWN, ("f:metadata/f:labels/f:app", "f:spec/f:template")), ("kubectl-edit", ("f:spec/f:replicas",))
    )
    found = compare(DEPLOYMENT, None, live, own_manager=OWN)
    assert found == (Difference("spec.replicas", 2, 5, ("kubectl-edit",)),)


def test_a_removed_field_is_drift_and_a_null_asks_for_nothing() -> None:
    live = live_deployment()
    del live["metadata"]["labels"]["app"]
    inputs = {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "paused": None}}
    assert drifted(inputs, live) == [("metadata.labels.app", "a", None)]


def test_labels_of_others_are_no_drift() -> None:
    live = live_deployment()
    live["metadata"]["labels"]["team"] = "blue"
    live["metadata"]["annotations"] = {"note": "x"}
    live["metadata"]["managedFields"] = owned(
        (OWN, ("f:metadata/f:labels/f:app",)), ("kubectl", ("f:metadata/f:labels/f:team",))
    )
    assert drifted(DEPLOYMENT, live) == []


def test_quantities_are_compared_as_amounts_and_only_where_there_are_any() -> None:
    def pod(cpu: Any, text: str) -> dict[str, Any]:
        requests = {"cpu": cpu, "example.com/disk": "1Gi"}
        container = {"name": "a", "resources": {"requests": requests}, "command": [text]}
        return {"kind": "Pod", "spec": {"containers": [container]}}

    assert drifted(pod("1000m", "x"), pod("1", "x")) == []
    assert drifted(pod("1000m", "x"), pod(1, "x")) == []
    live = pod("2", "1000m")
    live["spec"]["containers"][0]["resources"]["requests"]["example.com/disk"] = "1024Mi"
    assert drifted(pod("1000m", "1"), live) == [
        ("spec.containers[0].command[0]", "1", "1000m"),
        ("spec.containers[0].resources.requests.cpu", "1000m", "2"),
    ]


def test_what_the_server_made_of_a_value_is_that_value() -> None:
    inputs = {"kind": "X", "spec": {"interval": "60s", "unknown": "pruned", "ports": [{"port": 80}]}}
    recorded = {"kind": "X", "spec": {"interval": "1m0s", "ports": [{"port": 80, "protocol": "TCP"}]}}
    assert drifted(inputs, recorded, recorded) == []
    changed = {"kind": "X", "spec": {"interval": "2m0s", "ports": [{"port": 80, "protocol": "TCP"}]}}
    assert drifted(inputs, changed, recorded) == [("spec.interval", "60s", "2m0s")]


def test_a_value_turned_back_to_what_was_declared_is_no_drift() -> None:
    inputs = {"kind": "X", "spec": {"failurePolicy": "Ignore"}}
    recorded = {"kind": "X", "spec": {"failurePolicy": "Fail"}}
    assert drifted(inputs, inputs, recorded) == []


def test_zero_values_that_are_left_out_are_there_all_the_same() -> None:
    inputs = {
        "kind": "X",
        "spec": {"hostNetwork": False, "text": "", "number": 0, "volume": {"emptyDir": {}}},
    }
    assert drifted(inputs, {"kind": "X", "spec": {}}) == []
    recorded = {"kind": "X", "spec": {"volume": {"emptyDir": {}}}}
    live = {"kind": "X", "spec": {"volume": {}}}
    assert drifted(inputs, live, recorded) == [("spec.volume.emptyDir", {}, None)]


def test_true_is_not_one() -> None:
    assert drifted({"spec": {"a": True}}, {"spec": {"a": 1}}) == [("spec.a", True, 1)]


def test_lists_of_named_things_are_merged_by_name_where_nobody_says_how() -> None:
    live = live_deployment()
    containers = live["spec"]["template"]["spec"]["containers"]
    containers.insert(0, {"name": "sidecar", "image": "s:1"})
    assert drifted(DEPLOYMENT, live) == []
    containers[1]["image"] = "a:2"
    path = "spec.template.spec.containers[0].image"
    assert drifted(DEPLOYMENT, live) == [(path, "a:1", "a:2")]
    del containers[1]
    path = "spec.template.spec.containers[0]"
    assert drifted(DEPLOYMENT, live) == [(path, {"name": "app", "image": "a:1", "args": ["-v"]}, None)]


def test_lists_are_merged_by_the_keys_that_managers_name() -> None:
    inputs = {"kind": "Service", "spec": {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]}}
    ports = [
        {"port": 53, "protocol": "TCP", "targetPort": 53},
        {"port": 53, "protocol": "UDP", "targetPort": 53},
        {"port": 9153, "protocol": "TCP"},
    ]
    keys = 'f:spec/f:ports/k:{"port":53,"protocol":"TCP"}/f:port'
    live = {"metadata": {"managedFields": owned((OWN, (keys,)))}, "spec": {"ports": ports}}
    assert drifted(inputs, live) == []
    live["spec"]["ports"] = ports[:1]
    assert drifted(inputs, live) == [("spec.ports[0]", {"port": 53, "protocol": "UDP"}, None)]


def test_a_set_needs_its_values_in_no_order() -> None:
    inputs = {"metadata": {"finalizers": ["a", "b"]}}
    managed = owned((OWN, ('f:metadata/f:finalizers/v:"a"', 'f:metadata/f:finalizers/v:"b"')))
    live = {"metadata": {"finalizers": ["c", "b", "a"], "managedFields": managed}}
    assert drifted(inputs, live) == []
    live["metadata"]["finalizers"] = ["c", "a"]
    assert drifted(inputs, live) == [("metadata.finalizers[1]", "b", None)]


def rules(*hosts: str) -> list[dict[str, Any]]:
    return [{"host": host, "http": {"paths": []}} for host in hosts]


def test_an_atomic_list_holds_nothing_besides() -> None:
    inputs = {"kind": "Ingress", "spec": {"rules": rules("a", "b")}}
    managed = owned(("kubectl-edit", ("f:spec/f:rules",)))
    live = {"metadata": {"managedFields": managed}, "spec": {"rules": rules("x", "a", "b")}}
    found = compare(inputs, inputs, live, own_manager=OWN)
    assert found == (Difference("spec.rules[2]", None, rules("x")[0], ("kubectl-edit",)),)
    live["spec"]["rules"] = rules("b")
    assert drifted(inputs, live, inputs) == [("spec.rules[0]", rules("a")[0], None)]
    live["spec"]["rules"] = rules("b", "a")
    assert [path for path, *_ in drifted(inputs, live, inputs)] == [
        "spec.rules[0].host",
        "spec.rules[1].host",
    ]


def test_an_atomic_map_holds_nothing_besides_except_what_the_server_had_put_there() -> None:
    inputs = {"kind": "Service", "spec": {"selector": {"app": "a"}}}
    managed = owned(("kubectl-edit", ("f:spec/f:selector",)))
    live = {"metadata": {"managedFields": managed}, "spec": {"selector": {"app": "a", "track": "b"}}}
    assert drifted(inputs, live, inputs) == [("spec.selector.track", None, "b")]
    recorded = {"kind": "Service", "spec": {"selector": {"app": "a", "track": "default"}}}
    assert drifted(inputs, live, recorded) == []


def test_what_somebody_else_owned_when_it_was_recorded_is_not_taken_for_what_was_applied() -> None:
    inputs = {"kind": "Ingress", "spec": {"rules": rules("a"), "selector": {"app": "a"}}}
    managed = owned((OWN, ("f:spec/f:class",)), ("kubectl-edit", ("f:spec/f:rules", "f:spec/f:selector")))
    spec = {"rules": rules("x", "a"), "selector": {"app": "a", "track": "b"}}
    # A refresh has brought all of that into the state.
    refreshed = {"kind": "Ingress", "metadata": {"managedFields": managed}, "spec": spec}
    assert drifted(inputs, refreshed, refreshed) == [
        ("spec.rules[1]", None, rules("x")[0]),
        ("spec.selector.track", None, "b"),
    ]


def test_secrets_are_compared_by_what_they_say_and_never_shown() -> None:
    def encoded(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    inputs = {
        "kind": "Secret",
        "type": "Opaque",
        "stringData": {"tls.key": Sealed("key-text")},
        "data": Sealed({"other": encoded("o")}),
    }
    live = {
        "kind": "Secret",
        "type": "Opaque",
        "data": {"tls.key": encoded("key-text"), "other": encoded("o")},
    }
    assert drifted(inputs, live) == []
    live["data"] = {"tls.key": encoded("changed")}
    assert drifted(inputs, live) == [
        ("data.other", SECRET, None),
        ('data["tls.key"]', SECRET, SECRET),
    ]


def test_a_secret_inside_of_anything_hides_what_stands_for_it() -> None:
    inputs = {"spec": {"users": [{"user": "a", "password": Sealed("hunter2")}, {"user": "b"}]}}
    live = {"spec": {"users": [{"user": "b"}, {"user": "c", "password": "hunter3"}, {"user": "d"}]}}
    text = repr(compare(inputs, inputs, live, own_manager=OWN))
    assert SECRET in text
    assert "hunter" not in text
    assert drifted({"spec": Sealed({"a": 1})}, {"spec": {"a": 2}}) == [("spec.a", SECRET, SECRET)]


def test_schemas_have_their_own_keys_whatever_the_state_calls_them() -> None:
    inputs = {"spec": {"x_kubernetes_preserve_unknown_fields": True}}
    assert drifted(inputs, {"spec": {"x-kubernetes-preserve-unknown-fields": True}}) == []
