"""One machine: a directory booted by systemd-nspawn, with its own systemd, sshd, network, control groups."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lab import cgroups, kernel, network, rootfs, ssh
from lab.addressing import LabAddresses
from lab.commands import detached, remove_tree, run
from lab.spec import LabSpec

# Devices of this computer that software in a machine expects, where they exist.
_DEVICES = ("/dev/kmsg", "/dev/fuse", "/dev/net/tun")
_MANAGER = Path("/run/systemd/nspawn")
# The container manager ends with 133 when the machine wants to be started again.
_POWER = 'while "$@"; [ $? -eq 133 ]; do :; done'
GROUP = "_power"
_SYSTEM_CALLS = "@keyring bpf perf_event_open"


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of a lab. ``state`` is the lab's directory of state."""

    manager: ClassVar[bytes] = b"systemd-nspawn"
    """The program that the machine lives in."""
    interface: ClassVar[str] = "host0"
    boot_seconds: ClassVar[float] = 90.0
    """Until ssh answers, at most."""

    name: str
    region: str
    address: str
    lab: LabAddresses
    state: Path

    @classmethod
    def base(cls, spec: LabSpec) -> Path:
        """The root file system that machines of this kind are copies of. Raises LabError."""
        return rootfs.ensure(spec)

    @property
    def root(self) -> Path:
        """The machine's root directory."""
        return self.state / "root" / self.name

    @property
    def console(self) -> Path:
        """What the machine printed while it booted."""
        return self.state / "log" / f"{self.name}.log"

    def booted(self) -> bool:
        """Whether the machine's manager runs. Without it, what is left of the machine is a ruin."""
        for pid in cgroups.processes(self.lab.name, self.name):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            # Also the shells and programs that become it in a moment.
            if any(word.rpartition(b"/")[2] == self.manager for word in command):
                return True
        return False

    def start(self, base: Path) -> subprocess.Popen[bytes]:
        """Boot the machine, made from ``base`` where it is new; the process lives as long as the machine."""
        cgroups.kill(self.lab.name, self.name)
        if not self.root.exists():
            scratch = self.root.with_name(f".{self.name}.new")
            remove_tree(scratch)
            # In the machine's own group: whoever ends the machine ends a copy of a killed run too.
            groups = cgroups.create(self.lab.name, self.name)
            run(cgroups.entering(groups, rootfs.copying(base, scratch)), fix="is the disk full? see `df -h`")
            (scratch / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
            self._configure(scratch)
            self._finish(scratch)
        return self._spawn()

    def _finish(self, scratch: Path) -> None:
        """Make the configured tree ``scratch`` the machine's directory, whole or not at all."""
        kernel.describe(scratch)
        scratch.rename(self.root)

    def _configure(self, root: Path) -> None:
        region = self.lab.regions[self.region]
        files = {
            "etc/hostname": f"{self.name}\n",
            "etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n{self.address} {self.name}\n",
            # There is no resolver on this site; the router refuses at once, so that nobody waits.
            "etc/resolv.conf": f"nameserver {region.router}\n",
            # Sorts before systemd's own 80-container-host0.network, which would ask for DHCP.
            "etc/systemd/network/10-host0.network": (
                f"[Match]\nName={self.interface}\n\n[Network]\n"
                f"Address={self.address}/24\nGateway={region.router}\n"
                "LinkLocalAddressing=no\nLLMNR=no\nIPv6AcceptRA=no\n"
            ),
            "root/.ssh/authorized_keys": (ssh.directory(self.state) / "id_ed25519.pub").read_text(),
        }
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.write_text(text)
        (root / "root/.ssh").chmod(0o700)
        for suffix in ("", ".pub"):
            shutil.copy2(
                ssh.directory(self.state) / "host" / f"{self.name}{suffix}",
                root / f"etc/ssh/ssh_host_ed25519_key{suffix}",
            )

    def _spawn(self) -> subprocess.Popen[bytes]:
        known_as = f"{self.lab.name}-{self.name}"
        network.unplug(self.lab, f"vb-{known_as}")
        groups = cgroups.create(self.lab.name, self.name)
        nspawn = [
            "systemd-nspawn", f"--directory={self.root}", f"--machine={known_as}",
            f"--hostname={self.name}", "--boot", f"--network-bridge={self.lab.regions[self.region].bridge}",
            # Everything but the clock, which is this computer's.
            "--capability=all", "--drop-capability=CAP_SYS_TIME", "--private-users=no",
            f"--system-call-filter={_SYSTEM_CALLS}", "--register=no", "--keep-unit", "--link-journal=no",
            "--resolv-conf=off", "--timezone=off", "--console=read-only",
            *(f"--bind={device}" for device in _DEVICES if Path(device).exists()),
            *(f"--bind-ro={path}" for path in kernel.module_directories()),
        ]  # fmt: skip
        boot = cgroups.entering(groups, network.inside(self.lab, nspawn))
        # In a group apart: with version 2, only the container manager may be in the machine's.
        power = cgroups.create(self.lab.name, GROUP)
        return detached(cgroups.entering(power, ["/bin/sh", "-c", _POWER, "lab", *boot]), self.console)

    def last_words(self) -> str:
        """The end of what the machine printed, for errors."""
        try:
            return "\n".join(self.console.read_text(errors="replace").splitlines()[-12:])
        except OSError:
            return ""


def destroy(lab: str, name: str, root: Path) -> None:
    """End all that runs in a machine, and remove its directory ``root``. Raises LabError for what stays."""
    cgroups.kill(lab, name)
    cgroups.remove(lab, name)
    # A container manager that was killed leaves these.
    propagate = _MANAGER / "propagate" / f"{lab}-{name}"
    if propagate.is_dir():
        propagate.rmdir()
    if root.exists():
        about = root.stat()
        (_MANAGER / "locks" / f"inode-{about.st_dev}:{about.st_ino}").unlink(missing_ok=True)
    root.with_name(f".#{name}.lck").unlink(missing_ok=True)
    remove_tree(root)
