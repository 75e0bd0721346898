"""The typed model of an environment: what a stack file declares.

Everything that Crossmesh builds is derived from one `Environment`. The model knows values and the rules that
bind them; it does not read files (`stacks.load` does) and knows nothing of Pulumi, Ansible or Kubernetes clients.

Field names are camelCase in stack files (`podPool`) and snake_case in Python (`pod_pool`).
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DNS_NAME = r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"

Label = Annotated[str, Field(pattern=DNS_LABEL, description="a DNS label (RFC 1123): a-z, 0-9 and '-', at most 63")]
Domain = Annotated[str, Field(pattern=DNS_NAME, max_length=253, description="a DNS name of two labels or more")]
Port = Annotated[int, Field(ge=1, le=65535)]
Asn = Annotated[int, Field(ge=1, le=4294967294)]


class Model(BaseModel):
    """Base of every part of the model: immutable, unknown keys refused, camelCase in files."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class NodeRole(StrEnum):
    """What a node of a bare-metal cluster does; edge hosts are no nodes."""

    CONTROL_PLANE = "control-plane"
    WORKER = "worker"


class AddressPools(Model):
    """The pools from which the ledger gives every cluster and node its slice."""

    pod_pool: IPv4Network
    service_pool: IPv4Network
    pod_prefix_cluster: int = Field(20, ge=8, le=28, description="prefix length of one cluster's slice of the pod pool")
    pod_prefix_node: int = Field(24, ge=16, le=28, description="prefix length of one node's slice of its cluster's")
    service_prefix_cluster: int = Field(20, ge=12, le=28, description="prefix length of one cluster's service slice")


class Versions(Model):
    """Versions of what is installed. Supported: those named in `stacks.versions`."""

    kubernetes: str = "1.34.3"
    istio: str = "1.28.3"
    metallb: str = "0.15.2"


class AptSource(Model):
    """One apt repository that hosts install from, with the key that signs it."""

    name: Label
    uri: str = Field(pattern=r"^https?://")
    suite: str
    components: tuple[str, ...] = ("main",)
    signed_by: str = Field(description="path of the ASCII-armoured public key, ~ and environment variables expanded")


class ImageBundles(Model):
    """Container images as signed archives on a site's mirror, for sites without a registry."""

    base_url: str = Field(pattern=r"^https?://")
    signed_by: str = Field(description="path of the ASCII-armoured public key that signs SHA256SUMS")


class Sources(Model):
    """Where hosts get software. With no `apt`, the distribution's own repositories; with no `images`, registries."""

    apt: tuple[AptSource, ...] = ()
    images: ImageBundles | None = None


class Ssh(Model):
    """How the operator's machine reaches hosts. Host keys are always checked."""

    user: Label = "root"
    port: Port = 22
    private_key_file: str
    known_hosts_file: str


class HostProfile(Model):
    """Settings that a class of hosts needs because of how it is built, for example containers used as machines."""

    kubelet: dict[str, str | int | bool] = Field(default_factory=dict, description="fields merged into KubeletConfiguration")
    kube_proxy: dict[str, object] = Field(default_factory=dict, description="fields merged into KubeProxyConfiguration")
    kubeadm_ignore_preflight: tuple[str, ...] = ()
    containerd_restrict_oom_score_adj: bool = False


class Host(Model):
    """A machine that ssh reaches."""

    address: IPv4Address
    profile: Label | None = None


class Node(Host):
    """A machine that becomes a Kubernetes node."""

    role: NodeRole
    zone: Label | None = None


class FabricPeer(Model):
    """A router of the site that nodes speak BGP with."""

    address: IPv4Address
    asn: Asn


class Fabric(Model):
    """How nodes of a region announce their pod slices to the site's routers."""

    asn: Asn = Field(description="AS number of the nodes of this region")
    peers: tuple[FabricPeer, ...] = Field(min_length=1)


class BareMetalClusterSpec(Model):
    """A cluster that Crossmesh makes of machines."""

    kind: Literal["bareMetal"]
    nodes: dict[Label, Node] = Field(min_length=1)


class AdoptedClusterSpec(Model):
    """A cluster that exists already; Crossmesh puts a mesh into it and never touches its machines."""

    kind: Literal["adopted"]
    kubeconfig_secret: str = Field(description="name of the stack secret that holds the kubeconfig's text")
    pod_cidr: IPv4Network
    service_cidr: IPv4Network


ClusterSpec = Annotated[BareMetalClusterSpec | AdoptedClusterSpec, Field(discriminator="kind")]


class AddressRange(Model):
    """An inclusive range of IPv4 addresses."""

    first: IPv4Address
    last: IPv4Address


class RegionSpec(Model):
    """A region: one cluster, its load-balancer addresses and the edge hosts that answer DNS there."""

    machine_network: IPv4Network
    mesh_network: Label = Field("flat", description="Istio network: regions that can route pods to each other share it")
    continent: Literal["AF", "AN", "AS", "EU", "NA", "OC", "SA"] | None = None
    fabric: Fabric | None = None
    load_balancer: AddressRange | None = None
    cluster: ClusterSpec
    edges: dict[Label, Host] = Field(default_factory=dict)


class MeshSpec(Model):
    """The one Istio mesh over all regions."""

    id: Label
    trust_domain: Domain
    revision: Label = "stable"
    stock_envoy: bool = Field(
        False, description="proxies run stock Envoy without Istio's own filters (metadata exchange, ALPN, telemetry)"
    )


class NamespaceSpec(Model):
    """A namespace of the mesh, the same in every region."""

    injection: bool = True
    mtls: Literal["STRICT", "PERMISSIVE"] = "STRICT"
    pod_security: Literal["privileged", "baseline", "restricted"] = "restricted"


class ApplicationSpec(Model):
    """A stateless HTTP service, deployed alike in every region behind a ClusterIP service."""

    namespace: Label
    image: str
    port: Port = 8080
    replicas: int = Field(1, ge=0, le=100)
    environment: dict[str, str] = Field(default_factory=dict)
    liveness_path: str = Field("/healthz/live", pattern=r"^/")
    readiness_path: str = Field("/healthz/ready", pattern=r"^/")


class IngressPath(Model):
    """A path prefix and the application that answers it."""

    path: str = Field(pattern=r"^/[A-Za-z0-9/_.-]*$")
    application: Label


class IngressSpec(Model):
    """One host, exposed by the ingress gateway of every region with TLS."""

    namespace: Label
    host: Domain
    paths: tuple[IngressPath, ...] = Field(min_length=1)


class HealthCheck(Model):
    """How the global load balancer decides that a region's gateway is healthy."""

    interval: int = Field(2, ge=2, le=300, description="seconds between probes; gdnsd's least is 2")
    timeout: int = Field(1, ge=1, le=60, description="seconds until a probe counts as failed")
    down_threshold: int = Field(2, ge=1, le=20, description="failed probes in a row until the gateway is down")
    up_threshold: int = Field(2, ge=1, le=20, description="good probes in a row until it is up again")


class GlobalLoadBalancerSpec(Model):
    """DNS over the healthy regions, answered by gdnsd on the edge hosts."""

    ttl: int = Field(5, ge=1, le=3600, description="seconds that answers may be cached")
    health_check: HealthCheck = HealthCheck()


class Environment(Model):
    """One environment: everything that a stack file's `crossmesh:environment` declares."""

    domain: Domain
    addresses: AddressPools
    versions: Versions = Versions()
    sources: Sources = Sources()
    ssh: Ssh | None = None
    host_profiles: dict[Label, HostProfile] = Field(default_factory=dict)
    regions: dict[Label, RegionSpec] = Field(min_length=1)
    mesh: MeshSpec
    namespaces: dict[Label, NamespaceSpec] = Field(default_factory=dict)
    applications: dict[Label, ApplicationSpec] = Field(default_factory=dict)
    ingresses: dict[Label, IngressSpec] = Field(default_factory=dict)
    global_load_balancer: GlobalLoadBalancerSpec | None = None
