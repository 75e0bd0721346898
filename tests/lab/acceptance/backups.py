"""Backups of etcd in a directory of the tests."""

from __future__ import annotations

from pathlib import Path

from access.stores import Directory
from live import backups


def paths(directory: Path, stack: str, region: str) -> list[Path]:
    """Backups of a region, oldest first."""
    return [directory / one.name for one in backups.kept(Directory(directory), stack, region)]
