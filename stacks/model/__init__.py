"""The typed model of an environment: what a stack file declares, and all that is built derives from.

Field names are camelCase in stack files (`podPool`) and snake_case in Python (`pod_pool`).
"""

from __future__ import annotations

from stacks.model.addresses import AddressRange
from stacks.model.applications import ApplicationSpec, Secret
from stacks.model.base import DNS_LABEL, DNS_NAME, Label, Model
from stacks.model.clusters import AdoptedClusterSpec, BareMetalClusterSpec, Node, NodeRole
from stacks.model.environment import (
    EffectiveVersions,
    Environment,
    RegionSpec,
    RegionVersions,
    UnlistedPair,
    Versions,
)
from stacks.model.exposure import (
    HTTP_PORT,
    HTTPS_PORT,
    MOST_MATCHES,
    STATUS_PORT,
    Exposed,
    HeaderChanges,
    IngressPath,
    IngressSpec,
    RouteBackend,
    RouteRedirect,
    RouteRewrite,
    RouteRule,
    RouteSpec,
    example_of,
)
from stacks.model.machines import Host, HostProfile, Ssh
from stacks.model.mesh import UNNAMED_REVISION, MeshSpec
from stacks.model.names import GeographyPlace, GlobalLoadBalancerSpec, HealthCheck, RoutingPolicy
from stacks.model.namespaces import NamespaceSpec
from stacks.model.network import FabricPeer, TunnelEnd
from stacks.model.trust import CertificateSpec, GivenParts

__all__ = [
    "DNS_LABEL",
    "DNS_NAME",
    "HTTPS_PORT",
    "HTTP_PORT",
    "MOST_MATCHES",
    "STATUS_PORT",
    "UNNAMED_REVISION",
    "AddressRange",
    "AdoptedClusterSpec",
    "ApplicationSpec",
    "BareMetalClusterSpec",
    "CertificateSpec",
    "EffectiveVersions",
    "Environment",
    "Exposed",
    "FabricPeer",
    "GeographyPlace",
    "GivenParts",
    "GlobalLoadBalancerSpec",
    "HeaderChanges",
    "HealthCheck",
    "Host",
    "HostProfile",
    "IngressPath",
    "IngressSpec",
    "Label",
    "MeshSpec",
    "Model",
    "NamespaceSpec",
    "Node",
    "NodeRole",
    "RegionSpec",
    "RegionVersions",
    "RouteBackend",
    "RouteRedirect",
    "RouteRewrite",
    "RouteRule",
    "RouteSpec",
    "RoutingPolicy",
    "Secret",
    "Ssh",
    "TunnelEnd",
    "UnlistedPair",
    "Versions",
    "example_of",
]
