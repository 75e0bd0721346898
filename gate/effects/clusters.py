"""Clusters: regions with theirs, what all objects in them need, and how many these are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from components.tokens import ADOPTED_CLUSTER, BARE_METAL_CLUSTER, REGION
from gate.effects.column import Column, Drawing, Effect, Judged
from gate.effects.scene import Scene, Side, below, both, is_object, metadata, part
from gate.effects.table import Table, listed, shown
from playbooks import taints
from playbooks.tokens import ADMISSION, CLUSTER_IDENTITY, ENCRYPTION_KEY, NODE_TAINTS, SIGNING_KEY
from report.formats.text import many
from report.model import Blast, Change, Op, Resource, Risk
from report.urns import kind, parent_type
from stacks.load import Stack
from stacks.model import AdoptedClusterSpec

_PROVIDER = "pulumi:providers:kubernetes"
_RIGHTS = Effect(needed="what runs by these rights may lose them")
_OTHER = Effect(loss="another cluster takes its place")
_RANGES = {
    "control_plane_pod_cidr": "pods of the cluster",
    "control_plane_service_cidr": "services of the cluster",
    "control_plane_virtual_address": "the API",
}
_WORDS = {Op.CREATE: "new", Op.UPDATE: "changed", Op.REPLACE: "replaced", Op.DELETE: "goes"}
_NAMED = 6
"""Objects that a row names; of more it tells the number."""


def _contents(scene: Scene) -> Table:
    """What is in the clusters: objects, and what is put on nodes beside them."""
    return _objects(scene) | both(_taints)(scene)


def _taints(side: Side) -> dict[str, str]:
    return {
        f"{resource.region}: taints of {resource.inputs.get('node')}": taints.words(
            below(resource.inputs, "taints")
        )
        for resource in side.of(NODE_TAINTS)
    }


def _objects(scene: Scene) -> Table:
    """One row per cluster and part: how many objects, and which of them do not stay as they are."""
    changed: dict[str, list[Change]] = {}
    for change in scene.changes.changes:
        if is_object(change.resource):
            changed.setdefault(_part(change.resource), []).append(change)
    before, after = (
        {key: many(number, "object") for key, number in Counter(map(_part, objects)).items()}
        for objects in (filter(is_object, side.resources) for side in scene.sides)
    )
    return Table(before, {key: words + _told(changed.get(key, ())) for key, words in after.items()})


def _part(resource: Resource) -> str:
    part = parent_type(resource).rpartition(":")[2] or "other"
    # What is declared by name is a part of its own; other components are there once in each cluster.
    own = f" {resource.declared[1]}" if len(resource.declared) == 2 else ""
    return f"{resource.region or 'all clusters'}: {part}{own}"


def _told(changes: Sequence[Change]) -> str:
    told = ""
    for op, word in _WORDS.items():
        names = [_name(change.resource) for change in changes if change.op is op]
        if len(names) > _NAMED:
            told += f"; {len(names)} {word}"
        elif names:
            told += f"; {word}: {listed(names)}"
    return told


def _name(resource: Resource) -> str:
    names = [str(name) for key in ("namespace", "name") if (name := metadata(resource).get(key))]
    return f"{kind(resource)} {'/'.join(names) or resource.name}"


def _evicts(change: Change, scene: Scene) -> Judged | None:
    """A taint that a node has from its first moment sends nobody away."""
    new = change.new
    if new is None or new.inputs.get("node") not in scene.there.nodes.get(new.region, ()):
        return None
    before = below(change.old.inputs, "taints") if change.old else {}
    put = {
        taint: value
        for taint, value in below(new.inputs, "taints").items()
        if taint.endswith(":NoExecute") and before.get(taint) != value
    }
    if not put:
        return None
    return Risk.TRAFFIC, f"pods that do not tolerate {taints.words(put)} are evicted from the node"


def _of_one_node(change: Change, scene: Scene, risk: Risk) -> Blast:
    region, node = change.resource.region, str(change.resource.inputs.get("node"))
    share = 0.0 if risk is Risk.ORDINARY else scene.share(change.resource, (region,))
    nodes = scene.there.nodes.get(region, {node})
    return Blast((region,), (node,), (), None if share is None else part(share, len(nodes)))


def _addresses(scene: Scene) -> Table:
    """Of bare metal what is applied, of adopted clusters what is declared."""

    def applied(side: Side) -> dict[str, str]:
        return {
            f"{phase.region}: {owner}": shown(variables[variable])
            for phase in side.phases
            for variable, owner in _RANGES.items()
            if variable in (variables := below(phase.inputs, "variables"))
        }

    before, after = map(applied, scene.sides)
    if scene.head is not None:
        # Without an earlier declaration an adopted cluster's ranges count as what they were, if it was there.
        there = [cluster.region for cluster in scene.before.of(ADOPTED_CLUSTER)]
        before |= _adopted(scene.base or scene.head, there)
        after |= _adopted(scene.head, scene.head.environment.regions)
    return Table(before, after)


def _adopted(stack: Stack, regions: Iterable[str]) -> dict[str, str]:
    ranges = {}
    for region in regions:
        spec = stack.environment.regions.get(region)
        if spec is not None and isinstance(spec.cluster, AdoptedClusterSpec):
            ranges[f"{region}: pods of the cluster"] = str(spec.cluster.pod_cidr)
            ranges[f"{region}: services of the cluster"] = str(spec.cluster.service_cidr)
    return ranges


def _draw(scene: Scene, drawing: Drawing) -> None:
    regions = scene.by_region(REGION)
    for region, clusters in scene.by_region(BARE_METAL_CLUSTER, ADOPTED_CLUSTER, _PROVIDER).items():
        if region:
            drawing.add(f"region:{region}", "region", region, "", regions.get(region, ()))
            drawing.add(f"cluster:{region}", "cluster", f"cluster {region}", f"region:{region}", clusters)


COLUMN = Column(
    name="clusters",
    kinds={
        REGION: Effect(loss="a region goes with all that is in it", whole=True),
        BARE_METAL_CLUSTER: Effect(loss="a cluster goes with all that runs in it", whole=True),
        ADOPTED_CLUSTER: Effect(loss="a cluster leaves the mesh", whole=True),
        _PROVIDER: _OTHER,
        CLUSTER_IDENTITY: _OTHER,
        ADMISSION: Effect(),
        ENCRYPTION_KEY: Effect(
            loss="Secrets that it has encrypted, and backups of them, are not readable any more"
        ),
        NODE_TAINTS: Effect(judge=_evicts, blast=_of_one_node),
        SIGNING_KEY: Effect(loss="every token of a service account that was signed by it is refused"),
        "APIService": Effect(needed="an API that programs ask is served no more"),
        "ClusterRole": _RIGHTS,
        "ClusterRoleBinding": _RIGHTS,
        "CustomResourceDefinition": Effect(loss="all objects of its kind go with it"),
        "PersistentVolume": Effect(loss="its data goes with it"),
        "Role": _RIGHTS,
        "RoleBinding": _RIGHTS,
        "ServiceAccount": _RIGHTS,
        "StorageClass": Effect(loss="volumes that need it can no longer be made"),
        "ValidatingWebhookConfiguration": Effect(needed="what is refused changes"),
    },
    rows={"objects": _contents, "addresses": _addresses},
    draw=_draw,
)
