"""What the columns of the platform hand on to each other while it is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pulumi import Input, Resource, ResourceOptions

from components import tokens
from components.component import Component
from stacks.given import Given
from stacks.load import Stack
from stacks.model import Environment, RegionSpec

if TYPE_CHECKING:
    from components.applications import Application
    from components.cluster import Cluster
    from components.machines import Hosts
    from components.mesh.control_plane import IstioControlPlane
    from components.namespaces import MeshNamespace
    from components.network.load_balancer_pool import LoadBalancerPool
    from components.stack_secrets import StackSecrets
    from playbooks.provider.sdk import CertificateAuthority, CrossmeshProvider, GivenCertificate, TunnelKey


class Region(Component):
    """A region: everything that is in it is below it."""

    token = tokens.REGION

    def __init__(self, name: str, parent: Resource, spec: RegionSpec) -> None:
        network = spec.machine_network
        inputs = {"machine_network": str(network) if network else None}
        super().__init__(name, parent=parent, region=name, declared=("regions", name), inputs=inputs)


@dataclass
class Build:
    """A platform in the making. Each column reads what those before it have built, and adds its own."""

    stack: Stack
    platform: Component
    """The component that all others are below."""
    crossmesh: CrossmeshProvider
    hosts: Hosts
    mesh_root_key: Input[str]
    """PEM of the mesh root's private key."""
    secrets: StackSecrets
    adopted_kubeconfigs: Mapping[str, Input[str]]
    """Of adopted clusters, by region."""
    given: Mapping[str, Given]
    """The certificates that are given, by name; without those that are not known here."""
    regions: dict[str, Region]
    """By name, sorted."""
    region_outputs: dict[str, dict[str, Input[Any]]]
    """Of the output `regions`: what is told of each region."""
    outputs: dict[str, Input[Any]] = field(default_factory=dict)
    """The stack's outputs by name."""

    tunnel_keys: dict[str, TunnelKey] = field(default_factory=dict)
    """By node, of those with tunnels."""
    clusters: dict[str, Cluster] = field(default_factory=dict)
    """By region, as what follows."""
    load_balancers: dict[str, LoadBalancerPool] = field(default_factory=dict)
    """Of regions whose cluster has no load-balancer addresses of its own."""
    mesh_root: CertificateAuthority = field(init=False)
    gateway_authority: CertificateAuthority = field(init=False)
    certificates: dict[str, GivenCertificate] = field(default_factory=dict)
    """That are declared, by name."""
    control_planes: dict[str, IstioControlPlane] = field(default_factory=dict)
    namespaces: dict[tuple[str, str], MeshNamespace] = field(default_factory=dict)
    """By region and name, as what follows."""
    applications: dict[tuple[str, str], Application] = field(default_factory=dict)

    @property
    def environment(self) -> Environment:
        """What is declared."""
        return self.stack.environment

    def own(self, parent: Resource) -> ResourceOptions:
        """Options of a resource of the project's own provider."""
        return ResourceOptions(parent=parent, provider=self.crossmesh)
