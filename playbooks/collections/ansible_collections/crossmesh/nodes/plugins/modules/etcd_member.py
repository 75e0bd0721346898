"""Ansible module: this host's member of etcd, and its way out of it."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.crossmesh.nodes.plugins.module_utils import etcd

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


def main() -> None:
    module = AnsibleModule(
        argument_spec={"state": {"type": "str", "choices": ["absent"], "required": True}},
        supports_check_mode=True,
    )
    try:
        here = etcd.is_here()
        changed = here and (module.check_mode or etcd.withdraw())
    except etcd.EtcdError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
