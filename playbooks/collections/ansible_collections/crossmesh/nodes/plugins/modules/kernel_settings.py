"""Ansible module: kernel modules and settings, now and at boot.

One module instead of four tasks, and it looks at the running kernel rather than at its own files: what
somebody changed by hand, or what an interrupted run did not get to, is put right.
"""

from __future__ import annotations

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run, write

DOCUMENTATION = r"""
module: kernel_settings
short_description: Load kernel modules and set kernel settings, now and at boot
description:
  - Writes both to C(/etc/modules-load.d/crossmesh.conf) and C(/etc/sysctl.d/90-crossmesh.conf), loads modules
    that are not loaded, and sets what the running kernel has another value of. What earlier runs set and this
    one does not name stays in the kernel until the next boot.
author: Crossmesh (@crossmesh)
options:
  modules:
    description: Names of kernel modules.
    type: list
    elements: str
    default: []
  sysctls:
    description: Settings by their dotted names.
    type: dict
    default: {}
  wished:
    description:
      - Values that are good for settings, by their dotted names. One that has none of them gets the first,
        now and at boot. Those that the kernel does not have or does not let be set are left as they are, and
        in a container those of the computer whose kernel it is.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Let the packet filter see what crosses bridges
  crossmesh.nodes.kernel_settings:
    modules: [br_netfilter]
    sysctls:
      net.bridge.bridge-nf-call-iptables: 1
      net.ipv4.ip_forward: 1
"""

RETURN = r"""
files:
  description: Paths of the files that were written.
  type: list
  elements: str
  returned: success
  sample: [/etc/modules-load.d/crossmesh.conf]
loaded:
  description: Kernel modules that were not loaded before.
  type: list
  elements: str
  returned: success
  sample: [br_netfilter]
set:
  description: Kernel settings that had another value.
  type: list
  elements: str
  returned: success
  sample: [net.ipv4.ip_forward]
"""

MODULES_FILE = Path("/etc/modules-load.d/crossmesh.conf")
SYSCTLS_FILE = Path("/etc/sysctl.d/90-crossmesh.conf")
CONTAINER = Path("/run/systemd/container")
"""There where systemd was started in a container (systemd-detect-virt(1))."""


def setting_path(name: str, root: Path = Path("/proc/sys")) -> Path:
    """Where the kernel shows a setting."""
    return root.joinpath(*name.split("."))


def current(name: str, root: Path = Path("/proc/sys")) -> str | None:
    """The setting's value with single spaces; None when the kernel does not have it."""
    try:
        return " ".join(setting_path(name, root).read_text().split())
    except FileNotFoundError:
        return None


def is_loaded(name: str) -> bool:
    return Path("/sys/module", name.replace("-", "_")).exists()


def is_own(name: str) -> bool:
    """Whether a setting is this machine's own: of a container, those of its network are."""
    return name.startswith("net.") or not CONTAINER.exists()


def lacking(wished: dict[str, list[str]]) -> list[str]:
    """Those of the wished settings that have no good value and can get one."""
    return [
        name
        for name, values in wished.items()
        if current(name) not in (None, *values) and is_own(name) and os.access(setting_path(name), os.W_OK)
    ]


def fulfil(wished: dict[str, list[str]], names: list[str]) -> list[str]:
    """Set wished settings; return those that the kernel let be set."""
    done = []
    for name in names:
        try:
            setting_path(name).write_text(wished[name][0])
        except OSError:
            continue
        done.append(name)
    return done


def written(path: Path) -> str:
    """What a file says; empty where it is not there."""
    return path.read_text() if path.exists() else ""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "modules": {"type": "list", "elements": "str", "default": []},
            "sysctls": {"type": "dict", "default": {}},
            "wished": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    modules = sorted(module.params["modules"])
    sysctls = {name: " ".join(str(value).split()) for name, value in sorted(module.params["sysctls"].items())}
    asked = sorted(module.params["wished"].items())
    wished = {name: [str(value) for value in values] for name, values in asked}
    granted = lacking(wished)
    if not module.check_mode:
        granted = fulfil(wished, granted)
    # Those that this module set stay its own: they are good now because of it.
    before = written(SYSCTLS_FILE).splitlines()
    lines = {name: f"-{name} = {values[0]}" for name, values in wished.items()}
    kept = [line for name, line in lines.items() if name in granted or (line in before and is_own(name))]
    contents = {
        MODULES_FILE: "".join(f"{name}\n" for name in modules),
        SYSCTLS_FILE: "".join(f"{line}\n" for line in [*(f"{n} = {v}" for n, v in sysctls.items()), *kept]),
    }
    files = [path for path, text in contents.items() if written(path) != text]
    # A module that is built in may show up nowhere; modprobe then is asked each time, and does nothing.
    absent = [name for name in modules if not is_loaded(name)]
    if not module.check_mode:
        for path in files:
            write(path, contents[path], 0o644)
        for name in absent:
            result = run("modprobe", name)
            if result.returncode:
                module.fail_json(msg=f"the kernel module {name} cannot be loaded: {result.stderr.strip()}")
    loaded = [name for name in absent if is_loaded(name)]
    # Some settings exist only once their module is loaded, so they are looked at last.
    differing = [name for name, value in sysctls.items() if current(name) != value]
    if not module.check_mode:
        for name in differing:
            try:
                setting_path(name).write_text(sysctls[name])
            except OSError as error:
                module.fail_json(msg=f"the kernel setting {name} cannot be set to {sysctls[name]}: {error}")
    module.exit_json(
        changed=bool(files or loaded or differing or granted),
        files=[str(file) for file in files],
        loaded=loaded,
        set=[*differing, *granted],
    )


if __name__ == "__main__":
    main()
