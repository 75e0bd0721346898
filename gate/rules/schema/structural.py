"""From the structural schema of a custom resource definition to a JSON schema that refuses unknown fields.

Structural schemas are OpenAPI 3.0, with marks of Kubernetes' own. Rules in CEL (`x-kubernetes-validations`)
are not evaluated.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_LOGIC_LISTS = ("allOf", "anyOf", "oneOf")
_LIMITS = (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
_KEPT = frozenset(
    {
        "enum",
        "format",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "pattern",
        "required",
        "type",
        "uniqueItems",
    }
)
_OBJECT = ("apiVersion", "kind", "metadata")


def of_object(schema: Schema) -> Schema:
    """The schema of a whole object. Its metadata is checked apart: definitions say nothing of it."""
    return _node(schema, closed=True, also=_OBJECT)


def _node(schema: Schema, *, closed: bool, also: tuple[str, ...] = ()) -> Schema:
    """A node. closed: whether it is one of the structure, where what is not named is refused unless it says
    otherwise; what is below allOf, anyOf, oneOf and not only says more of values.
    """
    made = _values(schema)
    properties = {
        name: _node(entry, closed=closed) for name, entry in (schema.get("properties") or {}).items()
    }
    if schema.get("x-kubernetes-embedded-resource") and closed:
        also = _OBJECT
    for name in also:
        properties.setdefault(name, {})
    if properties:
        made["properties"] = properties
    if isinstance(items := schema.get("items"), dict):
        made["items"] = _node(items, closed=closed)
    further = schema.get("additionalProperties")
    if isinstance(further, dict):
        made["additionalProperties"] = _node(further, closed=closed)
    elif closed and further is None and properties and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    return made


def _values(schema: Schema) -> Schema:
    """What a schema says of values alone."""
    made = {key: value for key, value in schema.items() if key in _KEPT}
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    for limit, exclusive in _LIMITS:
        # A mark on the limit in OpenAPI 3.0, a limit of its own in JSON Schema.
        if schema.get(exclusive) is True and limit in made:
            made[exclusive] = made.pop(limit)
    for key in _LOGIC_LISTS:
        if schema.get(key):
            made[key] = [_node(entry, closed=False) for entry in schema[key]]
    if isinstance(schema.get("not"), dict):
        made["not"] = _node(schema["not"], closed=False)
    if schema.get("nullable"):
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    return made
