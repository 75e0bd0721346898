"""The host's own programs that the lab needs, installed by name where they are missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab import progress
from lab.commands import environment, run
from lab.errors import LabError

# Program: the Debian package that has it.
PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "bird": "bird2",
    "birdc": "bird2",
    "gpg": "gnupg",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "dpkg-deb": "dpkg",
    "mkfs.ext4": "e2fsprogs",
}

_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_TEXT = """#!/bin/sh
# Written by the lab while it installs packages: none of them starts a service.
exit 101
"""


def missing(programs: Mapping[str, str] = PROGRAMS) -> list[str]:
    """Debian packages of the programs that are not installed, sorted."""
    search = environment()["PATH"]
    absent = [program for program in programs if not shutil.which(program, path=search)]
    return sorted({programs[program] for program in absent})


def ensure(programs: Mapping[str, str] = PROGRAMS) -> None:
    """Install what is missing, by name, with this computer's apt. Raises LabError with the command to run.

    programs: by name, with the package that has it.
    """
    packages = missing(programs)
    if not packages:
        return
    names = " ".join(packages)
    fix = f"install by hand: apt-get install --no-install-recommends {names}"
    if not shutil.which("apt-get"):
        raise LabError(f"missing on this computer: {names}", fix)
    progress.say(f"installing on this computer with apt-get: {names}")
    with _no_services():
        install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
        try:
            run(install)
        except LabError:
            # The usual reason is a package index that is missing or old.
            run(["apt-get", "update"], fix=fix)
            run(install, fix=fix)
    if "bird2" in packages and Path("/run/systemd/system").exists():
        # Otherwise it would start with the next boot.
        run(["systemctl", "disable", "bird.service"])


@contextmanager
def _no_services() -> Iterator[None]:
    """Keep packages from starting daemons: the lab wants programs, not a router on this computer."""
    ours = not _POLICY.exists() or _POLICY.read_text() == _POLICY_TEXT
    if ours:
        _POLICY.write_text(_POLICY_TEXT)
        _POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            _POLICY.unlink(missing_ok=True)
