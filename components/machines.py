"""Machines: host phases as resources, what `playbooks.inventory` plans with what only the graph knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import CustomTimeouts, Input, Resource, ResourceOptions

from access.ssh import plain
from components.build import Build
from components.component import named
from components.stack_secrets import StackSecrets
from playbooks.inventory import HostPlan
from playbooks.phase import Phase
from playbooks.provider.sdk import CrossmeshProvider, HostPhase
from playbooks.work import PHASES
from playbooks.work.machines import PREPARE
from playbooks.work.names import EDGE
from stacks.model import Environment, Ssh

_TIMEOUTS = CustomTimeouts(create="20m", update="20m", delete="10m")


class Hosts:
    """Declares phases of the environment's hosts, all reached in the same way through the same provider."""

    def __init__(
        self,
        plans: Mapping[str, HostPlan],
        environment: Environment,
        crossmesh: CrossmeshProvider,
        secrets: StackSecrets,
    ) -> None:
        """plans: of all hosts, by name."""
        self._plans = plans
        self._environment = environment
        self._declared: dict[tuple[str, str], HostPhase] = {}
        self._crossmesh = crossmesh
        self._secrets = secrets

    def of(self, region: str, phase: Phase) -> list[str]:
        """Names of a region's hosts that have a phase, sorted; control-plane nodes as they have joined."""
        found = (plan for plan in self._plans.values() if plan.region == region and phase in plan.phases)
        return [plan.name for plan in sorted(found, key=lambda plan: (plan.seniority, plan.name))]

    def declare(
        self,
        name: str,
        phase: Phase,
        *,
        parent: Resource,
        variables: Mapping[str, Input[Any]] | None = None,
        secret_variables: Mapping[str, Input[Any]] | None = None,
        kubeconfig: Input[str] | None = None,
        after: Sequence[Resource] = (),
    ) -> HostPhase:
        """Declare one phase of one host; what comes before it must be declared by then.

        variables: added to the planned ones. after: what else comes before it.

        Deleting the resource undoes the phase on the host.
        """
        plan = self._plans[name]
        secret_variables = {**(secret_variables or {}), **self._logins(plan, phase)}
        declared = HostPhase(
            named(name, phase.name),
            region=plan.region,
            declared=".".join(plan.declared),
            host=name,
            phase=str(phase),
            **self.way_to(name),
            # Each by itself: what is known stays known in a preview beside what is not.
            variables={**plan.variables[phase], **(variables or {})},
            secret_variables=secret_variables or None,
            file_variables=plan.files.get(phase),
            preflight=plan.preflight if phase is PREPARE else None,
            kubeconfig=kubeconfig,
            reset_on_delete=True,
            opts=ResourceOptions(
                parent=parent,
                provider=self._crossmesh,
                depends_on=[*self._before(plan, phase), *after],
                custom_timeouts=_TIMEOUTS,
            ),
        )
        self._declared[name, phase.name] = declared
        return declared

    def way_to(self, name: str) -> dict[str, Any]:
        """How a host is reached: the inputs `connection` and `become_password` of what asks there."""
        ssh = self._environment.ssh_of(name)
        assert ssh is not None, "where hosts are declared, a rule wants `ssh`"
        password = self._secrets.named[ssh.become_password] if ssh.become_password else None
        return {"connection": self._connection(self._plans[name], ssh), "become_password": password}

    def _logins(self, plan: HostPlan, phase: Phase) -> dict[str, Any]:
        return {
            variable: {name: self._secrets.login(secret) for name, secret in logins.items()}
            for variable, logins in plan.logins.get(phase, {}).items()
        }

    def _before(self, plan: HostPlan, phase: Phase) -> list[Resource]:
        """What comes before a phase on the same host, and on the other hosts of its region."""
        own = [self._declared[plan.name, before] for before in phase.after if PHASES[before] in plan.phases]
        others = [
            self._declared[host, before]
            for before in phase.awaits
            for host in self.of(plan.region, PHASES[before])
        ]
        return [*own, *others]

    def _connection(self, plan: HostPlan, ssh: Ssh) -> dict[str, Any]:
        values = plain(ssh, plan.ssh_address)
        # Where ssh has a way of its own, the machine is told by its address in the machine network.
        return values if plan.address == plan.ssh_address else {**values, "machine": plan.address}


def build(build: Build) -> None:
    """Prepare the edge hosts; nodes are prepared with their clusters."""
    for region, component in build.regions.items():
        for edge in build.hosts.of(region, EDGE):
            build.hosts.declare(edge, PREPARE, parent=component)
