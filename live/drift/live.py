"""Live objects as reports take them: only what is of interest, and nothing secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from live.drift.compare import Difference, stored_form
from live.state import Applied, Sealed, has_secret, opened
from report.masking import SECRET_TYPE, hiding
from report.model import SECRET

_OF_THE_SERVER = frozenset({"creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"})

_COPY = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which kubectl keeps the object once more, with all that it holds."""


def key_of(applied: Applied) -> tuple[str, str]:
    """Namespace (empty for what has none) and name of an object of the state."""
    declared = applied.inputs.get("metadata") or {}
    recorded = applied.outputs.get("metadata") or {}
    namespace = recorded.get("namespace") or declared.get("namespace") or ""
    return str(namespace), str(declared.get("name") or recorded.get("name"))


def title(kind: str, namespace: str, name: str) -> str:
    """`Deployment greencompute/asset-mgr-ms-svc`."""
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def as_live(inputs: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """What was declared of an object, with the values that it has now."""
    declared = stored_form(inputs)
    pruned = {key: _like(value, live[key]) for key, value in declared.items() if key in live}
    # Elements of a list do not say what they are.
    pruned |= {key: declared[key] for key in ("apiVersion", "kind")}
    return without_secrets(pruned)


def undeclared(api_version: str, kind: str, live: Mapping[str, Any]) -> dict[str, Any]:
    """An object that nobody declared, without what the server adds."""
    metadata = {
        key: value for key, value in (live.get("metadata") or {}).items() if key not in _OF_THE_SERVER
    }
    declarable = {key: value for key, value in live.items() if key != "status"}
    return without_secrets({**declarable, "apiVersion": api_version, "kind": kind, "metadata": metadata})


def without_secrets(manifest: dict[str, Any]) -> dict[str, Any]:
    """An object with the texts of a Secret masked."""
    if manifest.get("kind") != "Secret":
        return manifest
    hidden = hiding(SECRET_TYPE, manifest, lambda _: SECRET)
    metadata = manifest.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    if _COPY in annotations:
        hidden["metadata"] = {**metadata, "annotations": {**annotations, _COPY: SECRET}}
    return hidden


def address_differences(applied: Applied, live: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Whether a service of type LoadBalancer has lost or changed the addresses that others were told of."""
    if applied.inputs.get("kind") != "Service":
        return ()
    if (applied.inputs.get("spec") or {}).get("type") != "LoadBalancer":
        return ()
    then, now = _addresses(opened(applied.outputs)), _addresses(live)
    if not then or then == now:
        return ()
    return (Difference("status.loadBalancer.ingress", then, now or None),)


def _addresses(service: Mapping[str, Any]) -> list[str]:
    entries = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return sorted(str(entry.get("ip") or entry.get("hostname")) for entry in entries)


def _like(declared: Any, live: Any) -> Any:
    """A live value, cut to the keys that were declared; masked where those were secrets."""
    if isinstance(declared, Sealed):
        return SECRET
    if isinstance(declared, Mapping) and isinstance(live, Mapping):
        return {key: _like(value, live[key]) for key, value in declared.items() if key in live}
    if isinstance(declared, list) and has_secret(declared):
        return SECRET
    return live
