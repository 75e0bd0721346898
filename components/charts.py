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
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

import releases
import toolchain
from components.canonical import canonical
from components.manifests import Manifest
from stacks import digests
from stacks.whole_file import write_whole

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

    chart: its directory below the charts, one of the constants of this module. version: of Istio. kubernetes:
    version to render for, for example `1.34.3`; None where it is not known: the oldest that this Istio runs
    on. Results are kept in the user's cache by chart, program and arguments.

    Raises `ChartError`, and `toolchain.ToolchainError` when helm or the charts are not installed.
    """
    made_by = releases.release("istio", version)
    kubernetes = kubernetes or made_by.runs_on["kubernetes"][0]
    helm, charts = toolchain.program("helm"), _data(made_by, "charts")
    arguments = ["template", release, str(charts / chart), "--namespace", namespace, "--include-crds"]
    arguments += ["--kube-version", f"v{kubernetes}", "--values", "-"]
    text = json.dumps(values, sort_keys=True)
    made_of = [chart, release, namespace, kubernetes, text, toolchain.version("helm")]
    key = digests.of_value([_FORM, *made_of, digests.of_tree(charts / chart)])
    kept = _cache() / f"{chart.replace('/', '-')}-{key[:32]}.json"
    if kept.is_file():
        return _read(kept)
    objects = _sorted(_taken(found) for found in _documents(_run(helm, arguments, text, chart, release)))
    kept.parent.mkdir(parents=True, exist_ok=True)
    # Previews run side by side.
    write_whole(kept, json.dumps(objects))
    return objects


def metallb(version: str) -> list[Manifest]:
    """The objects of a release of MetalLB, without BGP (`metallb-native`). Shared: do not change them."""
    return _released(_data(releases.release("metallb", version), "manifests"))


def _data(release: releases.Release, what: str) -> Path:
    return toolchain.data(release.data[what].name, release.data[what].version)


# Clusters ask for the same again and again. Parsed for each of fifty, definitions alone would take a tenth of
# a program's time.


@lru_cache
def _read(kept: Path) -> list[Manifest]:
    found: list[Manifest] = json.loads(kept.read_text())
    return found


@lru_cache
def _released(manifests: Path) -> list[Manifest]:
    return _sorted(_taken(found) for found in _documents(manifests.read_text()))


def _run(helm: Path, arguments: list[str], values: str, chart: str, release: str) -> str:
    # helm reads settings and plugins of the user's; none of them may change what is rendered.
    with tempfile.TemporaryDirectory(prefix="crossmesh-helm-") as home:
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": home}
        environment |= {
            name: f"{home}/{name}" for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        }
        try:
            result = subprocess.run(
                [helm, *arguments],
                input=values,
                env=environment,
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


def _documents(text: str) -> Iterator[Manifest]:
    for document in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if document:
            yield document


def _taken(manifest: Manifest) -> Manifest:
    """A released object in the form in which it is declared."""
    return _brief(dict(canonical(_clean(manifest))))


def _clean(value: Any) -> Any:
    """Without nulls, and without empty labels and annotations, which the API server does not keep either."""
    if isinstance(value, dict):
        kept = {key: _clean(entry) for key, entry in value.items() if entry is not None}
        return {key: entry for key, entry in kept.items() if entry or key not in ("annotations", "labels")}
    return [_clean(entry) for entry in value] if isinstance(value, list) else value


def _brief(manifest: Manifest) -> Manifest:
    """A definition without the prose in its schemas, anything else as it is.

    The engine writes its whole state at each step; that prose, thrice per definition, is a quarter of it.
    """
    if manifest["kind"] != "CustomResourceDefinition":
        return manifest

    def pruned(value: Any) -> Any:
        if isinstance(value, list):
            return [pruned(entry) for entry in value]
        if not isinstance(value, dict):
            return value
        # A property may be called `description` as well; then it is a schema, not a text.
        return {
            key: pruned(entry)
            for key, entry in value.items()
            if not (key == "description" and isinstance(entry, str))
        }

    return {**manifest, "spec": pruned(manifest["spec"])}


def _sorted(objects: Iterator[Manifest]) -> list[Manifest]:
    def key(manifest: Manifest) -> tuple[str, str, str]:
        metadata = manifest["metadata"]
        return manifest["kind"], metadata.get("namespace", ""), metadata["name"]

    return sorted(objects, key=key)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crossmesh" / "charts"
