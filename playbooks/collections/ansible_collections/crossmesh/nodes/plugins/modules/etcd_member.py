"""Ansible module: this host's member of etcd, and its way out of it."""

from __future__ import annotations

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.crossmesh.nodes.plugins.module_utils import etcd
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run

DOCUMENTATION = r"""
module: etcd_member
short_description: Take this host's member out of etcd
description:
  - Has the other members take this host's out, and sees that each of them knows. Fails before that where
    those that remain would be no majority of healthy ones. A host without a member, or with the only one,
    stays as it is.
author: Crossmesh (@crossmesh)
options:
  state:
    description: What shall be.
    type: str
    choices: [absent]
    required: true
"""

EXAMPLES = r"""
- name: Leave etcd
  crossmesh.nodes.etcd_member:
    state: absent
"""

RETURN = r"""
# Nothing beyond C(changed).
"""

_ASKED_AT = "kubeadm.kubernetes.io/etcd.advertise-client-urls"
_KUBECTL = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=10s")


def told_addresses() -> list[str]:
    """Addresses of members as the cluster tells them, whose API other hosts serve where this one's member is
    dead: kubeadm notes on each member's pod where it is asked. Raises etcd.EtcdError.
    """
    done = run(*_KUBECTL, "get", "pods", "--namespace=kube-system", "--selector=component=etcd", "-o=json")
    if done.returncode:
        raise etcd.EtcdError(
            "this host's member of etcd does not answer and knows of no other, and who the others are the "
            f"API does not say: {' '.join(done.stderr.split())}. Bring the API back first"
        )
    notes = [
        pod["metadata"].get("annotations", {}).get(_ASKED_AT, "") for pod in json.loads(done.stdout)["items"]
    ]
    return sorted({etcd.address_of(note) for note in notes if note})


def main() -> None:
    module = AnsibleModule(
        argument_spec={"state": {"type": "str", "choices": ["absent"], "required": True}},
        supports_check_mode=True,
    )
    try:
        here = etcd.is_here()
        changed = here and (module.check_mode or etcd.withdraw(told_addresses))
    except etcd.EtcdError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
