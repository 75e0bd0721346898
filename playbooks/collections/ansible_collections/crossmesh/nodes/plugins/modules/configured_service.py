"""Ansible module: a service that runs with the configuration that is on disk.

It decides by comparing times, not by whether a task of this run wrote the file: what a killed run wrote and
did not bring into effect is put right by the next one.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run

DOCUMENTATION = r"""
module: configured_service
short_description: Let a systemd service run with the configuration that is on disk
description:
  - Starts the unit when it does not run, restarts or reloads it when one of its files is newer than its last
    start or reload, or when its last reload failed, and enables it at boot. Or stops it and keeps it off.
author: Crossmesh (@crossmesh)
options:
  name:
    description: Name of the unit.
    type: str
    required: true
  files:
    description: Files that the unit reads. Those that do not exist are left out.
    type: list
    elements: path
    default: []
  data_files:
    description: Files and directories that the unit reads too, and that O(data_command) makes it read anew
      without a restart or reload.
    type: list
    elements: path
    default: []
  data_command:
    description: The command that is run when nothing but O(data_files) is newer.
    type: str
  drop_ins:
    description: Files in the unit's own directory of drop-ins. systemd is told to read them when it has not,
      and the unit's own file when that has changed.
    type: list
    elements: path
    default: []
  follows_program:
    description: Whether it is restarted, too, when its program was replaced since it started.
    type: bool
    default: false
  strategy:
    description: What brings new configuration into effect; V(stopped) is for a unit that is to run no longer.
    type: str
    choices: [restarted, reloaded, stopped]
    default: restarted
  when_exists:
    description: Only enable a unit that cannot run yet, because this file does not exist.
    type: path
"""

EXAMPLES = r"""
- name: Run containerd with its configuration
  crossmesh.nodes.configured_service:
    name: containerd.service
    files: [/etc/containerd/config.toml]

- name: Run gdnsd with its configuration, and let it read its zones without a reload
  crossmesh.nodes.configured_service:
    name: gdnsd.service
    files: [/etc/gdnsd/config]
    data_files: [/etc/gdnsd/zones]
    data_command: gdnsdctl reload-zones
    strategy: reloaded

- name: Stop kubelet and keep it off
  crossmesh.nodes.configured_service:
    name: kubelet.service
    strategy: stopped
"""

RETURN = r"""
actions:
  description: What was done, in order; verbs of systemctl, or the data command.
  type: list
  elements: str
  returned: when the unit is installed
  sample: [enable, restart]
newer:
  description: The files that the unit had not read, and its program where another one has taken its place.
  type: list
  elements: str
  returned: when the unit is installed
  sample: [/etc/containerd/config.toml]
"""

# When data was last read, where systemd knows nothing of it.
STATE = Path("/var/lib/crossmesh/services")
_STARTED = "ExecMainStartTimestampMonotonic"
# systemd sets it at each reload too, be it one that failed.
_CHANGED = "StateChangeTimestampMonotonic"
PROCESSES = Path("/proc")
# What the kernel adds to the path of a program whose file is another one by now, or none.
_REPLACED = " (deleted)"
_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "ReloadResult",
    "NeedDaemonReload",
    "DropInPaths",
    "MainPID",
    _STARTED,
    _CHANGED,
)


def unit_properties(name: str) -> dict[str, str]:
    # One that is empty is told only when it is asked for.
    result = run("systemctl", "show", name, f"--property={','.join(_PROPERTIES)}")
    result.check_returncode()
    return dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)


def newer_files(files: list[str], applied: float) -> list[str]:
    """Those of `files` that were written at or after `applied` (seconds since the epoch)."""
    return [file for file in files if Path(file).exists() and Path(file).stat().st_mtime >= applied]


def applied_at(unit: dict[str, str], strategy: str) -> float:
    """When the unit last read its files, in seconds since the epoch; 0 where its last reload failed."""
    if strategy == "reloaded" and unit["ReloadResult"] != "success":
        return 0.0
    microseconds = int(unit[_STARTED if strategy == "restarted" else _CHANGED] or 0)
    return time.time() - (time.monotonic() - microseconds / 1e6)


def data_applied_at(name: str, applied: float) -> float:
    """When the unit last read its data: with its files, or since then by the command for it."""
    try:
        return max(applied, (STATE / name).stat().st_mtime)
    except FileNotFoundError:
        return applied


def must_be_read(unit: dict[str, str], drop_ins: list[str]) -> bool:
    """Whether systemd has read another unit; of the first drop-in of a directory it says nothing."""
    loaded = unit["DropInPaths"].split()
    return unit["NeedDaemonReload"] == "yes" or any(
        (path in loaded) != Path(path).exists() for path in drop_ins
    )


def replaced_program(unit: dict[str, str]) -> list[str]:
    """The program that the unit runs, where that is not the one on disk any more."""
    try:
        program = str((PROCESSES / unit.get("MainPID", "0") / "exe").readlink())
    except OSError:
        return []
    return [program.removesuffix(_REPLACED)] if program.endswith(_REPLACED) else []


def actions(
    unit: dict[str, str], newer: list[str], strategy: str, *, newer_data: bool = False, can_run: bool = True
) -> list[str]:
    """What is due, in order: verbs of systemctl, or `data`. newer: files that the unit has not read."""
    if strategy == "stopped":
        due = [] if unit["ActiveState"] in ("inactive", "failed") else ["stop"]
        return [*due, "disable"] if unit["UnitFileState"] == "enabled" else due
    due = ["enable"] if unit["UnitFileState"] == "disabled" else []
    if not can_run:
        return due
    if unit["ActiveState"] not in ("active", "reloading"):
        return [*due, "restart"]
    if newer:
        return [*due, "restart" if strategy == "restarted" else "reload"]
    return [*due, "data"] if newer_data else due


def fail(module: AnsibleModule, command: str, result: subprocess.CompletedProcess[str]) -> None:
    """End with what the command said, and the unit's last words."""
    unit = module.params["name"]
    log = run("journalctl", "--unit", unit, "--lines=15", "--no-pager", "--output=cat").stdout
    said = f"{result.stdout}\n{result.stderr}".strip()
    module.fail_json(msg=f"{command} failed: {said}\n{log.strip()}")


def carry_out(module: AnsibleModule, due: list[str]) -> None:
    name = module.params["name"]
    for verb in due:
        begun = time.time()
        command = shlex.split(module.params["data_command"]) if verb == "data" else ["systemctl", verb]
        if verb not in ("data", "daemon-reload"):
            command.append(name)
        result = run(*command)
        if result.returncode:
            fail(module, " ".join(command), result)
        if verb == "data":
            STATE.mkdir(parents=True, exist_ok=True)
            (STATE / name).touch()
            # What is written while the command runs has to be read once more.
            os.utime(STATE / name, (begun, begun))


def main() -> None:
    paths = {"type": "list", "elements": "path", "default": []}
    strategies = {"type": "str", "choices": ["restarted", "reloaded", "stopped"], "default": "restarted"}
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "files": paths,
            "data_files": paths,
            "data_command": {"type": "str"},
            "drop_ins": paths,
            "follows_program": {"type": "bool", "default": False},
            "strategy": strategies,
            "when_exists": {"type": "path"},
        },
        supports_check_mode=True,
    )
    if module.params["data_files"] and not module.params["data_command"]:
        module.fail_json(msg="data_files need the data_command that makes the unit read them")
    name, strategy, needed = module.params["name"], module.params["strategy"], module.params["when_exists"]
    unit = unit_properties(name)
    if unit["LoadState"] != "loaded":
        if strategy == "stopped":
            module.exit_json(changed=False)
        if module.check_mode:
            module.exit_json(changed=True, msg=f"{name} would be started once it is installed")
        module.fail_json(msg=f"the unit {name} is {unit['LoadState']}: is its package installed?")
    applied = applied_at(unit, strategy)
    newer = newer_files(module.params["files"], applied)
    newer += replaced_program(unit) if module.params["follows_program"] else []
    newer_data = newer_files(module.params["data_files"], data_applied_at(name, applied))
    due = ["daemon-reload"] if must_be_read(unit, module.params["drop_ins"]) else []
    due += actions(
        unit, newer, strategy, newer_data=bool(newer_data), can_run=not needed or Path(needed).exists()
    )
    if not module.check_mode:
        carry_out(module, due)
    shown = [module.params["data_command"] if verb == "data" else verb for verb in due]
    module.exit_json(changed=bool(due), actions=shown, newer=newer + newer_data)


if __name__ == "__main__":
    main()
