"""What a machine is told about the one kernel that it shares with this computer."""

from __future__ import annotations

import os
from pathlib import Path

from lab.commands import run

# Features of a kernel that cannot load modules, and what shows that they are built in. Only what is seen is
# listed, so that `modprobe` of something else fails in the machine as it must.
_EVIDENCE = {
    "br_netfilter": "/proc/sys/net/bridge/bridge-nf-call-iptables",
    "nf_conntrack": "/proc/sys/net/netfilter/nf_conntrack_max",
    "tun": "/dev/net/tun",
    "fuse": "/dev/fuse",
}


def module_directories(modules: Path = Path("/lib/modules")) -> list[Path]:
    """This kernel's directory of loadable modules, if there is one, to be shown to the machines."""
    path = modules / os.uname().release
    return [path] if path.is_dir() else []


def built_in(
    sys_module: Path = Path("/sys/module"), filesystems: Path = Path("/proc/filesystems")
) -> list[str]:
    """Names of modules that are seen to be part of this kernel, sorted."""
    names = {path.name for path in sys_module.iterdir()} if sys_module.is_dir() else set()
    names |= {name for name, path in _EVIDENCE.items() if Path(path).exists()}
    names |= {"overlay"} & set(filesystems.read_text().split())
    return sorted(names)


def describe(root: Path) -> None:
    """Write the index of built-in modules into a machine's root, for `modprobe` and `systemd-modules-load`.

    Where this computer has loadable modules, the machine sees their directory instead and this does nothing.
    """
    if module_directories():
        return
    release = os.uname().release
    directory = root / "lib/modules" / release
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "modules.order").write_text("")
    (directory / "modules.builtin").write_text("".join(f"kernel/{name}.ko\n" for name in built_in()))
    run(["chroot", str(root), "/sbin/depmod", release])
