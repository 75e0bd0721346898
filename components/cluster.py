"""What the rest of the platform needs of a cluster, however it came to be, and the one way into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pulumi_kubernetes as kubernetes
from pulumi import Input, Output, Resource, ResourceOptions

from components.build import Build
from components.component import named
from playbooks.provider.sdk import ClusterIdentity, CrossmeshProvider


class Cluster(Protocol):
    """A Kubernetes cluster of a region."""

    region: str
    """Name of the region, and of the cluster in the mesh."""
    version: str | None
    """Its version of Kubernetes, for example `1.34.3`; None where nobody says it."""
    api_server: Output[str]
    """URL of the API server."""
    kubeconfig: Output[str]
    """Administrator's kubeconfig, after the identity check; a secret."""
    provider: kubernetes.Provider
    """The one provider through which objects get into this cluster."""
    crossmesh: CrossmeshProvider
    """The provider of what is neither an object nor of Pulumi's own."""
    nodes_ready: Sequence[Resource]
    """What must be done before pods can run."""
    replicas: int
    """Replicas of a part of the platform that make sense: two, or one where one node is all there is."""
    deleted_with: Resource | None
    """The resource whose deletion ends the cluster and all in it; None when it outlives the platform."""


def connect(
    build: Build,
    region: str,
    kubeconfig: Input[str],
    *,
    parent: Resource,
    after: Sequence[Resource] = (),
    deleted_with: Resource | None = None,
) -> tuple[ClusterIdentity, kubernetes.Provider]:
    """Check that the kubeconfig leads to the region's cluster, and make the provider that writes into it.

    The provider takes its kubeconfig from the check, so nothing is written before it. The provider's
    identifier is the region: a renewed kubeconfig is an update of the provider and touches no object.
    """
    identity = ClusterIdentity(
        named(region, "identity"),
        cluster=region,
        kubeconfig=kubeconfig,
        opts=ResourceOptions(
            parent=parent, provider=build.crossmesh, depends_on=list(after), deleted_with=deleted_with
        ),
    )
    provider = kubernetes.Provider(
        named(region, "kubernetes"),
        kubeconfig=identity.kubeconfig,
        cluster_identifier=region,
        # Changed data is written in place: a Secret or ConfigMap that istiod reads must not be gone in
        # between.
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        opts=ResourceOptions(parent=parent),
    )
    return identity, provider
