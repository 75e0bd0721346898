"""Addresses of a lab: all derived from its name and the order of its file, so that they never wander."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from lab.errors import LabError
from lab.spec import LabSpec

# The host's interface is called cm-<name>, and the kernel's names of interfaces have 15 characters.
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?")
_FIRST_MACHINE = 11


@dataclass(frozen=True, slots=True)
class RegionAddresses:
    """One region: its network, its router's address, its machines' addresses (`.200` to `.250` stay free)."""

    subnet: str
    router: str
    bridge: str
    machines: dict[str, str]


@dataclass(frozen=True, slots=True)
class LabAddresses:
    """All addresses of one lab. ``host`` is this computer's own address on the lab's network."""

    name: str
    network: str
    services_router: str
    mirror: str
    host: str
    regions: dict[str, RegionAddresses]

    @property
    def machines(self) -> dict[str, str]:
        """Address of each machine."""
        return {name: ip for region in self.regions.values() for name, ip in region.machines.items()}

    @property
    def namespace(self) -> str:
        """Name of the lab's network namespace."""
        return f"cm-{self.name}"

    @property
    def host_interface(self) -> str:
        """Name of the one interface that the lab adds to this computer."""
        return f"cm-{self.name}"


def check_name(name: str) -> str:
    """The name itself. Raises LabError for one that interfaces, namespaces or cgroups could not have."""
    if not _NAME.fullmatch(name):
        raise LabError(f"{name!r} cannot name a lab", "use 1 to 12 of a-z, 0-9 and -, starting with a letter")
    return name


def octet(name: str) -> int:
    """The X of a lab's network 10.X.0.0/16, from 64 to 191."""
    return 64 + hashlib.sha256(name.encode()).digest()[0] % 128


def allocate(name: str, spec: LabSpec) -> LabAddresses:
    """Addresses of the lab ``name`` with the regions of ``spec``. Raises LabError for an impossible name."""
    base = f"10.{octet(check_name(name))}"
    return LabAddresses(
        name=name,
        network=f"{base}.0.0/16",
        services_router=f"{base}.0.1",
        mirror=f"{base}.0.2",
        host=f"{base}.0.254",
        regions={
            region: RegionAddresses(
                subnet=f"{base}.{number}.0/24",
                router=f"{base}.{number}.1",
                bridge=f"br-{region}",
                machines={
                    machine: f"{base}.{number}.{place}"
                    for place, machine in enumerate(machines, start=_FIRST_MACHINE)
                },
            )
            for number, (region, machines) in enumerate(spec.regions.items(), start=1)
        },
    )
