"""The base root file system: a small Debian with systemd and sshd, made once and copied for each machine."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from lab import cache, debian, progress
from lab.commands import run
from lab.spec import LabSpec
from toolchain.store import link

# Not copied to machines: their roots get what `*` matches.
_SEAL = ".seal"
FILES = Path(__file__).with_name("machine_files")
# Raise it when this module makes another root file system from the same packages and files.
_RECIPE = 1

_ENABLED = {
    "multi-user.target.wants/systemd-networkd.service": "/lib/systemd/system/systemd-networkd.service",
    "sysinit.target.wants/lab-machine.service": "/etc/systemd/system/lab-machine.service",
}
# What a thrown-away machine does not need at boot: each of these costs time or disk on every machine.
_MASKED_UNITS = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
    "e2scrub_reap.service", "console-getty.service", "systemd-networkd-wait-online.service",
    "systemd-firstboot.service",
)  # fmt: skip
# See machine_files/etc/sysctl.d/README.lab.
_MASKED_SYSCTLS = ("50-pid-max.conf", "99-protect-links.conf")
_EMPTIED = ("var/lib/apt/lists", "var/cache/apt", "var/cache/debconf", "var/log", "tmp")


def key(spec: LabSpec) -> str:
    """Digest of all that the root file system is made from, but for the versions that Debian serves."""
    digest = hashlib.sha256(f"{_RECIPE} {spec.suite} {' '.join(sorted(spec.system_packages))}".encode())
    for value in (_ENABLED, _MASKED_UNITS, _MASKED_SYSCTLS, _EMPTIED):
        digest.update(repr(value).encode())
    for path in _files():
        digest.update(f"{path.relative_to(FILES)} {path.stat().st_mode & 0o777:o}".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _files() -> list[Path]:
    return sorted(path for path in FILES.rglob("*") if path.is_file())


def ensure(spec: LabSpec, kind: str = "rootfs") -> Path:
    """The cached root file system of ``spec``, made first where it is missing (about 30 s).

    ``kind`` is the cache's word for those that are thrown away for one another.
    Package signatures are verified with the keys of this computer's apt. Raises LabError.
    """
    return cache.entry(f"{kind}-{spec.suite}", key(spec), lambda scratch: _make(spec, scratch), intact)


def _make(spec: LabSpec, scratch: Path) -> None:
    settings = (FILES / "etc/dpkg/dpkg.cfg.d/lab").read_text().splitlines()
    dpkg = [f"--dpkgopt={line}" for line in settings if not line.startswith("#")]
    with progress.step(f"making the machines' Debian {spec.suite} (once, with mmdebstrap)", after=0):
        run(
            ["mmdebstrap", "--mode=root", "--variant=minbase", *dpkg,
             "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
             f"--include={','.join(spec.system_packages)}", spec.suite, str(scratch), "-"],
            stdin=debian.sources(spec.suite), tied=True,
            fix="see the last line above; the packages come from this computer's own apt sources",
        )  # fmt: skip
        _customise(scratch)
        seal(scratch)


def _customise(root: Path) -> None:
    """Turn a fresh Debian into what a hosting company hands over, minus everything that must be unique."""
    for path in [root / "etc/dpkg/dpkg.cfg.d/99mmdebstrap", root / "etc/apt/apt.conf.d/99mmdebstrap",
                 root / "etc/apt/sources.list", *root.glob("etc/apt/sources.list.d/*"),
                 *root.glob("etc/ssh/ssh_host_*"), root / "var/lib/dbus/machine-id"]:  # fmt: skip
        path.unlink(missing_ok=True)
    for name in _EMPTIED:
        for path in (root / name).rglob("*"):
            if path.is_file() and not path.is_symlink():
                path.unlink()
    for path in _files():
        destination = root / path.relative_to(FILES)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, destination)
        os.chown(destination, 0, 0)
    units = root / "etc/systemd/system"
    for name, unit in _ENABLED.items():
        link(units / name, unit)
    for unit in _MASKED_UNITS:
        link(units / unit, "/dev/null")
    for name in _MASKED_SYSCTLS:
        link(root / "etc/sysctl.d" / name, "/dev/null")
    (root / "etc/machine-id").write_text("")


# Files of /usr are hard links into the base: package tools never write into a file, they replace it. Most of
# the time of a lab's start would go into copying them. On another file system they are copied.
_COPY = """
mkdir "$2"
chmod --reference="$1" "$2"
for path in "$1"/*; do
    if [ "$path" = "$1/usr" ]; then
        cp --archive --link "$path" "$2" 2>/dev/null && continue
        rm -rf "$2/usr"
    fi
    cp --archive --reflink=auto "$path" "$2"
done
"""


def copying(base: Path, target: Path) -> list[str]:
    """The command that makes ``target`` a machine's own root file system from the base."""
    return ["/bin/sh", "-ec", _COPY, "lab", str(base), str(target)]


def seal(base: Path) -> None:
    """Write down what the base's shared files are like, for `intact`."""
    (base / _SEAL).write_text(_fingerprint(base))


def intact(base: Path) -> bool:
    """Whether no shared file of the base was written to since it was sealed, for instance from a machine."""
    try:
        return (base / _SEAL).read_text() == _fingerprint(base)
    except FileNotFoundError:
        return False


def _fingerprint(base: Path) -> str:
    digest = hashlib.sha256()
    for directory, directories, files in os.walk(base / "usr"):
        directories.sort()
        for name in sorted(files):
            path = f"{directory}/{name}"
            about = os.lstat(path)
            identity = (path[len(str(base)) :], about.st_mode, about.st_uid, about.st_size, about.st_mtime_ns)
            digest.update(repr(identity).encode())
    return digest.hexdigest()
