"""Machines with a kernel of their own: which ones they are, and what their disks are made from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab import addressing, emulated, lifecycle
from lab.emulated import EmulatedMachine
from lab.machine import Machine
from lab.spec import LabSpec, load

_LAB = """
regions: {one: [m-1, m-2]}
emulated: [m-2]
fabric: {asn: 65000, acceptedPrefixes: []}
system: {suite: bookworm, packages: [systemd]}
mirror: {packages: []}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabSpec:
    """A lab of two machines, one of them with a kernel of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "lab.yaml").write_text(_LAB)
    return load(tmp_path / "lab.yaml")


def test_only_what_is_declared_so_has_a_kernel_of_its_own(spec: LabSpec) -> None:
    assert [type(machine) for machine in lifecycle.machines("unit", spec)] == [Machine, EmulatedMachine]
    assert load().emulated == frozenset()


def test_its_disk_is_the_configured_tree_and_its_kernel_lies_beside(
    spec: LabSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulated, "_DISK", "8M")
    where = addressing.allocate("unit", spec)
    machine = EmulatedMachine("m-2", "one", where.machines["m-2"], where, tmp_path)
    scratch = tmp_path / "root" / ".m-2.new"
    for name, text in {
        "boot/vmlinuz-6.1": "kernel",
        "boot/initrd.img-6.1": "drivers",
        "etc/hostname": "m-2",
    }.items():
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / name).write_text(text)
    machine._finish(scratch)
    assert sorted(path.name for path in machine.root.iterdir()) == ["disk.img", "initrd.img", "vmlinuz"]
    assert (machine.root / "vmlinuz").read_text() == "kernel"
    said = subprocess.run(
        ["/sbin/debugfs", "-R", "cat /etc/hostname", str(machine.root / "disk.img")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout == "m-2"
    assert [path.name for path in machine.root.parent.iterdir()] == ["m-2"]
