"""What git knows of the checkout."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from report.errors import ConfigurationError

_TIMEOUT = 60
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
"""Of branches, tags and commits that can be fetched."""


def files(root: Path) -> list[str] | None:
    """Files below `root` that git does not ignore, also those it does not know yet; None outside of git."""
    return _names(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")


def head(root: Path) -> str:
    """Full id of the commit that is checked out; empty outside of git, and before the first commit."""
    return _run(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").stdout.decode().strip()


def commit(root: Path, ref: str) -> str:
    """Full id of a commit. Raises `ConfigurationError` for a `ref` that is none, and outside of git."""
    done = _run(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if done.returncode == 0:
        return done.stdout.decode().strip()
    # It is silent of a name that it does not know, and says why where it reads no repository at all.
    said = done.stderr.decode(errors="replace").strip()
    why = f" Git says: {said}" if said else _how_to_fetch(root, ref)
    raise ConfigurationError(f"{ref!r} is no commit of the repository at {root}.{why}")


def _how_to_fetch(root: Path, ref: str) -> str:
    shallow = _run(root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
    if not shallow or not _NAME.fullmatch(ref):
        return ""
    name = ref.removeprefix("origin/")
    return f" The clone is shallow; fetch it first: `git fetch --depth=1 origin {name}`, and give FETCH_HEAD."


def dirty(root: Path) -> bool:
    """Whether files that git knows differ from the commit, or there are others that it does not ignore."""
    return bool(_run(root, "status", "--porcelain", "--untracked-files=all").stdout.strip())


def differing(root: Path) -> list[str]:
    """Files below `root` that differ from the commit, with new ones; sorted, none outside of git."""
    names = set(_names(root, "ls-files", "-z", "--others", "--exclude-standard") or ())
    return sorted(names | set(_names(root, "diff", "-z", "--name-only", "--relative", "HEAD") or ()))


def archive(root: Path, ref: str) -> bytes:
    """The files of a commit, as a tar archive."""
    done = _run(root, "archive", "--format=tar", commit(root, ref))
    if done.returncode != 0:
        raise ConfigurationError(f"`git archive {ref}` failed: {done.stderr.decode().strip()}")
    return done.stdout


def text(root: Path, ref: str, path: str) -> str | None:
    """A file below `root` as it is in a commit; None if it is not there. Raises `ConfigurationError`."""
    # `./`: else the path would count from the repository's root, which may be further up.
    done = _run(root, "show", f"{commit(root, ref)}:./{path}")
    if done.returncode != 0:
        return None
    try:
        return done.stdout.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} of {ref} is not UTF-8, from byte {error.start} on.") from None


def _names(root: Path, *arguments: str) -> list[str] | None:
    done = _run(root, *arguments)
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name] if done.returncode == 0 else None


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(["git"], 127, b"", b"git is not on PATH")
