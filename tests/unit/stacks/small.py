"""The smallest declaration with given regions, as plain data."""

from __future__ import annotations

from typing import Any


def small(regions: dict[str, Any], addresses: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """What every environment declares, these regions, and `more`. addresses: over two pools."""
    return {
        "domain": "example.test",
        "addresses": {"podPool": "172.30.0.0/16", "servicePool": "172.31.0.0/16", **(addresses or {})},
        "mesh": {"id": "m", "trustDomain": "example.test"},
        "regions": regions,
        **more,
    }
