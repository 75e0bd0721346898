"""What git knows of the checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from operations.errors import ConfigurationError

_TIMEOUT = 60


def files(root: Path) -> list[str] | None:
    """Files below `root` that git does not ignore, also those it does not know yet; None outside of git."""
    done = _run(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [name for name in done.stdout.decode().split("\0") if name] if done.returncode == 0 else None


def commit(root: Path, ref: str = "HEAD") -> str:
    """Full id of a commit; empty outside of git. Raises `ConfigurationError` for a `ref` that is none."""
    done = _run(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if done.returncode == 0:
        return done.stdout.decode().strip()
    if ref == "HEAD":
        return ""
    raise ConfigurationError(
        f"{ref!r} is no commit of this repository. In a shallow clone fetch it first: "
        f"`git fetch --depth=1 origin {ref}`, and give FETCH_HEAD."
    )


def dirty(root: Path) -> bool:
    """Whether files that git knows differ from the commit, or there are others that it does not ignore."""
    return bool(_run(root, "status", "--porcelain", "--untracked-files=all").stdout.strip())


def archive(root: Path, ref: str) -> bytes:
    """The files of a commit, as a tar archive."""
    done = _run(root, "archive", "--format=tar", commit(root, ref))
    if done.returncode != 0:
        raise ConfigurationError(f"`git archive {ref}` failed: {done.stderr.decode().strip()}")
    return done.stdout


def text(root: Path, ref: str, path: str) -> str | None:
    """A file as it is in a commit; None if it is not there."""
    done = _run(root, "show", f"{commit(root, ref)}:{path}")
    return done.stdout.decode() if done.returncode == 0 else None


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
