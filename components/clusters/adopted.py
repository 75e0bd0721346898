"""A Kubernetes cluster that exists already. Its machines are not touched, and it outlives the platform."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import Output, Resource

from access import kubeconfig as kubeconfigs
from components import tokens
from components.build import Build
from components.cluster import connect
from components.component import Component, late


class AdoptedCluster(Component):
    """One cluster by its kubeconfig: the same outputs as of a cluster that Crossmesh made."""

    token = tokens.ADOPTED_CLUSTER

    def __init__(self, build: Build, name: str) -> None:
        """name: of the region, whose kubeconfig has the rights of an administrator."""
        declared = ("regions", name, "cluster")
        super().__init__(name, parent=build.regions[name], region=name, declared=declared)
        kubeconfig = build.adopted_kubeconfigs.get(name)
        if kubeconfig is None:
            raise ValueError(f"region '{name}': no kubeconfig is given for its adopted cluster")
        self.region = name
        self.crossmesh = build.crossmesh
        self.version = build.environment.versions_of(name).kubernetes
        # How many nodes it has is its owner's matter; two replicas fit into one node as well.
        self.replicas = 2
        self.deleted_with: Resource | None = None
        self.nodes_ready: Sequence[Resource] = ()
        identity, self.provider = connect(build, name, Output.secret(kubeconfig), parent=self)
        self.kubeconfig: Output[str] = Output.secret(identity.kubeconfig)
        # The address of an API server is no secret, the rest of the kubeconfig is.
        server = late(lambda kubeconfig: kubeconfigs.read(kubeconfig).server, kubeconfig=self.kubeconfig)
        self.api_server = Output.unsecret(server)
        self.register_outputs({"api_server": self.api_server, "kubeconfig": self.kubeconfig})
