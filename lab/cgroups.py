"""Control groups: each machine's own root in every hierarchy, and the means to end all that runs in it.

With version 1 (also hybrid), the machine's process is moved to `/crossmesh/<lab>/<machine>` of every
hierarchy before it enters a cgroup namespace, so that it sees that group as the root of everything. With
version 2 the same path of the one hierarchy has every controller delegated; this second case follows the
kernel's documentation and has not been run on such a computer yet.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.errors import LabError

_TOP = "crossmesh"


def hierarchies(mountinfo: Path = Path("/proc/self/mountinfo")) -> list[Path]:
    """Mount points of all cgroup hierarchies of this computer. Raises LabError when there is none."""
    found: list[Path] = []
    for line in mountinfo.read_text().splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()[0] if after else ""
        # Field 4 is the mount's root within its file system: others than / are parts of one listed already.
        if kind in ("cgroup", "cgroup2") and fields[3] == "/":
            found.append(Path(fields[4]))
    if not found:
        raise LabError("this computer has no control groups mounted", "mount them under /sys/fs/cgroup")
    return sorted(set(found))


def _is_v2(hierarchy: Path) -> bool:
    return (hierarchy / "cgroup.controllers").exists()


def create(lab: str, member: str) -> list[Path]:
    """Make the group of ``member`` in every hierarchy, where it is missing, and return its directories."""
    groups: list[Path] = []
    everywhere = hierarchies()
    # Beside hierarchies of version 1, the one of version 2 has no controllers that a machine would need.
    delegated = all(_is_v2(hierarchy) for hierarchy in everywhere)
    for hierarchy in everywhere:
        group = hierarchy
        for part in (_TOP, lab, member):
            parent, group = group, group / part
            group.mkdir(exist_ok=True)
            _inherit_cpuset(parent, group)
            if delegated:
                _delegate(parent)
        groups.append(group)
    return groups


def _inherit_cpuset(parent: Path, group: Path) -> None:
    """A new cpuset of version 1 is empty, and no process may enter it before it has processors and memory."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        source, target = parent / name, group / name
        if (source.exists() and target.exists() and not _is_v2(group)) and not target.read_text().strip():
            target.write_text(source.read_text())


def _delegate(group: Path) -> None:
    """Version 2: let the children of ``group`` have every controller that it has itself."""
    for controller in (group / "cgroup.controllers").read_text().split():
        try:
            (group / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError as error:
            raise LabError(
                f"the controller {controller} cannot be delegated from {group}: {error.strerror}",
                "processes in that group prevent it: start the lab from the root group or a delegated one",
            ) from error


# Groups below one that is entered are of an earlier life: a machine that was powered off or rebooted leaves
# those of its containers, and its kubelet would look after them for minutes. What was killed needs a moment.
_ENTER = """\
n=$1; shift
while [ "$n" -gt 0 ]; do
    group=${1%/*} tries=10
    until left=$(find "$group" -mindepth 1 -depth -type d -exec rmdir {} + 2>&1); do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then echo "$left" >&2; break; fi
        sleep 0.1
    done
    echo $$ >"$1"; shift; n=$((n - 1))
done
exec "$@"
"""


def entering(groups: Iterable[Path], argv: Sequence[str]) -> list[str]:
    """A command that empties ``groups`` of groups below them, enters them, and then becomes ``argv``."""
    procs = [str(group / "cgroup.procs") for group in groups]
    return ["/bin/sh", "-ec", _ENTER, "lab", str(len(procs)), *procs, *argv]


def _existing(lab: str, member: str | None) -> list[Path]:
    tops = [hierarchy / _TOP / lab for hierarchy in hierarchies()]
    return [path for path in (top / member if member else top for top in tops) if path.exists()]


def members(lab: str) -> set[str]:
    """Names of the groups that exist for this lab in any hierarchy."""
    return {child.name for top in _existing(lab, None) for child in top.iterdir() if child.is_dir()}


def processes(lab: str, member: str | None = None) -> set[int]:
    """Ids of all processes in the group of ``member`` (None: the whole lab) and in the groups below it."""
    found: set[int] = set()
    for top in _existing(lab, member):
        for directory, _, files in os.walk(top):
            if "cgroup.procs" in files:
                try:
                    found |= set(map(int, (Path(directory) / "cgroup.procs").read_text().split()))
                except (FileNotFoundError, OSError):
                    continue  # the group went away while we looked
    found.discard(0)
    return found


def kill(lab: str, member: str | None = None, timeout: float = 20.0) -> None:
    """End every process of the group at once, by SIGKILL. Raises LabError for one that stays."""
    deadline = time.monotonic() + timeout
    while pids := processes(lab, member):
        if time.monotonic() > deadline:
            raise LabError(f"processes of lab {lab} do not end: {', '.join(map(str, sorted(pids)))}")
        for top in _existing(lab, member):
            if (top / "cgroup.kill").exists():
                (top / "cgroup.kill").write_text("1")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def remove(lab: str, member: str | None = None, timeout: float = 10.0) -> None:
    """Remove the (empty) groups of ``member``, or of the whole lab. Raises LabError when one stays."""
    deadline = time.monotonic() + timeout
    while left := [top for top in _existing(lab, member) if not _remove_tree(top)]:
        if time.monotonic() > deadline:
            raise LabError(f"control groups cannot be removed: {', '.join(map(str, left))}")
        time.sleep(0.05)
    if member is None:
        for hierarchy in hierarchies():
            try:
                (hierarchy / _TOP).rmdir()
            except OSError:
                continue  # not there, or other labs are in it


def _remove_tree(top: Path) -> bool:
    """Remove a group and those below it; False while something of it is still busy."""
    for directory, _, _ in os.walk(top, topdown=False):
        try:
            Path(directory).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True
