"""A machine with a kernel of its own: a disk that qemu boots in an emulated processor; slow, like hardware.

It shows what machines that share this computer's kernel cannot: Debian's own kernel with its modules, control
groups of version 2, settings that are of the whole kernel. It stands in the lab's network as the others do.
qemu lies in the cache, with all that it needs, and is not installed on this computer.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from lab import cache, cgroups, debian, network, progress, rootfs
from lab.commands import detached, remove_tree, run
from lab.errors import LabError
from lab.images.base import SUITE, architecture
from lab.machine import Machine
from lab.spec import LabSpec

_PROCESSORS = 2
_MEMORY_MIB = 4096
# Of a file with holes: what is not written takes no room.
_DISK = "16G"
_PROGRAM = "qemu-system-x86_64"
# Debian's kernel for virtual machines; initramfs-tools makes what loads its drivers at boot.
_KERNEL_PACKAGES = ("initramfs-tools", "linux-image-cloud-amd64", "udev")
# Raise it when this module makes another emulator of the same package.
_RECIPE = 1

# In a mount namespace of its own, which ends with qemu: the emulator's tree with this computer's devices, and
# with the machine's directory at /mnt.
_INSIDE = """
tree=$1; mount --rbind /dev "$tree/dev"; mount --bind "$2" "$tree/mnt"; shift 2
exec chroot "$tree" "$@"
"""


@dataclass(frozen=True, slots=True)
class EmulatedMachine(Machine):
    """A machine whose directory has its disk, its kernel and what that is started with."""

    manager = _PROGRAM.encode()
    interface = "en*"
    # 220 s were seen on two processors that had twenty processes waiting for them.
    boot_seconds = 600.0

    @classmethod
    def base(cls, spec: LabSpec) -> Path:
        """The root file system that its disk is made from: that of all machines, and a kernel."""
        if architecture() != "amd64":
            raise LabError("emulated machines are of amd64, and this computer is not", "emulate none")
        packages = (*spec.system_packages, *_KERNEL_PACKAGES)
        return rootfs.ensure(replace(spec, system_packages=packages), kind="emulated")

    def _finish(self, scratch: Path) -> None:
        directory = scratch.with_name(f".{self.name}.disk")
        remove_tree(directory)
        directory.mkdir()
        for name in ("vmlinuz", "initrd.img"):
            (path,) = (scratch / "boot").glob(f"{name}-*")
            shutil.copyfile(path, directory / name)
        disk = str(directory / "disk.img")
        run(["mkfs.ext4", "-q", "-O", "^has_journal", "-d", str(scratch), disk, _DISK], tied=True,
            fix="is the disk full? see `df -h`")  # fmt: skip
        remove_tree(scratch)
        directory.rename(self.root)

    def _spawn(self) -> subprocess.Popen[bytes]:
        tree = emulator()
        tap = network.tap(self.lab, self.region, self.address)
        mac = hashlib.sha256(self.address.encode()).hexdigest()
        qemu = [
            _PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio",
            "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
            "-smp", str(_PROCESSORS), "-m", str(_MEMORY_MIB),
            "-kernel", "/mnt/vmlinuz", "-initrd", "/mnt/initrd.img",
            # Without a fstab, nothing else makes the root writable.
            "-append", "root=/dev/vda rw console=ttyS0",
            # Nobody needs what a computer that loses its power would have had on this disk.
            "-drive", "file=/mnt/disk.img,format=raw,if=virtio,cache=unsafe",
            "-netdev", f"tap,id=lab,ifname={tap},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=lab,romfile=,mac=52:54:00:{mac[:2]}:{mac[2:4]}:{mac[4:6]}",
            "-device", "virtio-rng-pci",
        ]  # fmt: skip
        inside = ["unshare", "--mount", "--", "/bin/sh", "-ec", _INSIDE, "lab", str(tree), str(self.root)]
        groups = cgroups.create(self.lab.name, self.name)
        command = cgroups.entering(groups, network.inside(self.lab, [*inside, *qemu]))
        return detached(command, self.console)


def emulator() -> Path:
    """The tree with qemu and what it needs, made first where it is missing (a minute).

    Packages come from this computer's own apt sources, and apt verifies their signatures. Raises LabError.
    """
    return cache.entry("emulator", cache.key_of([_RECIPE, SUITE, _PROGRAM]), _make_emulator)


def _make_emulator(scratch: Path) -> None:
    with progress.step("unpacking qemu (once, with mmdebstrap)", after=0):
        run(
            ["mmdebstrap", "--mode=root", "--variant=extract", "--include=qemu-system-x86", SUITE,
             str(scratch), "-"],
            stdin=debian.sources(SUITE), tied=True,
            fix="see the last line above; the packages come from this computer's own apt sources",
        )  # fmt: skip
    for name in ("dev", "mnt"):
        (scratch / name).mkdir(exist_ok=True)
