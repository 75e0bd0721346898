"""A Kubernetes cluster that exists already. Its machines are not touched, and it outlives the platform."""

from __future__ import annotations

from pulumi import Output

from access import kubeconfig as kubeconfigs
from components import tokens
from components.build import Build
from components.cluster import Cluster
from components.component import late


class AdoptedCluster(Cluster):
    """One cluster by its kubeconfig: the same outputs as of a cluster that Crossmesh made."""

    token = tokens.ADOPTED_CLUSTER

    def __init__(self, build: Build, name: str) -> None:
        """name: of the region, whose kubeconfig has the rights of an administrator."""
        super().__init__(build, name)
        kubeconfig = build.adopted_kubeconfigs.get(name)
        if kubeconfig is None:
            raise ValueError(f"region '{name}': no kubeconfig is given for its adopted cluster")
        # How many nodes it has is its owner's matter; two replicas fit into one node as well.
        self.replicas = 2
        self.connect(Output.secret(kubeconfig))
        # The address of an API server is no secret, the rest of the kubeconfig is.
        server = late(lambda kubeconfig: kubeconfigs.read(kubeconfig).server, kubeconfig=self.kubeconfig)
        self.api_server = Output.unsecret(server)
        self.register_outputs({"api_server": self.api_server, "kubeconfig": self.kubeconfig})
