"""What all labs of this computer share: a lock, the list of labs, and kernel settings to put back."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path

from lab.errors import LabError
from lab.paths import RUN_DIR
from toolchain.store import locked

_SYS = Path("/proc/sys")

# Values that several machines on one kernel need. Never lowered.
_RAISED = {
    # Each machine's systemd, container runtime and node agent watch files, all as the one root user.
    "fs/inotify/max_user_instances": 8192,
    "fs/inotify/max_user_watches": 524288,
    # Keyrings of containers, likewise of the one root user.
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}

# Settings of the whole kernel that software for servers commonly writes from within a machine.
_WATCHED = (
    "fs/aio-max-nr", "fs/file-max", "fs/inotify/max_queued_events", "fs/inotify/max_user_instances",
    "fs/inotify/max_user_watches", "fs/nr_open", "fs/protected_fifos", "fs/protected_hardlinks",
    "fs/protected_regular", "fs/protected_symlinks", "fs/suid_dumpable", "kernel/core_pattern",
    "kernel/core_uses_pid", "kernel/dmesg_restrict", "kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys",
    "kernel/kptr_restrict", "kernel/panic", "kernel/panic_on_oops", "kernel/pid_max", "kernel/printk",
    "kernel/sysrq", "kernel/threads-max", "kernel/unprivileged_bpf_disabled", "kernel/yama/ptrace_scope",
    "net/bridge/bridge-nf-call-arptables", "net/bridge/bridge-nf-call-ip6tables",
    "net/bridge/bridge-nf-call-iptables", "net/ipv4/conf/all/forwarding", "net/ipv4/ip_forward",
    "net/netfilter/nf_conntrack_max", "vm/dirty_background_ratio", "vm/dirty_ratio", "vm/max_map_count",
    "vm/oom_kill_allocating_task", "vm/overcommit_memory", "vm/overcommit_ratio", "vm/panic_on_oom",
    "vm/swappiness",
)  # fmt: skip


def register(name: str, state: Path) -> None:
    """Enter a lab into this computer's list; the first adjusts the kernel. Raises LabError for a namesake."""
    with one_at_a_time():
        entry = RUN_DIR / "labs" / name
        if entry.exists() and Path(entry.read_text()) != state:
            raise LabError(
                f"another lab called {name} is running; its state is in {entry.read_text()}",
                "choose another name with --name, or stop that one "
                f"with XDG_STATE_HOME={Path(entry.read_text()).parents[2]}",
            )
        entry.parent.mkdir(exist_ok=True)
        remembered = RUN_DIR / "settings.json"
        if not remembered.exists():
            scratch = remembered.with_suffix(".new")
            scratch.write_text(json.dumps(_current()))
            scratch.rename(remembered)
        entry.write_text(str(state))
        for setting, least in _RAISED.items():
            path = _SYS / setting
            if path.exists() and int(path.read_text()) < least:
                path.write_text(str(least))


def unregister(name: str) -> None:
    """Take a lab off the list; with the last one, the kernel's settings return to those before the first."""
    with one_at_a_time():
        entry = RUN_DIR / "labs" / name
        entry.unlink(missing_ok=True)
        if entry.parent.exists() and any(entry.parent.iterdir()):
            return
        remembered = RUN_DIR / "settings.json"
        if remembered.exists():
            for setting, value in json.loads(remembered.read_text()).items():
                path = _SYS / setting
                if path.exists() and path.read_text() != value:
                    path.write_text(value)
            remembered.unlink()
        if entry.parent.exists():
            entry.parent.rmdir()
        for leftover in (RUN_DIR / "settings.new", _LOCK):
            leftover.unlink(missing_ok=True)
        if not any(RUN_DIR.iterdir()):
            RUN_DIR.rmdir()


def owner(name: str) -> Path | None:
    """Directory of state of the running lab of that name, or None when none runs."""
    entry = RUN_DIR / "labs" / name
    return Path(entry.read_text()) if entry.exists() else None


def _current() -> dict[str, str]:
    values: dict[str, str] = {}
    for setting in _WATCHED:
        try:
            values[setting] = (_SYS / setting).read_text()
        except OSError:
            continue  # this kernel does not have it
    return values


_LOCK = RUN_DIR / "labs.lock"


def one_at_a_time() -> AbstractContextManager[None]:
    """Hold this computer's lock of all labs; for short steps on what they share. Not reentrant."""
    return locked(_LOCK)
