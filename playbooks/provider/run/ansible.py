"""One run of ansible-playbook for one host, through ansible-runner."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_runner.config.runner import RunnerConfig
from ansible_runner.runner import Runner

from playbooks.provider.run.events import Progress
from playbooks.provider.run.guard import HostGuard
from playbooks.provider.run.request import RunRequest

PLAYBOOKS = Path(__file__).resolve().parents[2]
_HERE = Path(__file__).parent


def run_playbook(
    request: RunRequest,
    secrets: Mapping[str, Any],
    guard: HostGuard,
    directory: Path,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> Runner:
    """Run the playbook against the host until it has ended, with a status (`successful`, `failed`, `timeout`
    or `canceled`) and an exit status (`rc`).

    secrets: variables that exist in memory alone. directory: the run's own, empty. Must be called by the main
    thread: ansible-playbook dies with the thread that started it.
    """
    descriptor = os.memfd_create("inventory", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, json.dumps(inventory(request, secrets, guard)).encode())
        # ansible-runner reads its settings from a file only; these hold no secrets.
        (directory / "env").mkdir(mode=0o700)
        settings = {"pexpect_timeout": 1, "suppress_output_file": True, "idle_timeout": request.patience}
        (directory / "env" / "settings").write_text(json.dumps(settings))
        config = RunnerConfig(
            private_data_dir=str(directory),
            project_dir=str(PLAYBOOKS),
            playbook=request.playbook,
            inventory=str(_HERE / "inventory.sh"),
            envvars={**environment(directory), "CROSSMESH_INVENTORY": f"/proc/{os.getpid()}/fd/{descriptor}"},
            cmdline="--check" if request.check else None,
            ident=request.run,
            timeout=int(request.timeout),
            suppress_env_files=True,
            quiet=True,
        )
        config.prepare()
        program, *arguments = config.command
        tethered = (sys.executable, "-I", "-S", str(_HERE / "tethered.py"))
        # The one that belongs to this interpreter.
        config.command = [*tethered, str(Path(sys.executable).with_name(program)), *arguments]
        runner = Runner(config, event_handler=progress, cancel_callback=cancelled)
        runner.run()
        return runner
    finally:
        os.close(descriptor)


def inventory(request: RunRequest, secrets: Mapping[str, Any], guard: HostGuard) -> dict[str, Any]:
    """Return the inventory of this one host: its connection, its variables and the secrets."""
    connection = request.connection
    password = {"ansible_become_password": literal(connection.become_password)}
    variables = {
        **{key: literal(value) for key, value in {**request.variables, **secrets}.items()},
        "ansible_connection": "ssh",
        "ansible_host": connection.address,
        "ansible_port": connection.port,
        "ansible_user": connection.user,
        "ansible_become": connection.user != "root",
        **(password if connection.asks_for_password else {}),
        "ansible_ssh_args": "",
        "ansible_ssh_common_args": shlex.join(guard.ssh_arguments()),
        "ansible_ssh_transfer_method": "piped",
        "ansible_pipelining": True,
        "ansible_python_interpreter": guard.interpreter,
        "ansible_remote_tmp": f"{guard.directory}/tmp",
    }
    return {"all": {"hosts": [request.host]}, "_meta": {"hostvars": {request.host: variables}}}


def literal(value: Any) -> Any:
    """Return `value` such that Ansible takes its strings as they are and never as templates."""
    if isinstance(value, str):
        return {"__ansible_unsafe": value} if "{{" in value or "{%" in value or "{#" in value else value
    if isinstance(value, Mapping):
        return {key: literal(item) for key, item in value.items()}
    return [literal(item) for item in value] if isinstance(value, list) else value


def environment(directory: Path) -> dict[str, str]:
    """Return Ansible's settings: those of this project alone, and all that it writes is in `directory`."""
    return {
        "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
        "ANSIBLE_HOME": str(directory / "home"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
        "ANSIBLE_INVENTORY_ENABLED": "script",
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
        "ANSIBLE_NOCOLOR": "true",
        "LC_ALL": "C.UTF-8",
    }
