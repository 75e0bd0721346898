"""The typed model of an environment: what a stack file declares.

Everything that Crossmesh builds is derived from one `Environment`. The model knows values and the rules that
bind them; it does not read files (`stacks.load` does) and knows nothing of Pulumi, Ansible or Kubernetes
clients.

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

Label = Annotated[str, Field(pattern=DNS_LABEL)]
"""A DNS label (RFC 1123): a-z, 0-9 and '-', at most 63 characters."""

Domain = Annotated[str, Field(pattern=DNS_NAME, max_length=253)]
"""A DNS name of two labels or more."""

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

    pod_pool: IPv4Network = Field(
        description="the range that all pods of clusters on bare metal have addresses of"
    )
    service_pool: IPv4Network = Field(description="the range that all their services have addresses of")
    pod_prefix_cluster: int = Field(
        default=20, ge=8, le=28, description="prefix length of one cluster's slice of the pod pool"
    )
    pod_prefix_node: int = Field(
        default=24, ge=16, le=28, description="prefix length of one node's slice of its cluster's"
    )
    service_prefix_cluster: int = Field(
        default=20, ge=12, le=28, description="prefix length of one cluster's service slice"
    )


class Versions(Model):
    """Versions of what is installed. Supported: those named in `stacks.versions`."""

    kubernetes: str = Field(default="1.34.3", description="Kubernetes, of clusters on bare metal")
    istio: str = Field(default="1.28.3", description="Istio, in every cluster")
    metallb: str = Field(default="0.15.2", description="MetalLB, in clusters with `loadBalancer`")


class AptSource(Model):
    """One apt repository that hosts install from, with the key that signs it."""

    name: Label = Field(description="the name of the source's file on hosts")
    uri: str = Field(pattern=r"^https?://", description="the repository's address")
    suite: str = Field(description="the suite, for example bookworm")
    components: tuple[str, ...] = Field(default=("main",), description="the components of the suite")
    signed_by: str = Field(
        description="path of the ASCII-armoured public key, ~ and environment variables expanded"
    )


class ImageBundles(Model):
    """Container images as signed archives on a site's mirror, for sites without a registry."""

    base_url: str = Field(
        pattern=r"^https?://",
        description="the address of the directory that holds the bundles and SHA256SUMS",
    )
    signed_by: str = Field(description="path of the ASCII-armoured public key that signs SHA256SUMS")


class Sources(Model):
    """Where hosts get software.

    With no `apt`, the distribution's own repositories; with no `images`, registries.
    """

    apt: tuple[AptSource, ...] = Field(
        default=(), description="apt repositories; they replace those that the distribution came with"
    )
    images: ImageBundles | None = Field(
        default=None, description="bundles of container images; without it, images come from their registries"
    )


class Ssh(Model):
    """How the operator's machine reaches hosts. Host keys are always checked."""

    user: Label = Field(
        default="root",
        description="the user to log in as: root, or one that may become root without a password",
    )
    port: Port = Field(default=22, description="the port of sshd")
    private_key_file: str = Field(
        description="path of the private key, not readable for others; ~ and environment variables expanded"
    )
    known_hosts_file: str = Field(
        description="path of the host keys, in the format of known_hosts(5); expanded likewise"
    )


class HostProfile(Model):
    """Settings that a class of hosts needs because of how it is built, as containers used as machines do."""

    kubelet: dict[str, str | int | bool] = Field(
        default_factory=dict, description="fields merged into KubeletConfiguration"
    )
    kube_proxy: dict[str, object] = Field(
        default_factory=dict, description="fields merged into KubeProxyConfiguration"
    )
    kubeadm_ignore_preflight: tuple[str, ...] = Field(
        default=(), description="kubeadm's preflight checks that do not apply to these machines"
    )
    containerd_restrict_oom_score_adj: bool = Field(
        default=False, description="for machines that may not lower OOM scores"
    )


class Host(Model):
    """A machine that ssh reaches."""

    address: IPv4Address = Field(description="its address in the machine network of its region")
    profile: Label | None = Field(default=None, description="the profile in `hostProfiles` that it needs")


class Node(Host):
    """A machine that becomes a Kubernetes node."""

    role: NodeRole = Field(description="what the node does")
    zone: Label | None = Field(
        default=None, description="the label topology.kubernetes.io/zone; the region's name without it"
    )


class FabricPeer(Model):
    """A router of the site that nodes speak BGP with."""

    address: IPv4Address = Field(description="its address in the machine network of the region")
    asn: Asn = Field(description="its AS number")


class Fabric(Model):
    """How nodes of a region announce their pod slices to the site's routers."""

    asn: Asn = Field(description="AS number of the nodes of this region")
    peers: tuple[FabricPeer, ...] = Field(
        min_length=1, description="routers of the site, in the machine network"
    )


class BareMetalClusterSpec(Model):
    """A cluster that Crossmesh makes of machines."""

    kind: Literal["bareMetal"] = Field(description="bareMetal")
    nodes: dict[Label, Node] = Field(min_length=1, description="the nodes by name")


class AdoptedClusterSpec(Model):
    """A cluster that exists already; Crossmesh puts a mesh into it and never touches its machines."""

    kind: Literal["adopted"] = Field(description="adopted")
    kubeconfig_secret: str = Field(description="name of the stack secret that holds the kubeconfig's text")
    pod_cidr: IPv4Network = Field(description="the range of the cluster's pods")
    service_cidr: IPv4Network = Field(description="the range of the cluster's services")


ClusterSpec = Annotated[BareMetalClusterSpec | AdoptedClusterSpec, Field(discriminator="kind")]


class AddressRange(Model):
    """An inclusive range of IPv4 addresses."""

    first: IPv4Address = Field(description="the first address")
    last: IPv4Address = Field(description="the last address, which belongs to the range")


class RegionSpec(Model):
    """A region: one cluster, its load-balancer addresses and the edge hosts that answer DNS there."""

    machine_network: IPv4Network = Field(description="the network that the machines of the region are in")
    mesh_network: Label = Field(
        default="flat", description="Istio network: regions that can route pods to each other share it"
    )
    continent: Literal["AF", "AN", "AS", "EU", "NA", "OC", "SA"] | None = Field(
        default=None, description="where clients are nearest to this region"
    )
    fabric: Fabric | None = Field(
        default=None, description="the routers that carry pod routes; needed on bare metal"
    )
    load_balancer: AddressRange | None = Field(
        default=None, description="addresses for services of type LoadBalancer; needed on bare metal"
    )
    cluster: ClusterSpec = Field(description="the cluster of the region")
    edges: dict[Label, Host] = Field(
        default_factory=dict, description="edge hosts, which answer DNS, by name"
    )


class MeshSpec(Model):
    """The one Istio mesh over all regions."""

    id: Label = Field(description="the mesh's name")
    trust_domain: Domain = Field(description="the trust domain of SPIFFE identities")
    revision: Label = Field(default="stable", description="the revision of the control plane")
    stock_envoy: bool = Field(
        default=False,
        description="proxies run stock Envoy, without Istio's filters (metadata exchange, ALPN, telemetry)",
    )


class NamespaceSpec(Model):
    """A namespace of the mesh, the same in every region."""

    injection: bool = Field(default=True, description="whether pods get a sidecar")
    mtls: Literal["STRICT", "PERMISSIVE"] = Field(
        default="STRICT", description="whether plain-text requests are refused (STRICT)"
    )
    pod_security: Literal["privileged", "baseline", "restricted"] = Field(
        default="restricted", description="the pod security standard that is enforced"
    )


class ApplicationSpec(Model):
    """A stateless HTTP service, deployed alike in every region behind a ClusterIP service."""

    namespace: Label = Field(description="the namespace, one of `namespaces`")
    image: str = Field(description="the container image, with a tag other than latest, or a digest")
    port: Port = Field(default=8080, description="the port of the container and of its service")
    replicas: int = Field(default=1, ge=0, le=100, description="pods in each region")
    environment: dict[str, str] = Field(default_factory=dict, description="environment variables")
    liveness_path: str = Field(
        default="/healthz/live", pattern=r"^/", description="path of the liveness probe"
    )
    readiness_path: str = Field(
        default="/healthz/ready", pattern=r"^/", description="path of the readiness probe"
    )


class IngressPath(Model):
    """A path prefix and the application that answers it."""

    path: str = Field(pattern=r"^/[A-Za-z0-9/_.-]*$", description="the path prefix; whole segments match")
    application: Label = Field(description="the application that answers")


class IngressSpec(Model):
    """One host, exposed by the ingress gateway of every region with TLS."""

    namespace: Label = Field(description="the namespace, one of `namespaces`")
    host: Domain = Field(description="the host name, below the environment's `domain`")
    paths: tuple[IngressPath, ...] = Field(min_length=1, description="which path leads where")


class HealthCheck(Model):
    """How the global load balancer decides that a region's gateway is healthy."""

    interval: int = Field(default=2, ge=2, le=300, description="seconds between probes; gdnsd's least is 2")
    timeout: int = Field(default=1, ge=1, le=60, description="seconds until a probe counts as failed")
    down_threshold: int = Field(
        default=2, ge=1, le=20, description="failed probes in a row until the gateway is down"
    )
    up_threshold: int = Field(default=2, ge=1, le=20, description="good probes in a row until it is up again")


class GlobalLoadBalancerSpec(Model):
    """DNS over the healthy regions, answered by gdnsd on the edge hosts."""

    ttl: int = Field(default=5, ge=1, le=3600, description="seconds that answers may be cached")
    health_check: HealthCheck = Field(
        default=HealthCheck(), description="when a gateway counts as down, and as up again"
    )


class Environment(Model):
    """One environment: everything that a stack file's `crossmesh:environment` declares."""

    domain: Domain = Field(description="the domain that the name servers answer for")
    addresses: AddressPools = Field(description="the pools of the flat address space")
    versions: Versions = Field(default=Versions(), description="versions of what is installed")
    sources: Sources = Field(default=Sources(), description="where hosts get software")
    ssh: Ssh | None = Field(default=None, description="how hosts are reached; needed where there are any")
    host_profiles: dict[Label, HostProfile] = Field(
        default_factory=dict, description="settings of classes of hosts, by name"
    )
    regions: dict[Label, RegionSpec] = Field(min_length=1, description="the regions by name")
    mesh: MeshSpec = Field(description="the mesh over all regions")
    namespaces: dict[Label, NamespaceSpec] = Field(
        default_factory=dict, description="the namespaces of the mesh by name"
    )
    applications: dict[Label, ApplicationSpec] = Field(
        default_factory=dict, description="the applications by name"
    )
    ingresses: dict[Label, IngressSpec] = Field(
        default_factory=dict, description="the hosts that are exposed, by name of the ingress"
    )
    global_load_balancer: GlobalLoadBalancerSpec | None = Field(
        default=None, description="DNS over the healthy regions; without it none is set up"
    )
