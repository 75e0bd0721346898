"""Secrets among the engine's values: how they are marked, and how they are hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
"""How the engine marks values of special kinds, and that of secrets (Pulumi's SDK, `resource/sig`)."""

SECRET_TYPE = "kubernetes:core/v1:Secret"
HOLDERS = ("data", "stringData")
"""Where a Kubernetes Secret has its texts: nobody's business, also where they are not marked as secret."""


def hiding(type: str, properties: Mapping[str, Any], hide: Callable[[Any], Any]) -> dict[str, Any]:
    """Properties of a resource; of a Kubernetes Secret with each of its texts put through `hide`."""
    hidden = dict(properties)
    for holder in HOLDERS if type == SECRET_TYPE else ():
        if isinstance(hidden.get(holder), Mapping):
            hidden[holder] = {key: hide(value) for key, value in hidden[holder].items()}
    return hidden
