"""The journal of a stack's runs: what was begun, reached, taken back, by whom; an audit log that shows
tampering.

One file of JSON lines, written through to the disk line by line, each with the SHA-256 of the one before
it and of itself. It lies with the environment's state: beside the stacks of a file backend, else in the
user's state directory. What a killed run left as half a line was never acted upon, since a step begins
after its line is on the disk.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from access import engine
from access.host_lock import operator
from access.locks import backend_directory
from access.paths import project_name
from report.errors import LockedError, OperationsError

_FIRST = "0" * 64
"""Stands for the entry before the first."""


class What(StrEnum):
    """What an entry tells."""

    BEGUN = "begun"
    RESUMED = "resumed"
    DOING = "doing"
    """A step begins; with what it finds, which its undo needs."""
    REACHED = "reached"
    """A step is verified. Without a `doing` before it, it was so already."""
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"
    ENDED = "ended"


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    TAKEN_BACK = "taken back"
    """It failed or was aborted, and all that it did was undone."""
    LEFT = "left"
    """Aborted, and something that it did stays."""


@dataclass(frozen=True)
class Entry:
    """One line."""

    number: int
    at: str
    """When, in UTC, ISO 8601 with milliseconds."""
    run: str
    what: What
    by: str
    """Who: user, host and process."""
    previous: str
    """Hash of the entry before it."""
    step: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """SHA-256 of all of it, hexadecimal."""
        return hashlib.sha256(self._text().encode()).hexdigest()

    def line(self) -> str:
        """The line of the file, without its end."""
        return json.dumps({**json.loads(self._text()), "hash": self.hash}, ensure_ascii=False)

    def _text(self) -> str:
        values = {
            "number": self.number,
            "at": self.at,
            "run": self.run,
            "what": self.what.value,
            "step": self.step,
            "by": self.by,
            "data": self.data,
            "previous": self.previous,
        }
        return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def home(stack: str) -> Path:
    """Directory of a stack's journal."""
    url = engine.backend_url()
    if url.startswith("file:"):
        return backend_directory(url) / ".crossmesh" / "journals" / project_name() / stack
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    backend = hashlib.sha256(url.encode()).hexdigest()[:16]
    return state / "crossmesh" / "journals" / backend / project_name() / stack


def read(directory: Path) -> list[Entry]:
    """All entries, oldest first. Raises OperationsError for a journal that was changed by hand."""
    try:
        text = (directory / "journal.jsonl").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    whole = text[: text.rfind("\n") + 1]
    entries: list[Entry] = []
    previous = _FIRST
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            raw = json.loads(line)
            claimed = raw.pop("hash")
            entry = Entry(**{**raw, "what": What(raw["what"])})
        except (ValueError, KeyError, TypeError) as error:
            raise _changed(directory, number, f"is no entry ({error})") from None
        if entry.number != number or entry.previous != previous or entry.hash != claimed:
            raise _changed(directory, number, "does not follow from the one before it")
        entries.append(entry)
        previous = claimed
    return entries


class Journal:
    """A stack's journal, held by this process alone."""

    def __init__(self, directory: Path, entries: list[Entry], file: TextIO) -> None:
        self.directory = directory
        self.entries = entries
        self._file = file

    def write(self, run: str, what: What, step: str = "", **data: Any) -> Entry:
        """Append an entry, and have it on the disk. data: plain JSON, no secrets."""
        last = self.entries[-1] if self.entries else None
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        number, previous = (last.number + 1, last.hash) if last else (1, _FIRST)
        entry = Entry(number, now, run, what, operator(), previous, step, data)
        self._file.write(entry.line() + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.entries.append(entry)
        return entry


@contextmanager
def opened(directory: Path) -> Iterator[Journal]:
    """Hold a stack's journal. Raises LockedError while another process of this file system does."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "journal.jsonl"
    with (directory / "lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            whose = lock.read().strip() or "another process"
            raise LockedError(
                f"a runbook of this stack is being run by {whose}",
                fix="wait until it has ended; `crossmesh runbook history` shows how far it is",
            ) from None
        lock.truncate(0)
        lock.write(operator())
        lock.flush()
        entries = read(directory)
        with path.open("a", encoding="utf-8") as file:
            # Half a line that a killed run left is taken away: nothing was done by it.
            file.truncate(path.read_bytes().rfind(b"\n") + 1)
            yield Journal(directory, entries, file)
        lock.truncate(0)


def _changed(directory: Path, number: int, why: str) -> OperationsError:
    return OperationsError(
        f"the journal {directory / 'journal.jsonl'} was changed: its line {number} {why}",
        fix="find out who did it, and bring the file back from a copy: nothing is run by a journal that lies",
    )
