"""What is to be done to which host, made from the model: the contract between Python and Ansible.

Pure: the same environment and ledger give the same plans. `python -m playbooks.inventory --stack NAME` prints
them as an Ansible inventory, for use of the plays by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playbooks import variables
from playbooks.digest import Phase, playbook_of, roles_digest, roles_of
from playbooks.variables import InventoryError, Variables
from stacks.model import BareMetalClusterSpec, Environment, NodeRole, Ssh

if TYPE_CHECKING:
    from stacks.ledger import Ledger

__all__ = [
    "HostPlan",
    "InventoryError",
    "Phase",
    "ansible_inventory",
    "host_plans",
    "playbook_of",
    "roles_digest",
    "roles_of",
]


@dataclass(frozen=True)
class HostPlan:
    """One host: where it is, what becomes of it and with which variables."""

    name: str
    address: str
    region: str
    groups: tuple[str, ...]
    """Ansible groups for use by hand: `nodes` or `edges`, `control_planes` or `workers`, `region_<name>`."""
    phases: tuple[Phase, ...]
    """In the order in which they run."""
    variables: Mapping[Phase, Variables]
    """Effective role variables without secrets, in JSON types."""


def host_plans(environment: Environment, ledger: Ledger) -> dict[str, HostPlan]:
    """The plans of all machines of bare-metal clusters and of all edge hosts, sorted by name.

    The ledger must have an entry for every cluster and node. Raises `InventoryError` for what cannot be done.
    """
    plans: list[HostPlan] = []
    for region, spec in sorted(environment.regions.items()):
        if isinstance(spec.cluster, BareMetalClusterSpec):
            plans += [_node(environment, ledger, region, name) for name in spec.cluster.nodes]
        plans += [_edge(environment, region, name) for name in spec.edges]
    return {plan.name: plan for plan in sorted(plans, key=lambda plan: plan.name)}


def ansible_inventory(environment: Environment, ledger: Ledger) -> dict[str, Any]:
    """All hosts as an Ansible inventory (YAML or JSON), with every host's variables of all its phases."""
    plans = host_plans(environment, ledger)
    groups: dict[str, dict[str, Any]] = {}
    for plan in plans.values():
        for group in plan.groups:
            groups.setdefault(group, {"hosts": {}})["hosts"][plan.name] = {}
    hosts = {
        name: {
            "ansible_host": plan.address,
            **{key: value for phase in plan.phases for key, value in plan.variables[phase].items()},
        }
        for name, plan in plans.items()
    }
    connection = _connection(environment.ssh) if environment.ssh else {}
    return {"all": {"hosts": hosts, "vars": connection, "children": dict(sorted(groups.items()))}}


def _node(environment: Environment, ledger: Ledger, region: str, name: str) -> HostPlan:
    node = variables.bare_metal(environment, region).nodes[name]
    prepare = variables.prepare_node(environment, ledger, region, name)
    second: tuple[Phase, str, Variables]
    if node.role is NodeRole.CONTROL_PLANE:
        values = variables.control_plane(environment, ledger, region, name)
        second = (Phase.CONTROL_PLANE, "control_planes", values)
    else:
        second = (Phase.JOIN, "workers", variables.join(environment, region, name))
    phase, group, values = second
    return HostPlan(
        name=name,
        address=str(node.address),
        region=region,
        groups=("nodes", group, _region_group(region)),
        phases=(Phase.PREPARE, phase),
        variables={Phase.PREPARE: prepare, phase: values},
    )


def _edge(environment: Environment, region: str, name: str) -> HostPlan:
    return HostPlan(
        name=name,
        address=str(environment.regions[region].edges[name].address),
        region=region,
        groups=("edges", _region_group(region)),
        phases=(Phase.PREPARE, Phase.EDGE),
        variables={
            Phase.PREPARE: variables.prepare_edge(environment),
            Phase.EDGE: variables.edge(environment, region, name),
        },
    )


def _region_group(region: str) -> str:
    # Ansible's group names allow no hyphens.
    return f"region_{region.replace('-', '_')}"


def _connection(ssh: Ssh) -> dict[str, Any]:
    return {
        "ansible_user": ssh.user,
        "ansible_port": ssh.port,
        "ansible_ssh_private_key_file": ssh.private_key_file,
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={ssh.known_hosts_file} "
        "-o StrictHostKeyChecking=yes -o IdentitiesOnly=yes",
    }


def main() -> None:
    """Print a stack's inventory as JSON, which Ansible reads as YAML."""
    import argparse
    import json
    import sys
    from pathlib import Path

    from stacks.errors import StackFileError
    from stacks.load import load_stack

    parser = argparse.ArgumentParser(prog="python -m playbooks.inventory", description=main.__doc__)
    parser.add_argument("--stack", required=True, help="name of the stack: stacks/Pulumi.<NAME>.yaml")
    path = Path(__file__).resolve().parent.parent / "stacks" / f"Pulumi.{parser.parse_args().stack}.yaml"
    try:
        stack = load_stack(path)
        print(json.dumps(ansible_inventory(stack.environment, stack.ledger), indent=2))
    except (StackFileError, InventoryError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
