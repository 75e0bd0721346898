"""A Kubernetes cluster that exists already. Its machines are not touched, and it outlives the platform."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import Input, Output, Resource, ResourceOptions

from access import kubeconfig as kubeconfigs
from components import tokens
from components.cluster import connect
from components.component import Component
from components.late import late
from playbooks.provider.sdk import CrossmeshProvider


class AdoptedCluster(Component):
    """One cluster by its kubeconfig: the same outputs as of a cluster that Crossmesh made."""

    token = tokens.ADOPTED_CLUSTER

    api_server: Output[str]
    """URL of the API server, as the kubeconfig says it."""
    kubeconfig: Output[str]
    """The kubeconfig, after the identity check; a secret."""

    def __init__(
        self,
        name: str,
        *,
        version: str | None,
        kubeconfig: Input[str],
        crossmesh: CrossmeshProvider,
        opts: ResourceOptions | None = None,
    ) -> None:
        """name: of the region. version: of its Kubernetes, where declared. kubeconfig: text of one with
        the rights of an administrator.
        """
        super().__init__(name, region=name, declared=("regions", name, "cluster"), opts=opts)
        self.region = name
        self.version = version
        # How many nodes it has is its owner's matter; two replicas fit into one node as well.
        self.replicas = 2
        self.deleted_with: Resource | None = None
        self.nodes_ready: Sequence[Resource] = ()
        identity, self.provider = connect(name, Output.secret(kubeconfig), parent=self, crossmesh=crossmesh)
        self.kubeconfig = Output.secret(identity.kubeconfig)
        # The address of an API server is no secret, the rest of the kubeconfig is.
        self.api_server = Output.unsecret(late(kubeconfigs.server, kubeconfig=self.kubeconfig))
        self.register_outputs({"api_server": self.api_server, "kubeconfig": self.kubeconfig})
