"""Backups of clusters' etcd, as they are kept: their names say of what, and when they were taken."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from access.stores import Store

ENDING, UNPROVEN = ".etcd", ".unproven"
"""Of a backup, and of one that nobody has opened again yet."""
_FORM = "%Y%m%dT%H%M%SZ"
_TAKEN = r"(\d{8}T\d{6}Z)"


@dataclass(frozen=True)
class Kept:
    """A backup that is kept."""

    name: str
    """In its store."""
    taken: datetime


def name(stack: str, region: str, at: datetime) -> str:
    """The name of a backup."""
    return f"{stack}/{region}-{at.astimezone(UTC):{_FORM}}{ENDING}"


def kept(store: Store, stack: str, region: str, ending: str = ENDING) -> list[Kept]:
    """Backups of a region, oldest first. Raises AccessError."""
    # Exactly: the name of one region may begin with that of another.
    form = re.compile(rf"{re.escape(f'{stack}/{region}-')}{_TAKEN}{re.escape(ending)}")
    found = (form.fullmatch(name) for name in store.names(stack))
    return [Kept(one[0], datetime.strptime(one[1], _FORM).replace(tzinfo=UTC)) for one in found if one]
