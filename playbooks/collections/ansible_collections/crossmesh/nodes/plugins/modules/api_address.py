"""Ansible module: where on this host the address of a cluster's API belongs, and whether it is free."""

from __future__ import annotations

import ipaddress
import json
import socket
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.crossmesh.nodes.plugins.module_utils import endpoint
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run

DOCUMENTATION = r"""
module: api_address
short_description: Find the interface that the address of a cluster's API belongs on
description:
  - Finds the interface that has this node's own address, and the number by which nodes that pass an address
    on to each other know the group that they are. With O(unclaimed), it fails where somebody has the address
    already, and this host is no member of a cluster yet, or of one that is reached elsewhere.
author: Crossmesh (@crossmesh)
options:
  address:
    description: The address of the API.
    type: str
    required: true
  own:
    description: Address of this node, in the same network.
    type: str
    required: true
  port:
    description: Port of the API server.
    type: int
    required: true
  unclaimed:
    description: Whether nobody may have the address, unless this host is a member of the cluster that is
      reached there.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Find where this node is in the machine network
  crossmesh.nodes.api_address:
    address: 192.0.2.100
    own: 192.0.2.11
    port: 6443
"""

RETURN = r"""
interface:
  description: Name of the interface.
  type: str
  returned: success
  sample: eth0
router:
  description: The virtual router identifier of VRRP, 1 to 255.
  type: int
  returned: success
  sample: 100
"""

STATE = Path("/var/lib/crossmesh")
_LARGEST = 255
_SILENT_SECONDS = 3.0


def interfaces() -> dict[str, str]:
    """Name of the interface by address, of all that this host has."""
    listed = json.loads(run("ip", "-json", "-4", "address", "show").stdout or "[]")
    return {
        entry["local"]: link["ifname"]
        for link in listed
        for entry in link.get("addr_info") or ()
        if "local" in entry
    }


def identifier(address: str) -> int:
    """The last byte of an address: so operators know it, and groups of one network rarely share one."""
    return int(ipaddress.IPv4Address(address)) & _LARGEST or _LARGEST


def somebody_has(address: str, port: int) -> bool:
    """Whether a machine says anything at the address, be it that nothing listens there."""
    try:
        socket.create_connection((address, port), timeout=_SILENT_SECONDS).close()
    except ConnectionError:
        return True
    except OSError:
        # No machine says that it has the address, or packets to it are lost.
        return False
    return True


def reached_at() -> str:
    """Endpoint of the cluster that this host is a member of; empty where it is none."""
    for mark in STATE.glob("*.finished"):
        return str(json.loads(mark.read_text())["identity"].get("endpoint", ""))
    return ""


def claimed(address: str, port: int, here: dict[str, str]) -> bool:
    """Whether somebody else has the address of a cluster that this host is about to make, or of its own
    cluster that is to be reached there from now on."""
    if address in here:
        return False
    if before := reached_at():
        if endpoint.address_of(before) == address:
            return False
        # Another control plane of this cluster may have come first.
        return somebody_has(address, port) and bool(endpoint.answer(f"{address}:{port}"))
    # One that was interrupted holds it itself, and goes on.
    begun = any(STATE.glob("*.begun")) or any(STATE.glob("*.finished"))
    return not begun and somebody_has(address, port)


def refuse(module: AnsibleModule, address: str) -> None:
    """End the module, for somebody has the address."""
    if before := reached_at():
        module.fail_json(
            msg=f"a machine has {address}, at which this cluster is to be reached that is reached at "
            f"{before}: choose a free address. Nothing was changed"
        )
    module.fail_json(
        msg=f"a machine has {address}, and this host was about to make the cluster whose API is to be there. "
        "If it is another machine, choose a free address. If it is a control-plane node of this cluster, "
        "which is made then, its API server does not answer: bring it back first, and this host joins it."
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "own": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "unclaimed": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    address, own, port = (module.params[name] for name in ("address", "own", "port"))
    here = interfaces()
    if own not in here:
        module.fail_json(
            msg=f"no interface of this host has {own}, its address in the declaration; it has "
            f"{', '.join(sorted(here))}. Declare the one that the machine has"
        )
    if module.params["unclaimed"] and claimed(address, port, here):
        refuse(module, address)
    module.exit_json(changed=False, interface=here[own], router=identifier(address))


if __name__ == "__main__":
    main()
