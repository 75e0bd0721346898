"""What differs between two releases of a program: in the catalogue, in what they render and take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import releases
import releases.served
from components import charts
from components.manifests import Manifest, mesh, network
from releases import Release, minor, numbers
from releases.served import Served
from stacks.model import HTTPS_PORT, STATUS_PORT, MeshSpec
from stacks.system_namespaces import ISTIO_INGRESS, ISTIO_SYSTEM
from toolchain.golang import Builder
from toolchain.manifest import Data, manifest
from upkeep import difference, settings
from upkeep.difference import Change, Objects
from upkeep.module import directory
from upkeep.settings import Lost


@dataclass(frozen=True)
class Side:
    """A release, and its source."""

    release: Release
    source: Path


@dataclass(frozen=True)
class Difference:
    """What differs between two releases of a program."""

    program: str
    before: str
    after: str
    said: tuple[Change, ...]
    """By the catalogue: images, what comes with it, what it runs with, its support."""
    objects: Objects = field(default_factory=Objects)
    settings: tuple[Lost, ...] = ()
    """Settings and changes that this project makes and the later one does not know any more."""
    configuration: tuple[Change, ...] = ()
    """Of Kubernetes: fields of kubelet's and kube-proxy's configuration, feature gates and defaults."""
    served: tuple[Change, ...] = ()
    """Of Kubernetes: how each kind is served."""
    open: tuple[str, ...] = ()
    """What could not be compared, and how it can be."""


def earlier(program: str, version: str) -> Release | None:
    """The catalogue's release before a version, or else its oldest other one; None where it has no other."""
    has = [one for one in releases.versions(program) if one != version]
    before = [one for one in has if numbers(one) < numbers(version)]
    return releases.release(program, before[-1] if before else has[0]) if has else None


def source(release: Release) -> Path:
    """The source of a release of the catalogue, out of Go's module cache.

    Raises ToolchainError when it is not there and cannot be had.
    """
    pinned = manifest()
    for one in release.data.values():
        data = pinned.entry(one.name, one.version)
        assert isinstance(data, Data)
        return Builder(pinned).source_dir(pinned.modules[data.module], data.source)
    return directory(release.program, release.version)


def compare(before: Side, after: Side) -> Difference:
    """Compare two releases of a program, the earlier one first.

    Raises ToolchainError for a program (helm) or a source that is not there.
    """
    old, new = before.release, after.release
    said = tuple(difference.changes(_said(old), _said(new)))
    made = Difference(old.program, old.version, new.version, said)
    return _COMPARED[old.program](made, before, after)


def _said(release: Release) -> Any:
    """What the catalogue says of a release, without who says so."""
    says = {
        "packages": release.packages,
        "brings": dict(release.brings),
        "images": dict(release.images),
        "runs with": {releases.NAMES[other]: str(needs) for other, needs in release.runs_on.items()},
        "mended until": str(release.support.until or ""),
    }
    return difference.without(release.version, says)


def _kubernetes(made: Difference, before: Side, after: Side) -> Difference:
    """No objects: what it takes as configuration, and what its API servers serve."""
    old, new = minor(made.before), minor(made.after)
    if old == new:
        same = f"configuration and what API servers serve are described by minor version: {new} of both"
        return replace(made, open=(same,))
    missing = [
        f"`make {target} MODULE=toolchain/modules/{side.release.module}`"
        for side in (before, after)
        for target in undescribed(side.release.version)
    ]
    if missing:
        again = f"`python -m releases compare kubernetes {made.before} {made.after}`"
        made = replace(made, open=(f"{', '.join(missing)}, then {again}",))
    if {old, new} <= set(releases.configured()):
        old_taken, new_taken = (dict(_taken(releases.configurations(one))) for one in (old, new))
        made = replace(made, configuration=tuple(difference.changes(old_taken, new_taken)))
    if {old, new} <= set(releases.served.described()):
        old_served, new_served = (_served(one) for one in (old, new))
        made = replace(made, served=tuple(difference.changes(old_served, new_served)))
    return made


def undescribed(kubernetes: str) -> list[str]:
    """The targets of `make` by which a minor version of Kubernetes is still to be described."""
    described = {"configurations": releases.configured(), "served": releases.served.described()}
    return [target for target, minors in described.items() if minor(kubernetes) not in minors]


def _served(kubernetes: str) -> dict[str, str]:
    """How API servers of a minor version serve each kind; those that they do not are left out."""
    found = {}
    for api_version, kind in releases.served.known(kubernetes):
        standing = releases.served.standing(kubernetes, api_version, kind)
        if standing and standing.served in (Served.BY_DEFAULT, Served.ON_REQUEST):
            deprecated = f", deprecated since {standing.deprecated}" if standing.deprecated else ""
            found[f"{api_version} {kind}"] = f"{standing.served}{deprecated}"
    return found


def _taken(configuration: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What can be configured, by its path, and defaults."""
    for kind in ("kubelet", "kubeProxy"):
        for path, what in _fields(configuration[kind], configuration["$defs"], kind):
            # Both have the gates of one registry.
            if not path.startswith("kubeProxy.featureGates."):
                yield path.removeprefix("kubelet.") if ".featureGates." in path else path, what
        yield f"default {kind}", configuration["defaults"][kind]


def _fields(schema: Mapping[str, Any], defs: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    while "$ref" in schema:
        schema = {**defs[schema["$ref"].rpartition("#/$defs/")[2]], **_but(schema, "$ref")}
    yield path, _but(schema, "properties", "items", "additionalProperties")
    for key, below in schema.get("properties", {}).items():
        yield from _fields(below, defs, f"{path}.{key}")
    for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(schema.get(key), Mapping):
            yield from _fields(schema[key], defs, path + mark)


def _but(values: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in keys}


def _istio(made: Difference, before: Side, after: Side) -> Difference:
    """What its charts render with the values of this project, for one Kubernetes."""
    oldest = [side.release.runs_on["kubernetes"].oldest for side in (before, after)]
    kubernetes = max(oldest, key=numbers)
    old_root, new_root = (side.source / _data("istio-charts").path for side in (before, after))
    try:
        old = _objects(before.release, old_root, kubernetes)
        new = _objects(after.release, new_root, kubernetes)
        lost = {
            one
            for spec in _MESHES
            for chart in _charts(after.release, spec, kubernetes)
            for one in settings.lost(chart.name, chart.values, old_root, new_root, chart.render)
        }
    except charts.ChartError as error:
        return replace(made, open=(f"the charts refuse what this project sets: {error}",))
    settings_lost = tuple(sorted(lost, key=lambda one: (one.chart, one.setting)))
    return replace(made, objects=difference.objects(old, new), settings=settings_lost)


def _objects(release: Release, root: Path, kubernetes: str) -> list[Manifest]:
    """All objects of its charts, without its version."""
    made = [
        manifest
        for chart in _charts(release, _MESHES[0], kubernetes)
        for manifest in chart.render(root, chart.values)
    ]
    return [difference.without(release.version, manifest) for manifest in made]


_MESHES = (
    MeshSpec(id="mesh", trust_domain="mesh.example"),
    MeshSpec(id="mesh", trust_domain="mesh.example", revision="canary", stock_envoy=True),
)
"""Declarations that between them make every setting that there is; the first is the ordinary one."""


@dataclass(frozen=True)
class _Chart:
    """A chart of Istio as `components` renders it."""

    name: str
    release: str
    namespace: str
    values: Mapping[str, Any]
    kubernetes: str

    def render(self, root: Path, values: Mapping[str, Any]) -> list[Manifest]:
        """Its objects, with the chart of this name in a directory, and with these values."""
        return charts.rendered(
            root, self.name, self.release, self.namespace, values, kubernetes=self.kubernetes
        )


def _charts(release: Release, spec: MeshSpec, kubernetes: str) -> Iterator[_Chart]:
    image = release.images["pilot"]
    istiod = mesh.istiod_values(spec, region="region", network="flat", image=image, replicas=2)
    gateway = mesh.gateway_values(replicas=2, ports=[HTTPS_PORT, STATUS_PORT], addresses=["192.0.2.1"])
    yield _Chart(charts.BASE, "istio-base", ISTIO_SYSTEM, mesh.base_values(spec), kubernetes)
    yield _Chart(charts.ISTIOD, mesh.ISTIOD, ISTIO_SYSTEM, istiod, kubernetes)
    yield _Chart(charts.GATEWAY, mesh.GATEWAY, ISTIO_INGRESS, gateway, kubernetes)


def _metallb(made: Difference, before: Side, after: Side) -> Difference:
    """What its manifests hold, and what `components` changes in them."""
    plain = [charts.released(side.source / _data("metallb-manifests").path) for side in (before, after)]
    masked = [
        [difference.without(side.release.version, manifest) for manifest in objects]
        for side, objects in zip((before, after), plain, strict=True)
    ]
    made = replace(made, objects=difference.objects(*masked))
    try:
        old, new = (
            set(_adapted(side.release, objects)) for side, objects in zip((before, after), plain, strict=True)
        )
    except (KeyError, TypeError) as error:
        return replace(made, open=(f"components.manifests.network does not fit it any more: {error!r}",))
    lost = tuple(Lost("metallb-native", place, heeded=False) for place in sorted(old - new))
    return replace(made, settings=lost)


def _adapted(release: Release, objects: list[Manifest]) -> Iterator[str]:
    """The places in its objects that this project changes."""
    keys = ("ca_bundle", "certificate", "private_key", "ca_certificate")
    changed = network.release(objects, images=release.images, **dict.fromkeys(keys, "of this project"))
    for before, after in zip(objects, changed, strict=True):
        for change in difference.changes(before, after):
            yield f"{difference.named(before)}: {change.path}"


def _data(name: str) -> Data:
    return manifest().data[name]


def _nothing(made: Difference, before: Side, after: Side) -> Difference:
    """Of what has neither objects nor settings of this project's."""
    return made


_COMPARED = {"containerd": _nothing, "istio": _istio, "kubernetes": _kubernetes, "metallb": _metallb}
