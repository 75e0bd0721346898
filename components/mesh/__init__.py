"""The mesh: a control plane in every cluster, each of which reads all others."""

from __future__ import annotations

from itertools import permutations

from pulumi import Output, ResourceOptions

from access import kubeconfig as kubeconfigs
from components.build import Build
from components.component import late, named
from components.kubernetes_object import declare
from components.manifests import mesh
from components.mesh.control_plane import IstioControlPlane
from playbooks.provider.sdk import ServiceAccountToken
from stacks.model import AdoptedClusterSpec
from stacks.system_namespaces import ISTIO_SYSTEM

_DAY = 24 * 60 * 60
_TOKEN_SECONDS, _TOKEN_RENEWAL_SECONDS = 180 * _DAY, 90 * _DAY


def build(build: Build) -> None:
    """Multi-primary, one trust domain, mTLS everywhere."""
    for region in build.regions:
        control_plane = build.control_planes[region] = IstioControlPlane(build, region)
        build.region_outputs[region]["gatewayAddresses"] = control_plane.gateway_addresses
    for read, reader in permutations(build.regions, 2):
        _join(build, read, reader)


def _join(build: Build, read: str, reader: str) -> None:
    """Give istiod of one cluster a token for another one, of its own, to be withdrawn alone."""
    source = build.clusters[read]
    token = ServiceAccountToken(
        named(read, "token-for", reader),
        kubeconfig=source.kubeconfig,
        namespace=ISTIO_SYSTEM,
        service_account=mesh.READER,
        expiration_seconds=_TOKEN_SECONDS,
        renew_before_seconds=_TOKEN_RENEWAL_SECONDS,
        opts=ResourceOptions(
            parent=build.control_planes[read],
            provider=build.crossmesh,
            depends_on=build.control_planes[read].reader_ready,
            deleted_with=source.deleted_with,
        ),
    )
    spec = build.environment.regions[read].cluster
    kubeconfig: Output[str] = late(
        kubeconfigs.with_token,
        kubeconfig=source.kubeconfig,
        cluster=read,
        token=token.token,
        server=spec.api_server or "" if isinstance(spec, AdoptedClusterSpec) else "",
    )
    declare(
        mesh.remote_secret(read, kubeconfig),
        parent=build.control_planes[reader],
        cluster=build.clusters[reader],
        after=build.control_planes[reader].remote_secrets_ready,
    )
