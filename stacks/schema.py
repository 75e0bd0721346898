"""The JSON schema of stack files: shapes, for editors; the rules over several fields are not in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stacks.ledger import Ledger
from stacks.model import Environment

FILE = Path(__file__).with_name("schema.json")
NETWORK = r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$"


def schema() -> dict[str, Any]:
    """The schema, made from the typed model."""
    definitions: dict[str, Any] = {}
    parts = {}
    for key, model in (("crossmesh:environment", Environment), ("crossmesh:ledger", Ledger)):
        part = model.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
        definitions |= part.pop("$defs", {})
        parts[key] = part
    text = {"type": "string"}
    secret = {
        "description": "an encrypted secret, set by `pulumi config set --secret`",
        "type": "object",
        "properties": {"secure": text},
        "required": ["secure"],
        "additionalProperties": False,
    }
    full = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Crossmesh stack file",
        "type": "object",
        "required": ["config"],
        "additionalProperties": False,
        "properties": {
            "config": {
                "type": "object",
                "required": ["crossmesh:environment", "pulumi:disable-default-providers"],
                "properties": {
                    **parts,
                    "pulumi:disable-default-providers": {
                        "type": "array",
                        "items": text,
                        "contains": {"enum": ["kubernetes", "*"]},
                    },
                },
                "patternProperties": {"^crossmesh:(?!environment$|ledger$)": secret},
            },
            **dict.fromkeys(("encryptionsalt", "encryptedkey", "secretsprovider"), text),
            "environment": {},
        },
        "$defs": dict(sorted(definitions.items())),
    }
    return {key: _with_network_pattern(value) for key, value in full.items()}


def render() -> str:
    """The schema as the text of its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _with_network_pattern(part: Any) -> Any:
    """Editors know the format `ipv4`, not `ipv4network`: give the latter a pattern too."""
    if isinstance(part, dict):
        extra = {"pattern": NETWORK} if part.get("format") == "ipv4network" else {}
        return {key: _with_network_pattern(value) for key, value in part.items()} | extra
    return [_with_network_pattern(item) for item in part] if isinstance(part, list) else part
