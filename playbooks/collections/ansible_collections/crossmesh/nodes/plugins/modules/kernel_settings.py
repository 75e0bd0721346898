"""Ansible module: kernel modules and settings, now and at boot.

One module instead of four tasks, and it looks at the running kernel rather than at its own files: what
somebody changed by hand, or what an interrupted run did not get to, is put right.
"""

from __future__ import annotations

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


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "modules": {"type": "list", "elements": "str", "default": []},
            "sysctls": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    modules = sorted(module.params["modules"])
    sysctls = {name: " ".join(str(value).split()) for name, value in sorted(module.params["sysctls"].items())}
    contents = {
        MODULES_FILE: "".join(f"{name}\n" for name in modules),
        SYSCTLS_FILE: "".join(f"{name} = {value}\n" for name, value in sysctls.items()),
    }
    files = [path for path, text in contents.items() if (path.read_text() if path.exists() else "") != text]
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
        changed=bool(files or loaded or differing),
        files=[str(file) for file in files],
        loaded=loaded,
        set=differing,
    )


if __name__ == "__main__":
    main()
