"""Webhooks that keep objects from being written: what says so, whose they are, and the way out.

An API server names the webhook, and not the object that brought it. Those objects themselves are asked about
by none: they can always be read and deleted (Kubernetes, "Dynamic Admission Control").
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from access.errors import AccessError

CONFIGURATIONS = {
    kind: f"/apis/admissionregistration.k8s.io/v1/{kind.lower()}s"
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
}
"""Paths of the objects that bring webhooks, by their kinds."""
_SILENT = re.compile(r'failed calling webhook \\?"([^"\\]+)')
_OK = 200
_DENIES = re.compile(r'admission webhook \\?"([^"\\]+)\\?" denied')


def configured(read: Callable[[str], Mapping[str, Any] | None]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each webhook that there is, with kind and name of the object that brings it. read: of a path."""
    for kind, path in CONFIGURATIONS.items():
        for found in (read(path) or {}).get("items") or ():
            for hook in found.get("webhooks") or ():
                yield kind, str(found["metadata"]["name"]), hook


def remedy(words: str, answer: Callable[[str], tuple[int, str]] | None = None) -> str:
    """How to go on where a webhook stands in the way by what an API server or its client says; empty where
    none does. answer: an API server's status and body for a path, to say which object brings it; without it,
    or where that is not found, the command that does.
    """
    silent, denies = _SILENT.search(words), _DENIES.search(words)
    found = silent or denies
    if not found:
        return ""
    name = found[1]
    where = _bringing(name, answer) or (
        "its configuration, which `kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations "
        f"-o yaml | grep -B40 'name: {name}'` shows"
    )
    if silent:
        return (
            f"the webhook {name} does not answer, and nothing is written past it: bring back what answers "
            f"for it, or delete {where}; then run again"
        )
    return f"the webhook {name} refuses this: see what it says, or change {where}; then run again"


def _bringing(name: str, answer: Callable[[str], tuple[int, str]] | None) -> str:
    """The object that brings a webhook, by kind and name; empty where nobody says."""
    if answer is None:
        return ""

    def read(path: str) -> Mapping[str, Any] | None:
        status, body = answer(path)
        return dict(json.loads(body)) if status == _OK else None

    try:
        return next((f"{kind} {of}" for kind, of, hook in configured(read) if hook["name"] == name), "")
    except (AccessError, ValueError):
        return ""
