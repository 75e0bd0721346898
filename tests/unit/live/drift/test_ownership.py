"""What managers' entries tell of an object's fields."""

from __future__ import annotations

from live.drift.ownership import fields_of, managers_of

ENTRY = {
    "manager": "crossmesh",
    "fieldsV1": {
        "f:spec": {
            "f:selector": {},
            "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}},
            "f:finalizers": {'v:"a"': {}},
        }
    },
}
OBJECT = {"metadata": {"managedFields": [ENTRY]}}


def test_lists_and_maps_say_how_they_are_merged() -> None:
    fields = fields_of(OBJECT)
    assert fields is not None
    spec = fields.key("spec")
    assert spec is not None
    ports, selector, finalizers = spec.key("ports"), spec.key("selector"), spec.key("finalizers")
    assert ports is not None
    assert selector is not None
    assert finalizers is not None
    assert ports.merge_keys == ("port", "protocol")
    assert not ports.atomic
    assert selector.atomic
    assert finalizers.is_set
    element = ports.element({"port": 80, "protocol": "TCP", "targetPort": 1})
    assert element is not None
    assert element.managers == {"crossmesh"}
    assert ports.element({"port": 81, "protocol": "TCP"}) is None


def test_the_recorded_version_tells_the_shape_and_who_owned_what_then() -> None:
    live = {"metadata": {"managedFields": [{**ENTRY, "manager": "kubectl"}]}}
    fields = fields_of(live, OBJECT)
    assert fields is not None
    spec = fields.key("spec")
    assert spec is not None
    selector = spec.key("selector")
    assert selector is not None
    assert selector.managers == {"kubectl"}
    assert selector.managers_then == {"crossmesh"}


def test_an_object_without_managers_says_nothing() -> None:
    assert fields_of({"metadata": {}}) is None
    assert fields_of({"metadata": {"managedFields": [{}]}}) is None


def test_who_writes_the_status_owns_nothing_of_the_object() -> None:
    entries = [ENTRY, {"manager": "controller", "subresource": "status", "fieldsV1": {}}]
    assert list(managers_of({"metadata": {"managedFields": entries}})) == ["crossmesh"]
