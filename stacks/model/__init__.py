"""The typed model of an environment: what a stack file declares.

Everything that Crossmesh builds is derived from one `Environment`. The model knows values and the rules that
bind them; it does not read files (`stacks.load` does) and knows nothing of Pulumi, Ansible or Kubernetes
clients.

Field names are camelCase in stack files (`podPool`) and snake_case in Python (`pod_pool`).
"""

from __future__ import annotations

from stacks.model.addresses import AddressPools, AddressRange
from stacks.model.applications import ApplicationSpec
from stacks.model.base import DNS_LABEL, DNS_NAME, Asn, Domain, Label, Model, Port
from stacks.model.clusters import AdoptedClusterSpec, BareMetalClusterSpec, ClusterSpec, Node, NodeRole
from stacks.model.environment import EffectiveVersions, Environment, RegionSpec, RegionVersions, Versions
from stacks.model.exposure import IngressPath, IngressSpec
from stacks.model.machines import AptSource, Host, HostProfile, ImageBundles, Sources, Ssh
from stacks.model.mesh import UNNAMED_REVISION, MeshSpec
from stacks.model.names import GlobalLoadBalancerSpec, HealthCheck
from stacks.model.namespaces import NamespaceSpec
from stacks.model.network import Fabric, FabricPeer

__all__ = [
    "DNS_LABEL",
    "DNS_NAME",
    "UNNAMED_REVISION",
    "AddressPools",
    "AddressRange",
    "AdoptedClusterSpec",
    "ApplicationSpec",
    "AptSource",
    "Asn",
    "BareMetalClusterSpec",
    "ClusterSpec",
    "Domain",
    "EffectiveVersions",
    "Environment",
    "Fabric",
    "FabricPeer",
    "GlobalLoadBalancerSpec",
    "HealthCheck",
    "Host",
    "HostProfile",
    "ImageBundles",
    "IngressPath",
    "IngressSpec",
    "Label",
    "MeshSpec",
    "Model",
    "NamespaceSpec",
    "Node",
    "NodeRole",
    "Port",
    "RegionSpec",
    "RegionVersions",
    "Sources",
    "Ssh",
    "Versions",
]
