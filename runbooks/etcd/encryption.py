"""By which keys a cluster's Secrets are encrypted: their names, and never the keys."""

from __future__ import annotations

import re
from collections.abc import Callable

SCRIPT = (
    "cat /etc/kubernetes/crossmesh/encryption-*.yaml 2>/dev/null | grep -o 'name: *[A-Za-z0-9._-]*' || true"
)
"""Says on a control-plane host the names of the keys that its API server has."""
_NAME = re.compile(r"^name: *(\S+)$", re.MULTILINE)


def key_names(on_host: Callable[[str], str]) -> list[str]:
    """Names of the keys that a host's API server has, sorted. on_host: what a script says there."""
    return sorted(set(_NAME.findall(on_host(SCRIPT))))
