"""A Kubernetes cluster that exists already. Its machines are not touched, and it outlives the platform."""

from __future__ import annotations

from functools import partial

from pulumi import Output, RunError

from access import kubeconfig as kubeconfigs
from components import tokens
from components.build import Build
from components.cluster import Cluster
from components.component import late
from stacks.model import AdoptedClusterSpec


class AdoptedCluster(Cluster):
    """One cluster by its kubeconfig: the same outputs as of a cluster that Crossmesh made."""

    token = tokens.ADOPTED_CLUSTER

    def __init__(self, build: Build, name: str, spec: AdoptedClusterSpec) -> None:
        """name: of the region, whose kubeconfig has the rights of an administrator."""
        super().__init__(build, name, {"kubeconfig_secret": spec.kubeconfig_secret})
        kubeconfig = build.adopted_kubeconfigs.get(name)
        if kubeconfig is None:
            raise ValueError(f"region '{name}': no kubeconfig is given for its adopted cluster")
        # How many nodes it has is its owner's matter; two replicas fit into one node as well.
        self.replicas = 2
        # Found in the first preview, and not when the mesh is joined.
        others = len(build.environment.regions) > 1
        check = partial(_checked, cluster=name, server=spec.api_server or "") if others else str
        self.connect(Output.secret(kubeconfig).apply(check))
        # The address of an API server is no secret, the rest of the kubeconfig is.
        server = late(lambda kubeconfig: kubeconfigs.read(kubeconfig).server, kubeconfig=self.kubeconfig)
        self.api_server = Output.unsecret(server)
        self.register_outputs({"api_server": self.api_server, "kubeconfig": self.kubeconfig})


def _checked(kubeconfig: str, cluster: str, server: str) -> str:
    """The kubeconfig, if istiod of other clusters can read this one by it."""
    try:
        kubeconfigs.for_others(kubeconfig, cluster=cluster, server=server)
    except kubeconfigs.KubeconfigError as error:
        raise RunError(str(error)) from None
    return kubeconfig
