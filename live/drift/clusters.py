"""Objects in the clusters: each as it was applied, edited, gone, or left over.

Kinds are listed whole, so the cost is that of some dozens of requests per cluster, however many objects there
are. Only reading is needed. An object counts as gone only when its cluster answered, is the one that was set
up, and listed the others of its kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from access.cluster import Cluster
from access.errors import AccessError
from access.kinds import Gone, Kind, Lookup, objects
from components.component import named
from live.drift.access import Stranger
from live.drift.compare import Difference, below, compare
from live.drift.inquiry import Inquiry, each
from live.drift.live import address_differences, as_live, key_of, title, undeclared
from live.drift.model import Comparison, Drifted, Record, few
from live.drift.ownership import managers_of
from live.state import Applied
from playbooks import taints
from playbooks.definitions import FIELD_MANAGER
from playbooks.tokens import NODE_TAINTS
from report.formats.text import many, value
from report.model import Op, PropertyChange, Resource, Rule

Key = tuple[str, str]
"""Namespace (empty for what has none) and name."""

_LISTS_AT_ONCE = 4
_SHOWN_VALUE = 60
_PREFIX = "kubernetes:"


COMPARISON = Comparison(
    "clusters",
    "Clusters: as applied, and live",
    Rule(
        "drift/clusters",
        "Objects in the clusters are as they were applied",
        "Only fields that this project set are compared. `pulumi up --refresh` brings back what was applied; "
        "to keep an edit, declare it.",
    ),
    recognises=True,
)


def look(inquiry: Inquiry, record: Record) -> None:
    """Compare all objects of the state with the live ones."""
    state, clusters = inquiry.state, inquiry.clusters
    for region in sorted(inquiry.stack.environment.regions.keys() - clusters.ways.keys()):
        fix = f"Run `pulumi up --stack {state.stack}` to its end."
        record.not_measurable(f"cluster {region}", "it is declared, and was not brought up", fix=fix)
    by_region: dict[str, list[Applied]] = {}
    for resource in state.resources:
        if resource.type.startswith(_PREFIX) and resource.region:
            by_region.setdefault(resource.region, []).append(resource)

    def one(region: str) -> None:
        inquiry.watch.at(f"{region}: identity")
        try:
            cluster = clusters.cluster(region)
        except Stranger as stranger:
            stranger.into(record)
        else:
            record.recognised.add(region)
            objects = by_region[region]
            _Objects(inquiry, region, objects[0].provider, cluster, record).run(objects)
            for applied in state.of_type(NODE_TAINTS):
                if applied.region == region:
                    _taints(inquiry, applied, cluster, record)

    for region in sorted(by_region.keys() - clusters.ways.keys()):
        why = "the state has no record of its identity"
        record.not_measurable(f"cluster {region}", why, fix="Run `pulumi up` to its end.")
    each(sorted(by_region.keys() & clusters.ways.keys()), one)


def _taints(inquiry: Inquiry, applied: Applied, cluster: Cluster, record: Record) -> None:
    """Compare the taints that a node was given; others are not ours, conditions of the node among them."""
    node, wanted = str(applied.inputs["node"]), applied.inputs["taints"]
    what, key = f"taints of {node} of {applied.region}", f"{applied.region}: taints of {node}"
    if inquiry.watch.over:
        record.ran_out(what, urn=applied.urn)
        return
    try:
        there = cluster.get(f"/api/v1/nodes/{node}")
    except AccessError as problem:
        record.not_measurable(what, problem.message, urn=applied.urn, fix=problem.fix)
        return
    live = taints.live(there, wanted)
    record.row(key, taints.words(wanted), taints.words(live))
    changes = tuple(
        PropertyChange(below("taints", taint), value, live.get(taint))
        for taint, value in sorted(wanted.items())
        if live.get(taint) != value
    )
    if there is None:
        record.drift(
            Drifted(applied.urn, Op.DELETE),
            f"the {what} are gone with its Node",
            f"See on {node} why it is no member any more (journalctl -u kubelet).",
        )
    elif changes:
        resource = applied.resource()
        now = replace(resource, inputs={**resource.inputs, "taints": live})
        record.drift(
            Drifted(applied.urn, Op.UPDATE, changes, now),
            f"the {what} were edited: of {taints.words(wanted)} it has {taints.words(live)}",
            f"`pulumi up --refresh --stack {inquiry.state.stack}` puts them back; to keep it, declare it.",
        )


@dataclass(frozen=True)
class _Objects:
    """Of one cluster. Kinds are compared side by side."""

    inquiry: Inquiry
    region: str
    provider: str
    """URN of the provider that applied them."""
    cluster: Cluster
    record: Record

    def run(self, resources: list[Applied]) -> None:
        by_kind: dict[tuple[str, str], dict[Key, Applied]] = {}
        for resource in resources:
            kind = str(resource.inputs.get("apiVersion")), str(resource.inputs.get("kind"))
            by_kind.setdefault(kind, {})[key_of(resource)] = resource
        lookup = Lookup(self.cluster)
        with ThreadPoolExecutor(_LISTS_AT_ONCE) as pool:
            pending = [
                pool.submit(self._kind, lookup, *kind, wanted) for kind, wanted in sorted(by_kind.items())
            ]
            tally = sum((done.result() for done in pending), Counter[str]())
        alike = len(resources) - tally["not seen"]
        as_applied = many(alike - tally["edited"] - tally["gone"], "object")
        others = [f"{tally[what]:,} {what}" for what in ("edited", "gone", "left over") if tally[what]]
        live = ", ".join([f"{as_applied} as applied", *others])
        self.record.row(self.region, f"{many(alike, 'object')} as applied", live)

    def _kind(
        self, lookup: Lookup, api_version: str, kind: str, wanted: Mapping[Key, Applied]
    ) -> Counter[str]:
        """Compare all objects of a kind. How many are edited, gone, left over or not seen."""
        what = f"{many(len(wanted), 'object')} of kind {kind} of {self.region}"
        if self.inquiry.watch.over:
            self.record.ran_out(what)
            return Counter({"not seen": len(wanted)})
        self.inquiry.watch.at(f"{self.region}: {kind}")
        live: dict[Key, dict[str, Any]] = {}
        left: dict[Key, dict[str, Any]] = {}
        why = ""
        try:
            where = lookup.kind(api_version, kind)
            if isinstance(where, Gone):
                why = f", {where.words}"
            else:
                live, left = self._live(where, wanted)
        except AccessError as problem:
            self.record.not_measurable(what, problem.message, fix=problem.fix)
            return Counter({"not seen": len(wanted)})
        edited = 0
        for key, applied in sorted(wanted.items()):
            if key not in live:
                self._gone(applied, why)
            elif differences := self._differences(applied, live[key]):
                self._edited(applied, live[key], differences)
                edited += 1
        for live_object in left.values():
            self._left_over(api_version, kind, live_object)
        return Counter({"edited": edited, "gone": len(wanted.keys() - live.keys()), "left over": len(left)})

    def _live(
        self, where: Kind, wanted: Mapping[Key, Applied]
    ) -> tuple[dict[Key, dict[str, Any]], dict[Key, dict[str, Any]]]:
        """The live objects that the state knows, and those of ours that it does not."""
        live, left = {}, {}
        for live_object in objects(self.cluster, where):
            metadata = live_object.get("metadata") or {}
            key = (metadata.get("namespace") or "", metadata.get("name") or "")
            if key in wanted:
                live[key] = live_object
            elif FIELD_MANAGER in managers_of(live_object) and not metadata.get("ownerReferences"):
                left[key] = live_object
        return live, left

    def _differences(self, applied: Applied, live: Mapping[str, Any]) -> list[Difference]:
        differences = compare(applied.inputs, applied.outputs or None, live, own_manager=FIELD_MANAGER)
        differences += address_differences(applied, live)
        if (live.get("metadata") or {}).get("deletionTimestamp"):
            differences += (Difference("metadata.deletionTimestamp", None, "being deleted"),)
        return [
            replace(entry, applied=self.inquiry.mask(entry.applied), live=self.inquiry.mask(entry.live))
            for entry in differences
        ]

    def _edited(self, applied: Applied, live: Mapping[str, Any], differences: Iterable[Difference]) -> None:
        properties = tuple(PropertyChange(each.path, each.applied, each.live) for each in differences)
        now = replace(applied.resource(), inputs=as_live(applied.inputs, live))
        self.record.drift(
            Drifted(applied.urn, Op.UPDATE, properties, now),
            f"{self._title(applied)} was edited: {few([_told(difference) for difference in differences])}",
            # Without force, the server refuses to take a field back from whoever set it since.
            "`PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up --refresh --stack "
            f"{self.inquiry.state.stack}` puts it back; to keep it, declare it.",
        )

    def _gone(self, applied: Applied, why: str) -> None:
        self.record.drift(
            Drifted(applied.urn, Op.DELETE),
            f"{self._title(applied)} is gone{why}",
            f"`pulumi up --refresh --stack {self.inquiry.state.stack}` makes it anew.",
        )

    def _left_over(self, api_version: str, kind: str, live: Mapping[str, Any]) -> None:
        metadata = live.get("metadata") or {}
        namespace, name = metadata.get("namespace") or "", metadata.get("name") or ""
        version = api_version if "/" in api_version else f"core/{api_version}"
        type = f"{_PREFIX}{version}:{kind}"
        # The name that the program would give it.
        logical = named(self.region, namespace, name)
        urn = f"urn:pulumi:{self.inquiry.state.stack}::{self.inquiry.state.project}::{type}::{logical}"
        inputs = undeclared(api_version, kind, live)
        resource = Resource(urn, type, logical, inputs, provider=self.provider, region=self.region)
        self.record.drift(
            Drifted(urn, Op.CREATE, live=resource),
            f"{title(kind, namespace, name)} of {self.region} has fields that {FIELD_MANAGER} applied, and "
            "the state does not know it",
            "It is left over from a run that was cut off, or belongs to another stack. When nothing "
            "needs it, delete it with kubectl.",
        )

    def _title(self, applied: Applied) -> str:
        return f"{title(str(applied.inputs.get('kind')), *key_of(applied))} of {self.region}"


def _told(difference: Difference) -> str:
    """One difference in words, live value first."""
    by = f" (set by {', '.join(difference.managers)})" if difference.managers else ""
    applied, live = value(difference.applied, _SHOWN_VALUE), value(difference.live, _SHOWN_VALUE)
    if difference.applied == difference.live:
        return f"{difference.path} is another secret{by}"
    return f"{difference.path} is {live}, applied was {applied}{by}"
