"""Starting, stopping and looking at a lab as a whole."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab import addressing, cache, cgroups, fabric, host, network, preflight, progress, ssh, tools
from lab.addressing import LabAddresses
from lab.commands import remove_tree
from lab.emulated import EmulatedMachine
from lab.errors import LabError
from lab.machine import Machine, destroy
from lab.mirror import service as mirror
from lab.paths import labs_dir, state_dir
from lab.spec import REFERENCE, LabSpec, load
from toolchain.store import locked

# Copying a root file system is bound by the disk and this kernel's file system, booting by processors.
_PARALLEL = 6


def described(name: str, spec_file: Path | None = None) -> LabSpec:
    """The description of a lab: ``spec_file``, or the one that it was started with, or the reference."""
    kept = state_dir(addressing.check_name(name)) / "lab.yaml"
    return load(spec_file or (kept if kept.exists() else REFERENCE))


def addresses(name: str = "lab") -> LabAddresses:
    """All addresses of the lab ``name``, whether it runs or not. Raises LabError for an impossible name."""
    return addressing.allocate(name, described(name))


def machines(name: str, spec: LabSpec) -> list[Machine]:
    """The machines of a lab, in the order of its file."""
    where = addressing.allocate(name, spec)
    return [
        (EmulatedMachine if machine in spec.emulated else Machine)(
            machine, region, where.machines[machine], where, state_dir(name)
        )
        for machine, region in spec.machines.items()
    ]


def start(name: str = "lab", spec_file: Path | None = None, with_mirror: bool = True) -> LabAddresses:
    """Bring the lab up: make what is missing, start what is dead, leave the rest alone.

    ``spec_file`` describes it (default: as last time, else the reference); without ``with_mirror`` there are
    machines and network only. Returns when every machine answers by ssh. Raises LabError.
    """
    began = time.monotonic()
    spec = described(name, spec_file)
    where = addressing.allocate(name, spec)
    state = state_dir(name)
    preflight.check(state)
    with _exclusive(name):
        preflight.check_network(where)
        if with_mirror:
            mirror.check(spec)
        host.register(name, state)
        state.mkdir(parents=True, exist_ok=True)
        state.chmod(0o700)
        if spec_file is not None or not (state / "lab.yaml").exists():
            with cache.replacing(state / "lab.yaml") as scratch:
                shutil.copyfile(spec_file or REFERENCE, scratch)
        tools.ensure()
        all_machines = machines(name, spec)
        kinds = {machine.name: (type(machine), spec.suite_of(machine.name)) for machine in all_machines}
        by_suite = {one.suite: one for one in spec.by_suite()}
        bases = {(kind, suite): kind.base(by_suite[suite]) for kind, suite in set(kinds.values())}
        ssh.make_keys(state, where)
        network.up(where)
        _forget_others(name, all_machines)
        with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
            pending = {
                machine.name: pool.submit(_boot, machine, bases[kinds[machine.name]])
                for machine in all_machines
            }
            fabric.start(spec, where, state)
            if with_mirror:
                mirror.start(spec, where, state)
            failed = {machine: error for machine, task in pending.items() if (error := task.exception())}
        if failed:
            raise LabError(
                "machines did not come up:\n"
                + "\n".join(f"  {machine}: {error}" for machine, error in failed.items())
            )
    progress.say(f"{name}: {len(all_machines)} machines answer by ssh, {time.monotonic() - began:.1f} s")
    return where


def _boot(machine: Machine, base: Path) -> None:
    process = None if machine.booted() else machine.start(base)
    began = time.monotonic()
    with progress.step(f"waiting for ssh on {machine.name} ({machine.address})", after=10):
        try:
            ssh.wait(machine.state, machine.address, began + machine.boot_seconds,
                     lambda: process.poll() is None if process else machine.booted())  # fmt: skip
        except LabError as error:
            raise LabError(f"{error}\n    the end of {machine.console}:\n{machine.last_words()}") from error


def _forget_others(name: str, wanted: list[Machine]) -> None:
    """Remove machines of this lab that its description does not have any more."""
    names = {machine.name for machine in wanted}
    root = state_dir(name) / "root"
    root.mkdir(exist_ok=True)
    gone = {member for member in cgroups.members(name) if not member.startswith("_")}
    gone |= {path.name for path in root.iterdir() if not path.name.startswith(".")}
    for member in sorted(gone - names):
        progress.say(f"{name}: removing {member}, which is not in the description any more")
        destroy(name, member, root / member)


def stop(name: str = "lab") -> None:
    """End the lab and remove all of it, from whatever state it is in. Raises LabError for what stays."""
    addressing.check_name(name)
    preflight.check_root()
    state = state_dir(name)
    running_elsewhere = host.owner(name)
    if running_elsewhere is not None and running_elsewhere != state:
        raise LabError(
            f"lab {name} was started with its state in {running_elsewhere}, not in {state}",
            f"stop it with XDG_STATE_HOME={running_elsewhere.parents[2]}",
        )
    with _exclusive(name):
        with progress.step(f"stopping {name}"):
            cgroups.kill(name)
            # Needs no description: the names of what it removes come from the lab's name alone.
            network.down(addressing.allocate(name, load(REFERENCE)))
            cgroups.remove(name)
            with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
                roots = sorted((state / "root").glob("[!.]*"))
                list(pool.map(lambda root: destroy(name, root.name, root), roots))
            remove_tree(state)
            host.unregister(name)
        _lock_file(name).unlink(missing_ok=True)


def status(name: str = "lab") -> dict[str, Any]:
    """What of the lab runs, as plain data."""
    where = addresses(name)
    state = state_dir(name)
    return {
        "name": name,
        "state": str(state),
        "addresses": asdict(where),
        "network": network.exists(where),
        "fabric": fabric.running(where),
        "mirror": mirror.running(where),
        "machines": {
            machine.name: {"region": machine.region, "address": machine.address, "running": machine.booted()}
            for machine in machines(name, described(name))
        },
    }


def _lock_file(name: str) -> Path:
    return labs_dir() / f".{name}.lock"


def _exclusive(name: str) -> AbstractContextManager[None]:
    """Only one `start` or `stop` of a lab at a time. Raises LabError that names the other process."""

    def busy(process: str) -> None:
        raise LabError(
            f"process {process} is starting or stopping lab {name}",
            "wait for it, or end it; what it has done stays and is picked up",
        )

    return locked(_lock_file(name), busy)
