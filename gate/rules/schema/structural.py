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
    return _closed(schema, also=_OBJECT)


def _closed(schema: Schema, also: tuple[str, ...] = ()) -> Schema:
    """A node of the structure: what it does not name is refused, unless it says otherwise."""
    made = _values(schema)
    properties = {name: _closed(entry) for name, entry in (schema.get("properties") or {}).items()}
    if schema.get("x-kubernetes-embedded-resource"):
        also = _OBJECT
    for name in also:
        properties.setdefault(name, {})
    if properties:
        made["properties"] = properties
    if isinstance(items := schema.get("items"), dict):
        made["items"] = _closed(items)
    further = schema.get("additionalProperties")
    if isinstance(further, dict):
        made["additionalProperties"] = _closed(further)
    elif further is None and properties and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    return made


def _values(schema: Schema) -> Schema:
    """What a schema says of values alone, which is all that may stand below allOf, anyOf, oneOf and not."""
    made = {key: value for key, value in schema.items() if key in _KEPT}
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    for limit, exclusive in _LIMITS:
        # A mark on the limit in OpenAPI 3.0, a limit of its own in JSON Schema.
        if schema.get(exclusive) is True and limit in made:
            made[exclusive] = made.pop(limit)
    for key in _LOGIC_LISTS:
        if schema.get(key):
            made[key] = [_logic(entry) for entry in schema[key]]
    if isinstance(schema.get("not"), dict):
        made["not"] = _logic(schema["not"])
    if schema.get("nullable"):
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    return made


def _logic(schema: Schema) -> Schema:
    made = _values(schema)
    if schema.get("properties"):
        made["properties"] = {name: _logic(entry) for name, entry in schema["properties"].items()}
    if isinstance(schema.get("items"), dict):
        made["items"] = _logic(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = _logic(schema["additionalProperties"])
    return made
