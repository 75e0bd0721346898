"""Ansible module: a service that runs with the configuration that is on disk.

It decides by comparing times, not by whether a task of this run wrote the file: what a killed run wrote and
did not bring into effect is put right by the next one.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: configured_service
short_description: Let a systemd service run with the configuration that is on disk
description:
  - Starts the unit when it does not run, restarts or reloads it when one of its files is newer than its last
    start or reload, and enables it at boot. Or stops it and keeps it off.
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
  strategy:
    description: What brings new configuration into effect; C(stopped) is for a unit that is to run no longer.
    type: str
    choices: [restarted, reloaded, stopped]
    default: restarted
  when_exists:
    description: Only enable a unit that cannot run yet, because this file does not exist.
    type: path
"""

_STARTED = "ExecMainStartTimestampMonotonic"
_CHANGED = "StateChangeTimestampMonotonic"


def unit_properties(name: str) -> dict[str, str]:
    """What systemd knows of the unit."""
    wanted = f"--property=LoadState,ActiveState,UnitFileState,{_STARTED},{_CHANGED}"
    output = subprocess.run(
        ["systemctl", "show", name, wanted], capture_output=True, text=True, check=True
    ).stdout
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def newer_files(files: list[str], applied: float) -> list[str]:
    """Those of `files` that were written at or after `applied` (seconds since the epoch)."""
    return [file for file in files if Path(file).exists() and Path(file).stat().st_mtime >= applied]


def actions(unit: dict[str, str], newer: list[str], strategy: str, *, can_run: bool = True) -> list[str]:
    """The verbs of systemctl that are due, in order; `newer` are the files that the unit has not read yet."""
    enabled = unit["UnitFileState"] == "enabled"
    if strategy == "stopped":
        return (["stop"] if unit["ActiveState"] not in ("inactive", "failed") else []) + (
            ["disable"] if enabled else []
        )
    due = ["enable"] if unit["UnitFileState"] == "disabled" else []
    if not can_run:
        return due
    if unit["ActiveState"] not in ("active", "reloading"):
        return [*due, "restart"]
    if newer:
        return [*due, "restart" if strategy == "restarted" else "reload"]
    return due


def applied_at(unit: dict[str, str], strategy: str) -> float:
    """When the unit last read its files, in seconds since the epoch."""
    microseconds = int(unit[_STARTED if strategy == "restarted" else _CHANGED] or 0)
    return time.time() - (time.monotonic() - microseconds / 1e6)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "path", "default": []},
            "strategy": {
                "type": "str",
                "choices": ["restarted", "reloaded", "stopped"],
                "default": "restarted",
            },
            "when_exists": {"type": "path"},
        },
        supports_check_mode=True,
    )
    name, strategy, needed = module.params["name"], module.params["strategy"], module.params["when_exists"]
    unit = unit_properties(name)
    if unit["LoadState"] != "loaded":
        if strategy == "stopped":
            module.exit_json(changed=False)
        if module.check_mode:
            module.exit_json(changed=True, msg=f"{name} would be started once it is installed")
        module.fail_json(msg=f"the unit {name} is {unit['LoadState']}: is its package installed?")
    newer = newer_files(module.params["files"], applied_at(unit, strategy))
    due = actions(unit, newer, strategy, can_run=not needed or Path(needed).exists())
    if not module.check_mode:
        for verb in due:
            result = subprocess.run(["systemctl", verb, name], capture_output=True, text=True, check=False)
            if result.returncode:
                log = subprocess.run(
                    ["journalctl", "--unit", name, "--lines=15", "--no-pager", "--output=cat"],
                    capture_output=True,
                    text=True,
                    check=False,
                ).stdout
                module.fail_json(
                    msg=f"systemctl {verb} {name} failed: {result.stderr.strip()}\n{log.strip()}"
                )
    module.exit_json(changed=bool(due), actions=due, newer=newer)


if __name__ == "__main__":
    main()
