"""What is to be done to which host, made from the model: the contract between Python and Ansible.

Pure: the same environment and ledger give the same plans. `python -m playbooks.inventory --stack NAME` prints
them as an Ansible inventory, for use of the plays by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from access.ssh import inventory_variables
from playbooks.phase import Host, Phase, Variables, is_control_plane, is_node
from playbooks.work import PHASES, software_of, work_on
from playbooks.work.clusters import seniority
from playbooks.work.names import database
from playbooks.work.network import has_tunnels
from stacks.model import Environment, HostProfile

if TYPE_CHECKING:
    from stacks.ledger import Ledger


@dataclass(frozen=True)
class HostPlan:
    """One host: where it is, what becomes of it and with which variables."""

    name: str
    address: str
    """In the machine network."""
    ssh_address: str
    region: str
    declared: tuple[str, ...]
    """Path of its key below the environment."""
    groups: tuple[str, ...]
    """Ansible groups for use by hand: `nodes` or `edges`, `control_planes` or `workers`, `tunnelled`,
    `region_<name>`."""
    variables: Mapping[Phase, Variables]
    """Effective role variables by phase, without secrets, in JSON types; phases in their order."""

    preflight: Variables
    """What the host is looked at for, beside its variables: role, address, what is accepted or ignored, and
    the UDP port of its tunnels, where it has any."""
    files: Mapping[Phase, Variables] = field(default_factory=dict)
    """Role variables that are texts of files of this machine, each as the file's path, by phase."""

    logins: Mapping[Phase, Variables] = field(default_factory=dict)
    """Role variables that are mappings to logins, each as the stack secret's name, by phase."""

    seniority: int = 0
    """Its place among the control-plane nodes of its cluster; 0 for all other hosts."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What becomes of the host, in order."""
        return tuple(self.variables)


def host_plans(environment: Environment, ledger: Ledger) -> dict[str, HostPlan]:
    """The plans of all machines of bare-metal clusters and of all edge hosts, sorted by name. The ledger must
    have an entry for every cluster and node."""
    hosts = sorted(_hosts(environment, ledger), key=lambda host: host.name)
    return {host.name: _plan(host) for host in hosts}


def ansible_inventory(environment: Environment, ledger: Ledger) -> dict[str, Any]:
    """All hosts as an Ansible inventory (YAML or JSON), with every host's variables of all its phases."""
    plans = host_plans(environment, ledger)
    groups: dict[str, dict[str, Any]] = {}
    for plan in plans.values():
        for group in plan.groups:
            groups.setdefault(group, {"hosts": {}})["hosts"][plan.name] = {}
    hosts = {
        name: {
            "ansible_host": plan.ssh_address,
            **_own_login(environment, name),
            **{key: value for phase in plan.phases for key, value in plan.variables[phase].items()},
            **{key: _lookup(value) for files in plan.files.values() for key, value in files.items()},
        }
        for name, plan in plans.items()
    }
    connection = inventory_variables(environment.ssh) if environment.ssh else {}
    return {"all": {"hosts": hosts, "vars": connection, "children": dict(sorted(groups.items()))}}


def _own_login(environment: Environment, host: str) -> Variables:
    ssh = environment.ssh_of(host)
    return inventory_variables(ssh) if ssh and ssh != environment.ssh else {}


def _hosts(environment: Environment, ledger: Ledger) -> Iterator[Host]:
    for region, spec in environment.regions.items():
        for name, declared in spec.hosts.items():
            node = spec.nodes.get(name)
            profile = environment.host_profiles[node.profile] if node and node.profile else HostProfile()
            host = Host(name, region, declared, environment, ledger, profile, node=node)
            yield replace(host, software=software_of(host))


def _plan(host: Host) -> HostPlan:
    variables: dict[str, Variables] = {}
    files: dict[str, Variables] = {}
    logins: dict[str, Variables] = {}
    for work in work_on(host):
        variables.setdefault(work.phase.name, {}).update(work.variables(host))
        files.setdefault(work.phase.name, {}).update(work.files(host))
        logins.setdefault(work.phase.name, {}).update(work.logins(host))
    place = ("cluster", "nodes") if is_node(host) else ("edges",)
    return HostPlan(
        name=host.name,
        address=str(host.address),
        ssh_address=host.declared.ssh_address,
        region=host.region,
        declared=("regions", host.region, *place, host.name),
        # Ansible's group names allow no hyphens.
        groups=(*_groups(host), f"region_{host.region.replace('-', '_')}"),
        variables={phase: variables[name] for name, phase in PHASES.items() if name in variables},
        preflight=_preflight(host),
        files={phase: files[name] for name, phase in PHASES.items() if files.get(name)},
        logins={phase: logins[name] for name, phase in PHASES.items() if logins.get(name)},
        seniority=seniority(host) if is_control_plane(host) else 0,
    )


def _preflight(host: Host) -> Variables:
    role = "edge" if host.node is None else host.node.role.value
    environment, tunnels = host.environment, host.environment.tunnels
    leads = host.name in environment.regions[host.region].gateway_nodes
    return {
        "role": role,
        "address": str(host.address),
        "accept": sorted(host.declared.accept),
        "ignore": sorted(host.profile.kubeadm_ignore_preflight),
        **({"tunnel_port": tunnels.port} if tunnels and has_tunnels(host) else {}),
        **({"gateway_ports": list(environment.gateway_ports)} if leads else {}),
        **({"database": path} if role == "edge" and (path := database(environment)) else {}),
    }


def _groups(host: Host) -> tuple[str, ...]:
    if not is_node(host):
        return ("edges",)
    tunnelled = ("tunnelled",) if has_tunnels(host) else ()
    return ("nodes", "control_planes" if is_control_plane(host) else "workers", *tunnelled)


def _lookup(paths: Any) -> Any:
    """What reads the files, for Ansible."""
    if isinstance(paths, Mapping):
        return {name: _lookup(path) for name, path in paths.items()}
    return f"{{{{ lookup('ansible.builtin.file', {str(paths)!r}) }}}}"


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
    except StackFileError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
