"""Settings that this project makes, and that a newer release of a chart does not know any more."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.manifests import Manifest

_WRAPPERS = ("_internal_defaults_do_not_set", "defaults")
"""Under one of these keys Istio's charts have their defaults."""


@dataclass(frozen=True)
class Lost:
    """A setting that the newer chart does not name or heed, and the earlier one did."""

    chart: str
    setting: str
    heeded: bool
    """Whether it changes what the newer chart renders, all the same."""


_ECHOES = ("values", "merged-values", "original-values")
"""Keys of ConfigMaps in which charts write down what they were given, heeded or not."""


Render = Callable[[Path, Mapping[str, Any]], list[Manifest]]
"""The objects of a chart with values, out of a directory of charts."""


def lost(chart: str, values: Mapping[str, Any], before: Path, after: Path, render: Render) -> Iterator[Lost]:
    """The settings among `values` that a chart has lost.

    before, after: the directories of both releases' charts.

    That values.yaml does not name one says little: of some settings it names the parent alone. So each of
    these is left out once, with both charts, to see whether it changes anything.
    """
    known = [_named(root / chart / "values.yaml") for root in (before, after)]
    for path in _leaves(values):
        if path in known[1]:
            continue
        rest = _left_out(values, path)
        heeded = [_acts(render(root, values)) != _acts(render(root, rest)) for root in (before, after)]
        if path in known[0] or (heeded[0] and not heeded[1]):
            yield Lost(chart, ".".join(path), heeded[1])


def _acts(objects: list[Manifest]) -> list[Manifest]:
    """Objects without echoes of values."""
    return [
        {**manifest, "data": {key: text for key, text in manifest["data"].items() if key not in _ECHOES}}
        if manifest["kind"] == "ConfigMap" and "data" in manifest
        else manifest
        for manifest in objects
    ]


def _named(file: Path) -> set[tuple[str, ...]]:
    """The settings that a values.yaml names."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    values = yaml.load(file.read_text(encoding="utf-8"), Loader=loader) or {}
    for wrapper in _WRAPPERS:
        if isinstance(values.get(wrapper), Mapping):
            values = {**values, **values[wrapper]}
    return {path[:depth] for path in _leaves(values) for depth in range(1, len(path) + 1)}


def _leaves(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        path = (*above, key)
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, path)
        else:
            yield path


def _left_out(values: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    rest: dict[str, Any] = copy.deepcopy(dict(values))
    place = rest
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return rest
