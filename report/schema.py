"""JSON schemas of what the project prints, made from the dataclasses that it prints."""

from __future__ import annotations

import ast
import inspect
import json
from dataclasses import is_dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import DataclassSchema

CONFIG = ConfigDict(
    alias_generator=to_camel, extra="forbid", json_schema_serialization_defaults_required=True
)
"""Of a dataclass that is printed, and so of all that it holds: fields in camelCase, none left out."""


def render(model: type, id: str, title: str) -> str:
    """The JSON schema of a dataclass as it is printed. The texts below its fields are their descriptions."""
    schema = TypeAdapter(model).json_schema(mode="serialization", schema_generator=_Described)
    head = {"$schema": GenerateJsonSchema.schema_dialect, "$id": id}
    return json.dumps({**head, **schema, "title": title}, indent=2, ensure_ascii=False) + "\n"


class _Described(GenerateJsonSchema):
    def dataclass_schema(self, schema: DataclassSchema) -> JsonSchemaValue:
        """The schema of a dataclass, with what pydantic reads of its own models alone."""
        described = super().dataclass_schema(schema)
        described_by = texts(schema["cls"])
        for key, field in described["properties"].items():
            field.pop("title", None)
            field.pop("default", None)
            if key in described_by:
                field["description"] = described_by[key]
        described.pop("title", None)
        return described

    def enum_schema(self, schema: Any) -> JsonSchemaValue:
        """The schema of an enumeration without a title that says its name again."""
        described = super().enum_schema(schema)
        described.pop("title", None)
        return described


def texts(model: type) -> dict[str, str]:
    """What stands below each field of a class, on one line, by the field's key in JSON."""
    bodies = [ast.parse(inspect.getsource(base)).body[0] for base in model.__mro__ if is_dataclass(base)]
    return {
        to_camel(field.target.id): " ".join(text.value.value.split())
        for definition in bodies
        if isinstance(definition, ast.ClassDef)
        for field, text in zip(definition.body, definition.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
