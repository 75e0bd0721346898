"""Released charts and manifests as plain objects: rendered offline, by pinned programs, and kept.

A preview of an environment that does not exist yet must list every object that `up` will create, so charts
are not left to a cluster or to the engine's plugin: each object that they render becomes a resource of its
own.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

import releases
import toolchain
from components.manifests import Manifest
from stacks import digests
from stacks.quantities import canonical_quantity
from stacks.whole_file import write_whole
from toolchain import store

BASE = "base"
ISTIOD = "istio-control/istio-discovery"
GATEWAY = "gateway"

_TIMEOUT = 120
_FORM = "4"
"""Changes whenever what is kept is made in another way from what helm renders."""


class ChartError(Exception):
    """A chart could not be rendered. Says which, with which release, and helm's own words."""


def istio(
    chart: str,
    release: str,
    namespace: str,
    values: Mapping[str, Any],
    *,
    version: str,
    kubernetes: str | None,
) -> list[Manifest]:
    """Render one of Istio's charts. What is returned is shared with other callers: do not change it.

    chart: a constant of this module. version: of Istio. kubernetes: version to render for; None for the
    oldest that this Istio runs on. Results are kept in the user's cache by chart, program and arguments.
    Raises `ChartError`, and `toolchain.ToolchainError` when helm or the charts are not installed.
    """
    made_by = releases.release("istio", version)
    kubernetes = kubernetes or made_by.runs_on["kubernetes"].oldest
    return rendered(_data(made_by, "charts"), chart, release, namespace, values, kubernetes=kubernetes)


def rendered(
    charts: Path, chart: str, release: str, namespace: str, values: Mapping[str, Any], *, kubernetes: str
) -> list[Manifest]:
    """The same of charts in a directory, be they of the catalogue or not."""
    helm = toolchain.program("helm")
    arguments = ["template", release, str(charts / chart), "--namespace", namespace, "--include-crds"]
    arguments += ["--kube-version", f"v{kubernetes}", "--values", "-"]
    text = json.dumps(values, sort_keys=True)
    made_of = [chart, release, namespace, kubernetes, text, toolchain.version("helm")]
    key = digests.of_value([_FORM, *made_of, digests.of_tree(charts / chart)])
    kept = store.cache_dir() / "charts" / f"{chart.replace('/', '-')}-{key[:32]}.json"
    if kept.is_file():
        return _read(kept)
    objects = _objects(_run(helm, arguments, text, chart, release))
    kept.parent.mkdir(parents=True, exist_ok=True)
    # Previews run side by side.
    write_whole(kept, json.dumps(objects))
    return objects


def metallb(version: str) -> list[Manifest]:
    """The objects of a release of MetalLB, without BGP (`metallb-native`). Shared: do not change them."""
    return released(_data(releases.release("metallb", version), "manifests"))


def gateway_api(version: str) -> list[Manifest]:
    """The definitions of a release of the Gateway API, of its standard channel. Shared: do not change them.

    Without its policy that keeps others from going back to earlier releases: that is the owner's to want.
    """
    directory = _data(releases.release("gateway-api", version), "definitions")
    found = [manifest for path in sorted(directory.glob("*.yaml")) for manifest in released(path)]
    return [manifest for manifest in found if manifest["kind"] == "CustomResourceDefinition"]


def _data(release: releases.Release, what: str) -> Path:
    return toolchain.data(release.data[what].name, release.data[what].version)


# Clusters ask for the same again and again. Parsed for each of fifty, definitions alone would take a tenth of
# a program's time.


@lru_cache
def _read(kept: Path) -> list[Manifest]:
    objects: list[Manifest] = json.loads(kept.read_text())
    return objects


@lru_cache
def released(manifests: Path) -> list[Manifest]:
    """The objects of a file of YAML documents. Shared: do not change them."""
    return _objects(manifests.read_text())


def _run(helm: Path, arguments: list[str], values: str, chart: str, release: str) -> str:
    # helm reads settings and plugins of the user's; none of them may change what is rendered.
    with tempfile.TemporaryDirectory(prefix="crossmesh-helm-") as home:
        homes = dict.fromkeys(("HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"), home)
        try:
            result = subprocess.run(
                [helm, *arguments],
                input=values,
                env={"PATH": os.environ.get("PATH", ""), **homes},
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ChartError(
                f"chart {chart}, release {release}: helm did not end within {_TIMEOUT} s"
            ) from None
    if result.returncode:
        raise ChartError(f"chart {chart}, release {release}: helm template failed: {result.stderr.strip()}")
    return result.stdout


def _objects(text: str) -> list[Manifest]:
    """The objects of YAML documents in the form in which they are declared, sorted."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    objects = [_taken(document) for document in yaml.load_all(text, Loader=loader) if document]
    return sorted(objects, key=_identity)


def _identity(manifest: Manifest) -> tuple[str, str, str]:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def _taken(manifest: Manifest) -> Manifest:
    """A released object in the form in which it is declared; a definition without its schemas' prose.

    The engine writes its whole state at each step; that prose, thrice per definition, is a quarter of it.
    """
    brief = canonical(manifest)
    if manifest["kind"] == "CustomResourceDefinition":
        brief["spec"] = _without_prose(brief["spec"])
    return dict(brief)


def canonical(value: Any, key: str = "") -> Any:
    """A value in the form in which Kubernetes keeps it; key: of what it is, in the mapping above it.

    Without nulls, empty labels and annotations and environment variables' empty values, and with containers'
    quantities in canonical form. The API server and the Kubernetes provider write `2000m` as `2`, but the
    provider does so only once it knows its cluster: a preview without one would differ from `up`.
    """
    if isinstance(value, list):
        return [canonical(entry, key) for entry in value]
    if not isinstance(value, Mapping):
        return value
    if key == "env":
        value = {name: entry for name, entry in value.items() if (name, entry) != ("value", "")}
    kept = {name: canonical(entry, name) for name, entry in value.items() if entry is not None}
    if key == "resources":
        for kind in {"limits", "requests"} & {name for name in kept if isinstance(kept[name], Mapping)}:
            kept[kind] = {name: canonical_quantity(str(amount)) for name, amount in kept[kind].items()}
    return {name: entry for name, entry in kept.items() if entry or name not in ("annotations", "labels")}


def _without_prose(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_prose(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    # A property may be called `description` as well; then it is a schema, not a text.
    return {
        key: _without_prose(entry)
        for key, entry in value.items()
        if not (key == "description" and isinstance(entry, str))
    }
