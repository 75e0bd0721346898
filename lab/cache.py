"""The caches that all labs share: one writer at a time, old entries thrown away."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab import progress
from lab.commands import remove_tree
from lab.errors import LabError
from lab.paths import cache_dir
from toolchain.store import locked

# This one, and one of another working copy of the project.
_KEPT = 2
_DIGITS = 16
_UNUSED_S = 24 * 3600.0


def key_of(inputs: Any) -> str:
    """A key (`_DIGITS` hexadecimal digits) of plain JSON data: equal data, equal key."""
    canonical = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_DIGITS]


def mark(path: Path) -> str:
    """What tells a file from one that was there before: size and time. To read all programs takes seconds."""
    about = path.stat()
    return f"{about.st_size} {about.st_mtime_ns}"


def entry(
    kind: str, key: str, make: Callable[[Path], None], intact: Callable[[Path], bool] = Path.exists
) -> Path:
    """The directory ``kind-key`` of the cache, made first where it is missing or not ``intact``.

    Of two labs starting together, one makes it, one waits. Of the others of its kind, one that was used last
    stays.
    """
    target = cache_dir() / f"{kind}-{key}"

    def busy(owner: str) -> None:
        progress.say(f"waiting for process {owner}, which makes {target.name}")

    with locked(target.with_name(f".{target.name}.lock"), busy):
        if target.exists() and not intact(target):
            progress.say(f"something wrote into the files of {target}, which machines share: making it anew")
            remove_tree(target)
        if not target.exists():
            scratch = fresh_scratch(target)
            make(scratch)
            scratch.rename(target)
            # None that is being made: those have longer names.
            others = {*target.parent.glob(f"{kind}-{'[0-9a-f]' * _DIGITS}")} - {target}
            for old in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT - 1 :]:
                remove_tree(old)
                old.with_name(f".{old.name}.lock").unlink(missing_ok=True)
        # Its time says when it was used.
        target.touch()
    return target


def prune(kinds: Iterable[str], keep: Iterable[str]) -> None:
    """Delete what is neither an entry of these kinds nor named in ``keep``, and was not touched for a day.

    ``kinds`` are regular expressions.
    Earlier versions of the project laid the cache out in other ways, and nobody would ever look at that
    again. The day is for a working copy of such a version that is in use. Labs that run have links of their
    own to all that they took from here.
    """
    ours = re.compile(rf"\.?({'|'.join(kinds)})-[0-9a-f]{{{_DIGITS}}}(\.lock|\.\d+\.new)?")
    kept, before = set(keep), time.time() - _UNUSED_S
    gone = [
        path
        for path in sorted(cache_dir().glob("*"))
        if path.name not in kept and not ours.fullmatch(path.name) and path.lstat().st_mtime < before
    ]
    for path in gone:
        remove_tree(path)
    if gone:
        progress.say(f"removed from {cache_dir()} what no version in use keeps there: {len(gone)} entries")


def fresh_scratch(target: Path) -> Path:
    """A name beside ``target`` for making it; what killed runs left under such names is deleted."""
    for old in target.parent.glob(f"{target.name}.*.new"):
        # Something of a killed run may still end in there: then it stays until the next time.
        with contextlib.suppress(LabError):
            remove_tree(old)
    return target.with_name(f"{target.name}.{os.getpid()}.new")


@contextmanager
def replacing(destination: Path) -> Iterator[Path]:
    """A temporary path beside ``destination``, moved there when the block ends well, else removed."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{destination.name}.", dir=destination.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # Made private by mkstemp; others may read it, and run it where the writer made it a program.
        temporary.chmod(0o755 if temporary.stat().st_mode & 0o100 else 0o644)
        temporary.replace(destination)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def link(source: str | Path, target: str | Path) -> None:
    """A hard link to a file of the cache; a copy where there can be none, as on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
