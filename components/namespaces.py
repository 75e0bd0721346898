"""A namespace of the mesh in one cluster: injection, mTLS mode, pod security, failover between regions."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import Resource

from components import tokens
from components.build import Build
from components.component import Component
from components.kubernetes_object import declare
from components.manifests import mesh, namespaces
from stacks.model import NamespaceSpec


class MeshNamespace(Component):
    """One namespace in one region."""

    token = tokens.MESH_NAMESPACE

    ready: Sequence[Resource]
    """What its pods must wait for."""

    def __init__(self, build: Build, region: str, name: str, spec: NamespaceSpec) -> None:
        declared, parent = ("namespaces", name), build.regions[region]
        super().__init__(region, name, parent=parent, region=region, declared=declared)
        cluster, control_plane = build.clusters[region], build.control_planes[region]
        namespace = declare(namespaces.application(name, spec), parent=self, cluster=cluster)
        after = [namespace, *control_plane.policies_ready]
        manifests = [mesh.peer_authentication(name, spec.mtls), mesh.locality_failover(name)]
        policies = [declare(manifest, parent=self, cluster=cluster, after=after) for manifest in manifests]
        if not spec.default_account_token:
            account = namespaces.default_account(name)
            policies.append(declare(account, parent=self, cluster=cluster, after=[namespace], patch=True))
        self.ready = [namespace, *policies, *(control_plane.injection_ready if spec.injection else ())]
        self.register_outputs({"namespace": name})


def build(build: Build) -> None:
    """Every declared namespace in every region."""
    for region in build.regions:
        for name, spec in sorted(build.environment.namespaces.items()):
            build.namespaces[region, name] = MeshNamespace(build, region, name, spec)
