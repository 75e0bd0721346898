"""The whole platform of one environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import Input, ResourceOptions

from components import (
    applications,
    clusters,
    exposure,
    machines,
    mesh,
    names,
    namespaces,
    network,
    tokens,
    trust,
)
from components.build import Build, Region
from components.component import Component
from components.stack_secrets import StackSecrets
from playbooks.inventory import host_plans
from playbooks.provider.sdk import CrossmeshProvider
from playbooks.rolling import waves
from stacks.given import Given
from stacks.load import Stack
from stacks.model import Environment

COLUMNS = (machines, clusters, network, trust, mesh, namespaces, applications, exposure, names)
"""In the order in which they are built: each stands on those before it."""


class Platform(Component):
    """Regions, the mesh over them, the applications in it, and the ways to these."""

    token = tokens.PLATFORM

    outputs: dict[str, Input[Any]]
    """The stack's outputs by name: `url`, `caCertificate`, `nameservers`, `regions`, `kubeconfigs`."""

    def __init__(
        self,
        name: str,
        stack: Stack,
        mesh_root_key: Input[str],
        *,
        kubeconfigs: Mapping[str, Input[str]] | None = None,
        secrets: Mapping[str, Input[str]] | None = None,
        encrypted: Input[Mapping[str, Any]] | None = None,
        given: Mapping[str, Given] | None = None,
    ) -> None:
        """mesh_root_key: PEM of the mesh root's private key. kubeconfigs: of adopted clusters, by region.

        secrets: what else the declaration names, by `stacks.named_secrets`. encrypted: the declaration with
        what is encrypted in its place, if anything is. given: certificates by name, as
        `stacks.certificates` has read them.
        """
        environment = stack.environment
        inputs = {
            "domain": environment.domain,
            "addresses": environment.addresses.model_dump(mode="json"),
            "probe_image": environment.probe_image,
            **({"unlisted_pairs": pairs} if (pairs := _unlisted(environment)) else {}),
            **({"backups": environment.backups.model_dump(mode="json")} if environment.backups else {}),
        }
        super().__init__(name, parent=None, declared=(), inputs=inputs)
        plans = host_plans(environment, stack.ledger)
        crossmesh = CrossmeshProvider(
            "crossmesh",
            preview=pulumi.runtime.is_dry_run(),
            hosts={host: [str(phase) for phase in plan.phases] for host, plan in plans.items()},
            waves=waves(plans, environment),
            opts=ResourceOptions(parent=self),
        )
        stack_secrets = StackSecrets(mesh_root_key, secrets or {}, encrypted)
        regions = {region: Region(region, self, spec) for region, spec in sorted(environment.regions.items())}
        self.build = Build(
            stack=stack,
            platform=self,
            crossmesh=crossmesh,
            hosts=machines.Hosts(plans, environment, crossmesh, stack_secrets),
            mesh_root_key=mesh_root_key,
            secrets=stack_secrets,
            adopted_kubeconfigs=kubeconfigs or {},
            given=given or {},
            regions=regions,
            region_outputs={region: {} for region in regions},
        )
        for column in COLUMNS:
            column.build(self.build)
        for region, component in regions.items():
            component.register_outputs(self.build.region_outputs[region])
        self.outputs = {**self.build.outputs, "regions": self.build.region_outputs}
        self.register_outputs(self.outputs)


def _unlisted(environment: Environment) -> dict[str, list[dict[str, str]]]:
    """By region, the pairs of releases that an operator has taken upon himself."""
    found = {
        region: [pair.model_dump() for pair in environment.unlisted_in(region)]
        for region in sorted(environment.regions)
    }
    return {region: pairs for region, pairs in found.items() if pairs}
