"""What an answer is made by: versions of the project and of the engine, and the commit."""

from __future__ import annotations

from pathlib import Path

import toolchain
from access import git
from access.paths import version
from report.examination import Producer


def producer(root: Path, base: str | None = None) -> Producer:
    """What produces an answer. Raises `ConfigurationError` if `base` is no commit."""
    return Producer(
        crossmesh=version(),
        pulumi=toolchain.version("pulumi"),
        commit=git.head(root),
        dirty=git.dirty(root),
        base="" if base is None else git.commit(root, base),
    )
