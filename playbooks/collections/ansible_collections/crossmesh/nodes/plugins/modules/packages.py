"""Ansible module: packages that are installed, and none that goes without a word.

apt is asked what it would do before it does it. What would remove a package, or change one that is held on
this host, is refused unless it was named.
"""

from __future__ import annotations

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.crossmesh.nodes.plugins.module_utils import pod_containers
from ansible_collections.crossmesh.nodes.plugins.module_utils.facts import (
    INSTALL,
    environment,
    run,
    simulated,
    unnamed,
)

DOCUMENTATION = r"""
module: packages
short_description: Install packages, and remove none that was not named
description:
  - Reads the lists of the sources anew, and installs what is missing or has another version than asked for,
    all in one transaction. Recommended packages are left out.
  - Fails before anything is changed where apt would remove a package, or change one that is held (C(apt-mark
    hold)), that O(replaceable) does not name; and, named or not, where it would remove the container runtime
    under pods that run, unless O(ends_pods) is set.
author: Crossmesh (@crossmesh)
options:
  names:
    description: The packages, as apt names them (C(name) or C(name=version)).
    type: list
    elements: str
    required: true
  replaceable:
    description: Packages that may be removed, or changed although they are held, where that is needed.
    type: list
    elements: str
    default: []
  ends_pods:
    description:
      - Where the container runtime goes, end the pods' containers before. kubelet is stopped, and whoever
        has configured the new runtime starts it again. Packages are there by then; where they cannot be
        installed, kubelet is started at once.
    type: bool
    default: false
  lock_timeout:
    description: Seconds to wait for another run of apt or dpkg.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Install a container runtime in the place of Docker's
  crossmesh.nodes.packages:
    names: [containerd, runc]
    replaceable: [containerd.io, docker-ce]
"""

RETURN = r"""
installed:
  description: Packages that were installed or got another version.
  type: list
  elements: str
  returned: success
  sample: [containerd, runc]
removed:
  description: Packages that were removed.
  type: list
  elements: str
  returned: success
  sample: [containerd.io]
"""

BUSY = "Could not get lock"
# Files that somebody has changed stay as they are, as do those of `config_files`.
KEEP = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")


def update(module: AnsibleModule) -> None:
    """Read the lists anew; apt itself waits for no other that does."""
    deadline = time.monotonic() + module.params["lock_timeout"]
    while True:
        done = run("apt-get", "-q", "update", environment=environment())
        if done.returncode == 0:
            return
        if BUSY not in done.stderr or time.monotonic() > deadline:
            module.fail_json(msg=f"the lists of the software sources cannot be read: {done.stderr.strip()}")
        time.sleep(2)


def refusal(removes: list[str], held: list[str]) -> str:
    """Why it is not done; empty when it may be."""
    why = []
    if removes:
        why.append(f"it would remove {', '.join(removes)}")
    if held:
        why.append(f"it would change {', '.join(held)}, held on this host")
    return " and ".join(why)


def install(module: AnsibleModule, names: list[str], *options: str) -> None:
    """Let apt install, and fail where it cannot."""
    if why_not := failure(module, names, *options):
        module.fail_json(msg=why_not)


def failure(module: AnsibleModule, names: list[str], *options: str) -> str:
    """Let apt install, without questions; another one that is at work is waited for. Returns why it failed;
    empty where it did not."""
    patience = f"DPkg::Lock::Timeout={module.params['lock_timeout']}"
    # Asked for by its version, one may be an earlier one: of a change that is taken back.
    options = ("--allow-downgrades", *options)
    done = run(*INSTALL, "-y", *KEEP, "-o", patience, *options, *names, environment=environment())
    return f"apt failed: {done.stderr.strip()}\n{done.stdout.strip()[-2000:]}" if done.returncode else ""


def exchange(module: AnsibleModule, names: list[str], *options: str) -> None:
    """Let apt take the container runtime away, for as short a time as can be without pods."""
    install(module, names, *options, "--download-only")
    try:
        pod_containers.end()
    except pod_containers.PodsError as error:
        module.fail_json(msg=f"the container runtime is not exchanged: {error}")
    if why_not := failure(module, names, *options):
        pod_containers.bring_back()
        module.fail_json(msg=why_not)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "replaceable": {"type": "list", "elements": "str", "default": []},
            "ends_pods": {"type": "bool", "default": False},
            "lock_timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    names, replaceable = module.params["names"], module.params["replaceable"]
    if not module.check_mode:
        update(module)
    planned = simulated(names)
    if planned["error"]:
        module.fail_json(msg=f"apt cannot install {', '.join(names)}: {planned['error']}")
    if planned["carrying"] and not module.params["ends_pods"]:
        going = ", ".join(planned["carrying"])
        how = "Keep the runtime that the node has; or name a release of containerd, in a change of its own"
        module.fail_json(msg=f"nothing is installed: it would remove {going} under pods that run. {how}")
    if why_not := refusal(*unnamed(planned, replaceable)):
        how = "Name what may go (`replaceablePackages` of the host), or take it off the host by hand"
        module.fail_json(msg=f"nothing is installed: {why_not}. {how}")
    changed = bool(planned["installs"] or planned["removes"] or planned["halved"])
    if planned["halved"] and not module.check_mode:
        halved = [f"{name}={version}" for name, version in sorted(planned["halved"].items())]
        install(module, halved, "--no-remove", "--allow-change-held-packages", "--reinstall")
    if (planned["installs"] or planned["removes"]) and not module.check_mode:
        # Between the simulation and this, another may have changed what is installed.
        options = [] if planned["removes"] else ["--no-remove"]
        options += ["--allow-change-held-packages"] if planned["held"] else []
        (exchange if planned["carrying"] else install)(module, names, *options)
    installed = sorted({*planned["installs"], *planned["halved"]})
    module.exit_json(changed=changed, installed=installed, removed=planned["removes"])


if __name__ == "__main__":
    main()
