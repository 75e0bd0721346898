"""Where the time of a `pulumi up` goes, from the engine's event log (`--event-log`, one JSON object per
line).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import tokens
from playbooks.tokens import CERTIFICATE, CERTIFICATE_AUTHORITY, HOST_PHASE
from report.urns import types

_PHASES = {
    tokens.GLOBAL_LOAD_BALANCER: "names",
    tokens.INGRESS: "ingress",
    tokens.APPLICATION: "applications",
    tokens.MESH_NAMESPACE: "applications",
    tokens.ISTIO_CONTROL_PLANE: "mesh",
    tokens.LOAD_BALANCER_POOL: "load balancer",
    tokens.POD_NETWORK: "pod network",
    tokens.BARE_METAL_CLUSTER: "clusters",
    tokens.ADOPTED_CLUSTER: "clusters",
}
_OTHER = "certificates and providers"
OF_HOSTS = "hosts: "
"""So begin the names of hosts' phases."""


@dataclass(frozen=True)
class Span:
    """One resource's operation, in seconds since the engine's first event. The log's resolution is one
    second.
    """

    urn: str
    phase: str
    start: float
    end: float | None
    """None if it had not ended when the log did."""


@dataclass(frozen=True)
class Phase:
    """All operations of one phase together: from the first one's start to the last one's end, and their
    sum.
    """

    name: str
    start: float
    end: float
    resources: int
    sum_seconds: float


def read_events(path: Path) -> list[dict[str, Any]]:
    """Events of a log; a last line that was cut by a kill is left out."""
    found = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def spans(events: Iterable[dict[str, Any]]) -> list[Span]:
    """Operations that are more than a look (`same` is none), in the order of their starts."""
    first: float | None = None
    open_: dict[str, Span] = {}
    found: list[Span] = []
    for event in events:
        at = float(event["timestamp"])
        first = at if first is None else first
        metadata = (event.get("resourcePreEvent") or {}).get("metadata")
        if metadata and metadata["op"] not in ("same", "read"):
            urn = metadata["urn"]
            open_[urn] = Span(urn, phase_of(metadata), at - first, None)
        metadata = (event.get("resOutputsEvent") or {}).get("metadata")
        if metadata and metadata["urn"] in open_:
            begun = open_.pop(metadata["urn"])
            found.append(Span(begun.urn, begun.phase, begun.start, at - first))
    return sorted([*found, *open_.values()], key=lambda span: (span.start, span.urn))


def phase_of(metadata: dict[str, Any]) -> str:
    """Name of the phase that an operation belongs to, from its type and its parents' types."""
    chain = types(metadata["urn"])
    if chain[-1] == HOST_PHASE:
        inputs = (metadata.get("new") or metadata.get("old") or {}).get("inputs") or {}
        return f"{OF_HOSTS}{inputs.get('phase', 'unknown')}"
    if chain[-1] in (CERTIFICATE, CERTIFICATE_AUTHORITY) or chain[-1].startswith("pulumi:providers:"):
        return _OTHER
    return next((_PHASES[token] for token in reversed(chain) if token in _PHASES), _OTHER)


def takes_time(span: Span) -> bool:
    """Whether an operation is more than that of what lies in it: components and the stack have no time."""
    kind = types(span.urn)[-1]
    return not kind.startswith(tokens.COMPONENTS) and kind != "pulumi:pulumi:Stack"


def phases(found: Iterable[Span]) -> list[Phase]:
    """Phases in the order in which they began; components themselves (no time of their own) are left out."""
    grouped: dict[str, list[Span]] = {}
    for span in found:
        if span.end is not None and takes_time(span):
            grouped.setdefault(span.phase, []).append(span)
    result = [
        Phase(
            name,
            min(span.start for span in members),
            max(span.end or span.start for span in members),
            len(members),
            sum((span.end or span.start) - span.start for span in members),
        )
        for name, members in grouped.items()
    ]
    return sorted(result, key=lambda phase: (phase.start, phase.end))
