"""Ansible module: settings of sshd in a file of their own, which the host takes back unless they are
confirmed.

What is wrong with sshd's settings shows at the next login, when it is too late. So sshd itself has to accept
them first; then the host arms a switch that takes them back, and sshd reads them. Who runs the play logs in
anew, which takes the switch away; where he cannot, the host is as it was after two minutes.
"""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run, write

DOCUMENTATION = r"""
module: sshd_settings
short_description: Have sshd go by settings, taken back by the host unless a new login confirms them
description:
  - Writes C(/etc/ssh/sshd_config.d/00-crossmesh.conf), sees by C(sshd -T) that the settings are in effect
    with it, and has sshd read them. Connections that there are stay. A timer of systemd takes them back after
    two minutes, unless C(/var/lib/crossmesh/sshd-unconfirmed) is removed by then, which a new login is to do.
  - Without settings, the file is removed.
author: Crossmesh (@crossmesh)
options:
  settings:
    description: Settings as sshd names them, and the value of each.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Take no passwords
  crossmesh.nodes.sshd_settings:
    settings:
      PasswordAuthentication: "no"
"""

RETURN = r"""
told:
  description: What was changed, in words.
  type: list
  elements: str
  returned: success
  sample: ["PasswordAuthentication no"]
"""

FILE = Path("/etc/ssh/sshd_config.d/00-crossmesh.conf")
"""Of several values sshd takes the first, and files in their order."""
STATE = Path("/var/lib/crossmesh")
UNIT = "crossmesh-sshd-back"
SECONDS = 120
"""Until they are taken back: a login takes seconds, on a host that is busy too."""
_RELOAD = "systemctl try-reload-or-restart ssh.service sshd.service"
_HEAD = "# Written by Crossmesh: `ssh.hardened` of the declaration.\n"


def content(settings: dict[str, str]) -> str:
    """The file's text; empty for no settings."""
    lines = [f"{name} {value}\n" for name, value in sorted(settings.items())]
    return _HEAD + "".join(lines) if lines else ""


def present() -> str:
    """What is in the file; empty where it is not there."""
    try:
        return FILE.read_text()
    except FileNotFoundError:
        return ""


def put(text: str) -> None:
    """Have the file have this content, or not be there."""
    if text:
        write(FILE, text, 0o600)
    else:
        FILE.unlink(missing_ok=True)


def complaint(settings: dict[str, str]) -> str:
    """Why sshd would not go by the settings; empty where it would."""
    said = run("/usr/sbin/sshd", "-T")
    if said.returncode:
        return said.stderr.strip() or "sshd does not say its settings"
    there = dict(line.split(" ", 1) for line in said.stdout.splitlines() if " " in line)
    # It names one of them by another word that means the same.
    there = {name: value.replace("without-password", "prohibit-password") for name, value in there.items()}
    other = {name: there.get(name.lower(), "") for name, value in settings.items()}
    wrong = [f"{name} is {found}" for name, found in sorted(other.items()) if found != settings[name]]
    reads = f"; see that /etc/ssh/sshd_config includes {FILE.parent}/*.conf first" if wrong else ""
    return ", ".join(wrong) + reads


def arm(before: str) -> str:
    """Have the host take it back by itself; return why that cannot be."""
    kept = STATE / "sshd-before"
    write(kept, before, 0o600)
    write(STATE / "sshd-unconfirmed", "", 0o600)
    back = f"cp {kept} {FILE}" if before else f"rm -f {FILE}"
    script = f"if [ -e {STATE}/sshd-unconfirmed ]; then {back}; {_RELOAD}; rm -f {STATE}/sshd-unconfirmed; fi"
    run("systemctl", "stop", f"{UNIT}.timer")
    armed = run(
        *("systemd-run", f"--unit={UNIT}", f"--on-active={SECONDS}", "--collect", "/bin/sh", "-c", script)
    )
    return armed.stderr.strip() if armed.returncode else ""


def main() -> None:
    module = AnsibleModule(
        argument_spec={"settings": {"type": "dict", "default": {}}}, supports_check_mode=True
    )
    settings = {name: str(value) for name, value in module.params["settings"].items()}
    before, after = present(), content(settings)
    # One that was not confirmed is taken back, or was: it is tried again.
    if before == after and not (STATE / "sshd-unconfirmed").exists():
        module.exit_json(changed=False, told=[])
    told = [line for line in after.splitlines() if not line.startswith("#")] or ["sshd as it was made"]
    if module.check_mode:
        module.exit_json(changed=True, told=told)
    put(after)
    why = complaint(settings)
    if not why and settings:
        why = arm("" if before == after else before)
    if not why:
        read = run("sh", "-c", _RELOAD)
        why = f"it does not read them: {read.stderr.strip()}" if read.returncode else ""
    if why:
        put("" if before == after else before)
        (STATE / "sshd-unconfirmed").unlink(missing_ok=True)
        module.fail_json(msg=f"sshd would not go by its settings, which are as they were: {why}")
    module.exit_json(changed=True, told=told)


if __name__ == "__main__":
    main()
