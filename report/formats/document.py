"""The JSON report: all that an examination holds. Its schema is docs/reference/gate-report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from report.exit_codes import worst
from report.formats.facts import code_id
from report.formats.text import plain
from report.model import (
    SECRET,
    UNKNOWN,
    Change,
    Examination,
    Finding,
    Layer,
    Place,
    PropertyChange,
    Resource,
    Rule,
    Topology,
    Waiver,
)

SCHEMA_VERSION = 1
"""Rises when a key goes or its meaning changes; keys may be added without."""


_ENCODER = json.JSONEncoder(sort_keys=True, default=plain)


def render(examinations: Sequence[Examination]) -> str:
    """The report of several stacks. Keys are sorted and every entry of a list has a line of its own, so that
    two reports can be compared line by line.
    """
    return _lay_out(document(examinations), "") + "\n"


def document(examinations: Sequence[Examination]) -> dict[str, Any]:
    """The same as plain data."""
    code = worst([examination.verdict.code for examination in examinations])
    return {
        "schemaVersion": SCHEMA_VERSION,
        "tool": {
            "name": "crossmesh",
            "versions": sorted({found.versions.crossmesh for found in examinations}),
        },
        "exitCode": int(code),
        "markers": {"unknown": UNKNOWN, "secret": SECRET},
        "stacks": [_examination(examination) for examination in examinations],
    }


def _examination(found: Examination) -> dict[str, Any]:
    versions = found.versions
    return {
        "stack": found.stack,
        "verb": found.verb,
        "exitCode": int(found.verdict.code),
        "verdict": {"name": code_id(found.verdict.code), "words": found.verdict.words},
        "against": found.changes.against.value,
        "counts": found.changes.counts(),
        "changes": [_change(change) for change in found.changes.changes],
        "same": [_identity(resource) for resource in found.changes.same],
        "notices": [
            {"severity": notice.severity, "message": notice.message, "urn": notice.urn}
            for notice in found.changes.notices
        ],
        "layers": [_layer(layer) for layer in found.layers],
        "rules": [_rule(rule) for rule in found.rules],
        "findings": [_finding(finding) for finding in found.findings],
        "topology": _topology(found.topology),
        "versions": {
            "crossmesh": versions.crossmesh,
            "pulumi": versions.pulumi,
            "commit": versions.commit,
            "dirty": versions.dirty,
            "base": versions.base,
        },
        "sealed": found.sealed,
    }


def _change(change: Change) -> dict[str, Any]:
    resource = change.resource
    return {
        "urn": change.urn,
        "type": resource.type,
        "name": resource.name,
        "op": change.op.value,
        "risk": change.risk.value,
        "why": change.why,
        "blast": {
            "clusters": list(change.blast.clusters),
            "nodes": list(change.blast.nodes),
            "hosts": list(change.blast.hosts),
            "traffic": change.blast.traffic,
        },
        "old": _resource(change.old),
        "new": _resource(change.new),
        "properties": [_property(entry) for entry in change.properties],
        "replaceReasons": list(change.replace_reasons),
        "declared": _place(change.declared),
        "program": _place(change.program),
        "approved": change.approved,
        "pending": change.pending,
    }


def _property(entry: PropertyChange) -> dict[str, Any]:
    return {"path": entry.path, "old": entry.old, "new": entry.new, "replaces": entry.replaces}


def _resource(resource: Resource | None) -> dict[str, Any] | None:
    if resource is None:
        return None
    return {
        "inputs": resource.inputs,
        "parent": resource.parent,
        "provider": resource.provider,
        "custom": resource.custom,
        "protect": resource.protect,
    }


def _identity(resource: Resource) -> dict[str, Any]:
    """A resource that stays, without its inputs: a platform has thousands, and they are no news."""
    return {
        "urn": resource.urn,
        "type": resource.type,
        "name": resource.name,
        "parent": resource.parent,
        "provider": resource.provider,
        "custom": resource.custom,
        "protect": resource.protect,
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "id": layer.id,
        "title": layer.title,
        "rows": [
            {"key": row.key, "before": row.before, "after": row.after, "changed": row.changed}
            for row in layer.rows
        ],
        "notMeasurable": list(layer.not_measurable),
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "family": rule.family,
        "title": rule.title,
        "help": rule.help,
        "severity": rule.severity.value,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "status": finding.status.value,
        "severity": finding.severity.value,
        "message": finding.message,
        "fix": finding.fix,
        "urn": finding.urn,
        "place": _place(finding.place),
        "waiver": _waiver(finding.waiver),
    }


def _waiver(waiver: Waiver | None) -> dict[str, Any] | None:
    if waiver is None:
        return None
    return {
        "rule": waiver.rule,
        "resource": waiver.resource,
        "owner": waiver.owner,
        "reason": waiver.reason,
        "expires": waiver.expires.isoformat(),
        "place": _place(waiver.place),
    }


def _place(place: Place | None) -> dict[str, Any] | None:
    return None if place is None else {"file": place.file, "line": place.line}


def _topology(topology: Topology) -> dict[str, Any]:
    return {
        "parts": [
            {
                "id": part.id,
                "kind": part.kind,
                "title": part.title,
                "inside": part.inside,
                "op": part.op.value,
                "risk": part.risk.value,
            }
            for part in topology.parts
        ],
        "links": [
            {
                "source": link.source,
                "target": link.target,
                "kind": link.kind,
                "title": link.title,
                "op": link.op.value,
            }
            for link in topology.links
        ],
    }


def _lay_out(found: Any, indent: str, depth: int = 0) -> str:
    """Objects down to a stack's parts have a line for each key, their lists one for each entry."""
    deeper = f"{indent} "
    if isinstance(found, dict) and found and depth < 5:
        pairs = (
            f"{deeper}{_ENCODER.encode(key)}: {_lay_out(found[key], deeper, depth + 1)}"
            for key in sorted(found)
        )
        return "{\n" + ",\n".join(pairs) + f"\n{indent}}}"
    if isinstance(found, list) and found and depth < 5:
        # Only the list of stacks has entries of several lines.
        below = depth + 1 if depth == 1 else 5
        entries = (f"{deeper}{_lay_out(entry, deeper, below)}" for entry in found)
        return "[\n" + ",\n".join(entries) + f"\n{indent}]"
    return _ENCODER.encode(found)
