"""What the rest of the platform needs of a cluster, however it came to be, and the one way into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi_kubernetes as kubernetes
from pulumi import Input, Output, Resource, ResourceOptions

from components.build import Build
from components.component import Component, named
from playbooks.provider.sdk import ClusterIdentity


class Cluster(Component):
    """A Kubernetes cluster of a region."""

    api_server: Output[str]
    """URL of the API server."""
    kubeconfig: Output[str]
    """Administrator's kubeconfig, after the identity check; a secret."""
    provider: kubernetes.Provider
    """The one provider through which objects get into this cluster."""
    nodes_ready: Sequence[Resource] = ()
    """What must be done before pods can run."""
    replicas: int
    """Replicas of a part of the platform that make sense: two, or one where one node is all there is."""
    deleted_with: Resource | None = None
    """The resource whose deletion ends the cluster and all in it; None when it outlives the platform."""

    def __init__(self, build: Build, region: str, inputs: Mapping[str, Input[Any]] | None = None) -> None:
        """region: also the name of the cluster in the mesh."""
        declared, parent = ("regions", region, "cluster"), build.regions[region]
        super().__init__(region, parent=parent, region=region, declared=declared, inputs=inputs)
        self.region = region
        self.version = build.environment.versions_of(region).kubernetes
        """Its version of Kubernetes, for example `1.35.3`; None where nobody says it."""
        self.crossmesh = build.crossmesh
        """The provider of what is neither an object nor of Pulumi's own."""

    def connect(self, kubeconfig: Input[str], after: Sequence[Resource] = ()) -> None:
        """Check that the kubeconfig leads to the region's cluster, and make the provider that writes into it.

        The provider takes its kubeconfig from the check, so nothing is written before it. The provider's
        identifier is the region: a renewed kubeconfig is an update of the provider and touches no object.
        """
        identity = ClusterIdentity(
            named(self.region, "identity"),
            cluster=self.region,
            kubeconfig=kubeconfig,
            opts=ResourceOptions(
                parent=self,
                provider=self.crossmesh,
                depends_on=list(after),
                deleted_with=self.deleted_with,
            ),
        )
        self.provider = kubernetes.Provider(
            named(self.region, "kubernetes"),
            kubeconfig=identity.kubeconfig,
            cluster_identifier=self.region,
            # Changed data is written in place: a Secret or ConfigMap that istiod reads must not be gone in
            # between.
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
            opts=ResourceOptions(parent=self),
        )
        self.kubeconfig = Output.secret(identity.kubeconfig)
