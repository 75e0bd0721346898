"""The state that a declaration would leave if it had been applied, worked out without applying it.

Where there is no state to be had (a fork's pipeline, an environment that another team runs), a change is
compared with what the base commit declares. The engine compares with states only, so one is made: the base is
previewed on nothing, and what would be created is put into a state as if it had been. What only `up` can know
stays marked as unknown there.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from operations.gate.changes import Event
from operations.gate.errors import PreviewError
from operations.gate.model import UNKNOWN
from operations.gate.preview import preview
from operations.gate.workspace import Workspace

_NAMESPACE = uuid.UUID("5f0c3a0e-6b0f-5c6e-9a37-0b7a7f6d9c55")
_PROVIDERS = "pulumi:providers:"
_VERSION = 3
"""Version of the engine's format of exported states."""
_STATE = "simulated-state.json"


def apply(workspace: Workspace, *, timeout: float = 1800) -> None:
    """Give the workspace's stack the state that applying it would leave; `timeout` is in seconds.

    Only for stacks with stand-in secrets: values are written to the workspace in clear for a moment.
    Raises `PreviewError` if the declaration cannot be previewed.
    """
    seen = preview(workspace, show_secrets=True, timeout=timeout)
    if not seen.succeeded:
        words = seen.words or _errors(seen.events)
        raise PreviewError(
            f"stack {workspace.stack!r}: the base cannot be previewed, so there is nothing to compare with:\n"
            f"{words}\nName another --base, or leave it out to see the whole environment as new."
        )
    file = workspace.directory / _STATE
    file.touch(mode=0o600)
    file.write_text(json.dumps(deployment(seen.events, _salt(workspace.stack_file))))
    try:
        workspace.pulumi("stack", "import", "--stack", workspace.stack, "--file", str(file), timeout=timeout)
    finally:
        file.unlink()


def deployment(events: Iterable[Event], salt: str) -> dict[str, Any]:
    """An exported state, from the events of a preview on nothing that shows its secrets.

    salt: of the stack's passphrase, as its file has it.
    """
    states = [
        event["resourcePreEvent"]["metadata"]["new"]
        for event in events
        if "resourcePreEvent" in event and event["resourcePreEvent"]["metadata"]["op"] == "create"
    ]
    ids = {state["urn"]: _id(state) for state in states if state.get("custom")}
    return {
        "version": _VERSION,
        "deployment": {
            "manifest": {"time": "2000-01-01T00:00:00Z", "magic": "", "version": ""},
            "secrets_providers": {"type": "passphrase", "state": {"salt": salt}},
            "resources": [_resource(state, ids) for state in states],
        },
    }


def _resource(state: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    inputs = state.get("inputs") or {}
    made = {
        "urn": state["urn"],
        "type": state["type"],
        "custom": bool(state.get("custom")),
        "inputs": inputs,
        "outputs": {**inputs, **(state.get("outputs") or {})},
    }
    if state.get("parent"):
        made["parent"] = state["parent"]
    if state.get("protect"):
        made["protect"] = True
    if state["urn"] in ids:
        made["id"] = ids[state["urn"]]
    if provider := (state.get("provider") or "").rpartition("::")[0]:
        made["provider"] = f"{provider}::{ids[provider]}"
    return made


def _id(state: Mapping[str, Any]) -> str:
    """What the resource's provider would call it; of no meaning, but the same for the same resource."""
    if state["type"].startswith("kubernetes:"):
        metadata = (state.get("inputs") or {}).get("metadata") or {}
        names = [metadata.get(key) for key in ("namespace", "name")]
        if names[1] and UNKNOWN not in names:
            return "/".join(str(name) for name in names if name)
    return str(uuid.uuid5(_NAMESPACE, state["urn"]))


def _salt(stack_file: Path) -> str:
    return str((yaml.safe_load(stack_file.read_text()) or {})["encryptionsalt"])


def _errors(events: Iterable[Event]) -> str:
    said = [event["diagnosticEvent"] for event in events if "diagnosticEvent" in event]
    return "\n".join(str(found.get("message")).strip() for found in said if found.get("severity") == "error")
