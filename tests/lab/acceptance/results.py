"""Result files of acceptance suites: what was measured, when, and on which commit."""

from __future__ import annotations

import getpass
import json
import os
import platform
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.lab.site import ROOT


def commit() -> str:
    """The commit that is checked out, with `-dirty` when files that it knows differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown: not a git checkout"


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memoryGiB": round(memory / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def write(suite: str, result: dict[str, Any]) -> Path:
    """Write `docs/acceptance/<suite>-<date>.json` and return its path."""
    now = datetime.now(UTC)
    path = ROOT / "docs" / "acceptance" / f"{suite}-{now:%Y-%m-%d}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "suite": suite,
        "finishedAt": now.isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        **result,
    }
    path.write_text(without_names(json.dumps(document, indent=2)) + "\n")
    return path


def without_names(text: str) -> str:
    """The same without what only this computer has: its name, its user, and where that one is at home."""
    text = text.replace(f"{getpass.getuser()}@{socket.gethostname()}", "USER@HOST")
    return text.replace(f"{Path.home()}/", "~/")


def reported(suite: str, **known: Any) -> Iterator[dict[str, Any]]:
    """Hand out what a suite finds, with what is known before, and write it however the suite ends."""
    found = dict(known)
    yield found
    print(f"wrote {write(suite, found)}")
