"""Running other programs: their words end up in the error, and the caller's environment does not leak."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import LabError

_TAIL_LINES = 15


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A small environment for programs of the lab: nothing of the caller's secrets, a fixed locale."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": os.environ.get("HOME", "/root"),
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        **{key: os.environ[key] for key in ("http_proxy", "https_proxy", "no_proxy") if key in os.environ},
        **(extra or {}),
    }


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    directory: Path | None = None,
    fix: str = "",
    tied: bool = False,
) -> str:
    """Run ``argv`` to its end and return its standard output.

    A ``tied`` one is killed with this process, however that ends: for long work that nobody else would stop.
    Raises LabError with the program's last words when it fails or cannot be started; ``fix`` is added to it.
    """
    if tied:
        argv = ["setpriv", "--pdeathsig", "KILL", "--", *argv]
    try:
        done = subprocess.run(
            list(argv), input=stdin, stdin=subprocess.DEVNULL if stdin is None else None, text=True,
            capture_output=True, env=environment(env), cwd=directory, check=False,
        )  # fmt: skip
    except OSError as error:
        raise LabError(f"{argv[0]} cannot be started: {error.strerror}", fix) from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-_TAIL_LINES:]
        said = "\n    ".join(words)
        where = f" in {directory}" if directory else ""
        raise LabError(
            f"`{' '.join(argv)[:300]}`{where} failed with code {done.returncode}:\n    {said}", fix
        )
    return done.stdout


def detached(argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a program that outlives this one; ``log`` gets what it says."""
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment(env),
            cwd="/", start_new_session=True,
        )  # fmt: skip


def mounts() -> list[str]:
    """Where something is mounted, in the order of mounting."""
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def remove_tree(path: Path) -> None:
    """Delete a directory tree; what is mounted in it is unmounted first, never deleted. Raises LabError."""
    if not path.exists():
        return
    for mounted in reversed(mounts()):
        if mounted == str(path) or mounted.startswith(f"{path}/"):
            run(["umount", mounted], fix=f"something still uses {mounted}")
    argv = ["rm", "--recursive", "--force", "--one-file-system", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if path.exists():
        raise LabError(f"{path} cannot be deleted:\n    {done.stderr.strip()[-500:]}")
