"""The caches that all labs share: one writer at a time, old entries thrown away."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
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


def key_of(inputs: Any) -> str:
    """A key (16 hexadecimal digits) of plain JSON data: equal data, equal key."""
    canonical = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


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
            others = {*target.parent.glob(f"{kind}-*")} - {target}
            for old in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT - 1 :]:
                remove_tree(old)
                old.with_name(f".{old.name}.lock").unlink(missing_ok=True)
        # Its time says when it was used.
        target.touch()
    return target


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
