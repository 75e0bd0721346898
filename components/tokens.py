"""The types by which the engine knows this project's components. Written here, and nowhere else."""

from __future__ import annotations

COMPONENTS = "crossmesh:components:"
"""What every type of a component begins with."""

ADOPTED_CLUSTER = f"{COMPONENTS}AdoptedCluster"
APPLICATION = f"{COMPONENTS}Application"
BARE_METAL_CLUSTER = f"{COMPONENTS}BareMetalCluster"
DECLARED_CERTIFICATE = f"{COMPONENTS}DeclaredCertificate"
EXPOSED_HOST = f"{COMPONENTS}ExposedHost"
GATEWAY_DEFINITIONS = f"{COMPONENTS}GatewayDefinitions"
GATEWAY_TRUST = f"{COMPONENTS}GatewayTrust"
GLOBAL_LOAD_BALANCER = f"{COMPONENTS}GlobalLoadBalancer"
INGRESS = f"{COMPONENTS}Ingress"
ISTIO_CONTROL_PLANE = f"{COMPONENTS}IstioControlPlane"
LOAD_BALANCER_POOL = f"{COMPONENTS}LoadBalancerPool"
MESH_NAMESPACE = f"{COMPONENTS}MeshNamespace"
MESH_TRUST = f"{COMPONENTS}MeshTrust"
PLATFORM = f"{COMPONENTS}Platform"
POD_NETWORK = f"{COMPONENTS}PodNetwork"
REGION = f"{COMPONENTS}Region"
ROUTE = f"{COMPONENTS}Route"
