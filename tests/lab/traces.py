"""What a lab could leave behind on this computer, and how to tell it from what others do here meanwhile."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

import lab

# Values that change by themselves. The key of TCP fast open is made by the kernel, for the first program that
# listens with it, as gdnsd does.
_VOLATILE = re.compile(
    r"/proc/sys/(fs/(dentry-state|file-nr|inode-nr|inode-state|aio-nr|quota/)|fs/binfmt_misc|kernel/random/|"
    r"kernel/(ns_last_pid|pty/nr|perf_event_max_sample_rate|hung_task_detect_count)|net/netfilter/nf_conntrack_count|"
    r"net/ipv[46]/(conf|neigh)/|net/core/flow_limit|vm/stat_refresh|vm/drop_caches|vm/compact_memory|"
    r"net/ipv[46]/route/flush|net/ipv4/tcp_fastopen_key|kernel/usermodehelper)"
)


@dataclass(frozen=True)
class Traces:
    """Everything of this computer that a lab touches, as sets of lines."""

    processes: frozenset[str]
    mounts: frozenset[str]
    namespaces: frozenset[str]
    links: frozenset[str]
    addresses: frozenset[str]
    routes: frozenset[str]
    firewall: frozenset[str]
    cgroups: frozenset[str]
    kernel_settings: frozenset[str]
    state: frozenset[str]


def read(name: str, mark: str) -> Traces:
    """Traces as they are now. `name` is the lab's; `mark` what its test's processes have in their
    environment.
    """
    addresses = lab.addresses(name)
    prefix = addresses.network.rsplit(".", 2)[0] + "."
    return Traces(
        processes=_processes(name, mark),
        mounts=_lines(Path("/proc/self/mounts").read_text(), name),
        namespaces=frozenset(_output("ip", "netns", "list").splitlines()),
        links=frozenset(re.findall(r"(?m)^\d+: ([^:@]+)", _output("ip", "-o", "link"))),
        addresses=frozenset(line for line in _output("ip", "-o", "address").split("\n") if prefix in line),
        routes=frozenset(
            line for line in _output("ip", "route", "show", "table", "all").splitlines() if prefix in line
        ),
        firewall=_firewall(),
        cgroups=_cgroups(name),
        kernel_settings=_kernel_settings(),
        state=_state(name),
    )


def left_behind(before: Traces, after: Traces, name: str) -> dict[str, list[str]]:
    """What is there after and was not before, by kind; what belongs to other labs that run meanwhile is
    left out.
    """
    others = [other for other in _labs() if other != name]
    found: dict[str, list[str]] = {}
    for field in fields(Traces):
        new = getattr(after, field.name) - getattr(before, field.name)
        kept = sorted(line for line in new if not any(f"cm-{other}" in line for other in others))
        if kept:
            found[field.name] = kept
    return found


def _labs() -> list[str]:
    base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "crossmesh" / "labs"
    return [path.name for path in base.iterdir()] if base.is_dir() else []


def _processes(name: str, mark: str) -> frozenset[str]:
    """Processes of the lab's cgroups or namespace, with its directory in their arguments, or with the
    test's mark.
    """
    found = set()
    me = os.getpid()
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit() or int(directory.name) == me:
            continue
        try:
            arguments = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            cgroup = (directory / "cgroup").read_text()
            environment = (directory / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        own = f"/crossmesh/{name}" in cgroup or f"/labs/{name}/" in arguments or f"cm-{name}" in arguments
        if own or (mark and mark in environment):
            found.add(f"{directory.name} {arguments[:150]}")
    return frozenset(found)


def survivors(mark: str) -> list[str]:
    """Processes that carry a test's mark in their environment."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and int(directory.name) != os.getpid():
            try:
                if mark.encode() in (directory / "environ").read_bytes():
                    arguments = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if arguments:
                        found.append(f"{directory.name} {arguments[:150]}")
            except OSError:
                continue
    return found


def _lines(text: str, name: str) -> frozenset[str]:
    return frozenset(line for line in text.splitlines() if f"/{name}/" in line or f"cm-{name}" in line)


def _cgroups(name: str) -> frozenset[str]:
    roots = Path("/sys/fs/cgroup")
    found: set[str] = set()
    for root in [roots, *(path for path in roots.iterdir() if path.is_dir())]:
        for pattern in (f"crossmesh/{name}", f"lab/{name}*", f"*{name}*"):
            found.update(str(path) for path in root.glob(pattern) if path.is_dir())
    return frozenset(found)


def _state(name: str) -> frozenset[str]:
    base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    places = [
        base / "crossmesh" / "labs" / name,
        Path("/run/crossmesh") / name,
        Path("/run/netns") / f"cm-{name}",
    ]
    return frozenset(str(path) for path in places if path.exists())


def _firewall() -> frozenset[str]:
    """Rules without their counters."""
    text = (
        _output("nft", "list", "ruleset") + _output("iptables-legacy-save") + _output("ip6tables-legacy-save")
    )
    lines = (re.sub(r"counter packets \d+ bytes \d+|\[\d+:\d+\]", "", line) for line in text.splitlines())
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _kernel_settings() -> frozenset[str]:
    found = set()
    for directory, _, names in os.walk("/proc/sys"):
        for name in names:
            path = f"{directory}/{name}"
            if _VOLATILE.match(path):
                continue
            try:
                with open(path) as file:
                    found.add(f"{path} = {file.read().strip()}")
            except (OSError, UnicodeDecodeError):
                continue
    return frozenset(found)


def _output(*command: str) -> str:
    """What a program of the system prints; nothing where it is not installed, as then it has set nothing
    either.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
    except FileNotFoundError:
        return ""
