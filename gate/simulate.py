"""The state that a declaration would leave if it had been applied, worked out without applying it.

Where there is no state to be had (a fork's pipeline, an environment that another team runs), a change is
compared with what the base commit declares. The engine compares with states only, so one is made: the base is
previewed on nothing, and what the engine plans to create is put into a state as if it had been. What only
`up` can know stays marked as unknown there. Secrets are the stand-ins of a detached workspace, whose
directory nobody else can read.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from typing import Any

import yaml

from gate.changes import errors
from gate.preview import preview
from gate.workspace import PLACEHOLDER_KUBECONFIG, Workspace
from playbooks.tokens import CERTIFICATE, CERTIFICATE_AUTHORITY, CLUSTER_IDENTITY
from report.errors import PreviewError
from report.masking import SECRET_SIGNATURE, SIGNATURE
from report.model import UNKNOWN
from report.urns import types

_NAMESPACE = uuid.UUID("5f0c3a0e-6b0f-5c6e-9a37-0b7a7f6d9c55")
_VERSION = 3
"""Version of the engine's format of exported states."""
_CLUSTER_PROVIDER = "pulumi:providers:kubernetes"
_OBJECT = "kubernetes:"
_KEPT = ("additionalSecretOutputs", "dependencies", "parent", "propertyDependencies", "protect")
"""What a planned resource and one in a state have in common."""
_NOWHERE = {SIGNATURE: SECRET_SIGNATURE, "plaintext": json.dumps(PLACEHOLDER_KUBECONFIG)}


def apply(workspace: Workspace, *, timeout: float = 1800) -> Mapping[str, tuple[str, ...]]:
    """Give the workspace's stack the state that applying it would leave; `timeout` is in seconds.

    Returns by which certificates and authorities each resource's inputs are known no sooner than `up`: it
    changes when one of these is issued anew, though nothing of that can be seen in its inputs.

    Raises `PreviewError` if the declaration cannot be previewed.
    """
    plan, state = (workspace.directory / name for name in (".base-plan.json", ".base-state.json"))
    seen = preview(workspace, plan=plan, show_secrets=True, hosts=False, timeout=timeout)
    if not seen.succeeded:
        why = seen.words or "\n".join(errors(seen.events))
        raise PreviewError(
            f"stack {workspace.stack!r}: the base cannot be previewed, so there is nothing to compare with:\n"
            f"{why}\n"
            "Name another --base, or leave it out to see the whole environment as new."
        )
    salt = str((yaml.safe_load(workspace.stack_file.read_text()) or {})["encryptionsalt"])
    planned = json.loads(plan.read_text())
    state.write_text(json.dumps(deployment(planned, salt)))
    workspace.pulumi("stack", "import", "--stack", workspace.stack, "--file", str(state), timeout=timeout)
    return issuers(planned)


def issuers(plan: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Of each planned resource the certificates and authorities that inputs of it are not known without."""
    found: dict[str, tuple[str, ...]] = {}
    for urn, planned in sorted(plan["resourcePlans"].items()):
        goal = planned["goal"]
        inputs = _added(goal["inputDiff"])
        late = {name for name, value in inputs.items() if UNKNOWN in json.dumps(value)}
        dependencies = (goal.get("propertyDependencies") or {}).items()
        others = {other for name, urns in dependencies if name in late for other in urns or ()}
        if rests_on := sorted(
            other for other in others if types(other)[-1] in (CERTIFICATE, CERTIFICATE_AUTHORITY)
        ):
            found[urn] = tuple(rests_on)
    return found


def deployment(plan: Mapping[str, Any], salt: str) -> dict[str, Any]:
    """An exported state, from the engine's plan of a preview on nothing.

    The plan shows its secrets. salt: of the stack's passphrase, as its file has it.
    """
    planned = {urn: found for urn, found in plan["resourcePlans"].items() if found["goal"]["type"]}
    ids = {urn: _id(urn, found["goal"]) for urn, found in planned.items() if found["goal"]["custom"]}
    return {
        "version": _VERSION,
        "deployment": {
            "manifest": {"time": "2000-01-01T00:00:00Z", "magic": "", "version": ""},
            "secrets_providers": {"type": "passphrase", "state": {"salt": salt}},
            "resources": [_resource(urn, planned[urn], ids) for urn in _in_order(planned)],
        },
    }


def _resource(urn: str, planned: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    goal = planned["goal"]
    inputs = _added(goal["inputDiff"])
    outputs = {**inputs, **_added(goal["outputDiff"]), **_state(planned, inputs)}
    # Without a kubeconfig the engine would not ask the clusters' provider what an object's change means.
    # This one leads nowhere; the provider then compares what is declared with what was declared.
    if goal["type"] == CLUSTER_IDENTITY:
        outputs["kubeconfig"] = _NOWHERE
    elif goal["type"].startswith(_OBJECT):
        # That is where the provider looks for what was declared.
        outputs |= {"__inputs": inputs, "__initialApiVersion": inputs.get("apiVersion")}
    elif goal["type"] == _CLUSTER_PROVIDER:
        inputs["kubeconfig"] = outputs["kubeconfig"] = _NOWHERE
    made = {
        "urn": urn,
        "type": goal["type"],
        "custom": goal["custom"],
        "inputs": inputs,
        "outputs": outputs,
        **{key: goal[key] for key in _KEPT if goal.get(key)},
    }
    if urn in ids:
        made["id"] = ids[urn]
    if provider := _provider(goal):
        made["provider"] = f"{provider}::{ids[provider]}"
    return made


def _state(planned: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the provider says that there will be. Of what it does not know yet, what it was given."""
    state = _openly_unknown(planned["state"] or {})
    return {key: value for key, value in state.items() if value != UNKNOWN or inputs.get(key) is None}


def _in_order(planned: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    """URNs with what each rests on before it, as states must have them."""
    graph = {}
    for urn in sorted(planned):
        goal = planned[urn]["goal"]
        rests_on = {goal.get("parent"), _provider(goal), *goal.get("dependencies", ())}
        graph[urn] = sorted(other for other in rests_on if other)
    return TopologicalSorter(graph).static_order()


def _provider(goal: Mapping[str, Any]) -> str:
    return str((goal.get("provider") or "").rpartition("::")[0])


def _added(diff: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _openly_unknown(value) for key, value in (diff.get("adds") or {}).items()}


def _openly_unknown(value: Any) -> Any:
    """A secret that is not known yet is only unknown: providers cannot read it as both."""
    if isinstance(value, Mapping):
        if SIGNATURE in value and json.loads(value.get("plaintext") or "null") == UNKNOWN:
            return UNKNOWN
        return {key: _openly_unknown(entry) for key, entry in value.items()}
    return [_openly_unknown(entry) for entry in value] if isinstance(value, list) else value


def _id(urn: str, goal: Mapping[str, Any]) -> str:
    """What the resource's provider would call it; of no meaning, but the same for the same resource."""
    if goal["type"].startswith(_OBJECT):
        metadata = _added(goal["inputDiff"]).get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        names = [metadata.get(key) for key in ("namespace", "name")]
        if names[1] and UNKNOWN not in names:
            return "/".join(str(name) for name in names if name)
    return str(uuid.uuid5(_NAMESPACE, urn))
