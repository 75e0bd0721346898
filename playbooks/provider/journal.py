"""Which changes of hosts were begun and not finished, on this machine.

The state says what a host was last brought to. A change that failed or was cut off left it somewhere between
that and what was wanted; if the declaration is then turned back, the state alone would call the host
unchanged.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path


def directory() -> Path:
    """Return where the entries are: `crossmesh/changes` below the user's state directory."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "crossmesh" / "changes"


def unfinished(urn: str, address: str) -> bool:
    """Whether a change of this resource, on the host at this address, was begun and not finished."""
    return _entry(urn, address).exists()


@contextlib.contextmanager
def change(urn: str, address: str) -> Iterator[None]:
    """Write down that a change begins; forget it when the block ends without an error."""
    entry = _entry(urn, address)
    entry.parent.mkdir(parents=True, exist_ok=True)
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    entry.write_text(json.dumps({"urn": urn, "address": address, "begun": begun}))
    yield
    forget(urn, address)


def forget(urn: str, address: str) -> None:
    """Forget the change, if there is one; the directory too when it was the last."""
    entry = _entry(urn, address)
    entry.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        entry.parent.rmdir()


def forget_stack(stack: str) -> int:
    """Forget all changes of a stack whose hosts are gone; returns how many there were."""
    forgotten = 0
    for entry in directory().glob("*.json"):
        change = json.loads(entry.read_text())
        if change["urn"].startswith(f"urn:pulumi:{stack}::"):
            forget(change["urn"], change["address"])
            forgotten += 1
    return forgotten


def _entry(urn: str, address: str) -> Path:
    # Stacks of the same name can exist in several backends; hosts tell them apart.
    return directory() / (hashlib.sha256(f"{urn} {address}".encode()).hexdigest()[:32] + ".json")
