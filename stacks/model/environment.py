"""One environment, composed of the columns, and its regions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network, summarize_address_range
from typing import Any

from pydantic import Field

from releases import DISTRIBUTION, OWNER, default
from stacks.model.addresses import AddressPools, AddressRange
from stacks.model.applications import ApplicationSpec
from stacks.model.base import Domain, Label, Model, Network
from stacks.model.clusters import AdoptedClusterSpec, Backups, BareMetalClusterSpec, ClusterSpec, Node
from stacks.model.exposure import HTTP_PORT, HTTPS_PORT, STATUS_PORT, Exposed, IngressSpec, RouteSpec
from stacks.model.machines import Host, HostProfile, Login, Sources, Ssh
from stacks.model.mesh import MeshSpec
from stacks.model.names import GlobalLoadBalancerSpec
from stacks.model.namespaces import NamespaceSpec
from stacks.model.network import Fabric, Tunnels
from stacks.model.trust import CertificateSpec


class Versions(Model):
    """Versions of what is installed. Supported: those that the catalogue, `releases/`, has."""

    kubernetes: str = Field(default=default("kubernetes"), description="Kubernetes, of bare-metal clusters")
    istio: str = Field(default=default("istio"), description="Istio, in every cluster")
    metallb: str = Field(default=default("metallb"), description="MetalLB, in clusters with `loadBalancer`")
    containerd: str = Field(
        default=default("containerd"),
        description="containerd, on nodes of bare-metal clusters: `distribution` is that of the host's own, "
        "a release is the package containerd.io of its makers, which a source of `sources.apt` must have",
    )


class RegionVersions(Model):
    """Versions of one region where they differ from the environment's, so that a region can go first."""

    kubernetes: str | None = Field(default=None, description="Kubernetes, of a bare-metal cluster")
    istio: str | None = Field(default=None, description="Istio")
    metallb: str | None = Field(default=None, description="MetalLB, of a region with `loadBalancer`")
    containerd: str | None = Field(default=None, description="containerd, of a bare-metal cluster's nodes")


class UnlistedPair(Model):
    """An Istio and a Kubernetes that go together on the operator's word: the list of Istio's makers ends
    before that Kubernetes. It holds for these two releases alone, and is refused once no region has both.
    """

    istio: str = Field(description="the release of Istio, whole: `1.29.1`")
    kubernetes: str = Field(
        description="the later release of Kubernetes, as it is declared: `1.36.3`; of an adopted cluster, "
        "its `kubernetesVersion`"
    )


@dataclass(frozen=True)
class EffectiveVersions:
    """Which versions a region has."""

    kubernetes: str | None
    """None where nobody says it: of an adopted cluster whose declaration does not."""
    istio: str
    metallb: str
    containerd: str | None
    """None for that of hosts' distributions, and of an adopted cluster."""


class RegionSpec(Model):
    """A region: one cluster, its load-balancer addresses and the edge hosts that answer DNS there."""

    machine_network: Network | None = Field(
        default=None,
        description="the network that the machines of the region are neighbours in. Without it they share "
        "none, and reach each other's pods through `tunnels`",
    )
    mesh_network: Label = Field(
        default="flat", description="Istio network: regions that can route pods to each other share it"
    )
    fabric: Fabric | None = Field(
        default=None,
        description="routers for pod routes; needed on bare metal beside other regions, unless there are "
        "`tunnels`. Without it, nodes are told where their neighbours' slices are",
    )
    load_balancer: AddressRange | None = Field(
        default=None,
        description="addresses for services of type LoadBalancer; on bare metal these or `gatewayNodes` are "
        "needed. Those of the machine network are announced by ARP, others by BGP to the routers of "
        "`fabric`; without these, whoever owns them leads them to a machine of the region",
    )
    gateway_nodes: tuple[Label, ...] = Field(
        default=(),
        description="nodes at whose own addresses clients reach the region's gateway, where there is no "
        "address beside those of machines. Name servers answer with each that serves",
    )
    cluster: ClusterSpec = Field(description="the cluster of the region")
    versions: RegionVersions = Field(default=RegionVersions(), description="other than the environment's")
    unlisted_pairs: tuple[UnlistedPair, ...] | None = Field(
        default=None, description="in place of the environment's, so that a region can go first; `[]`: none"
    )
    ssh: Login = Field(
        default=Login(), description="what is different from the environment's `ssh` for hosts of the region"
    )
    edges: dict[Label, Host] = Field(default={}, description="edge hosts, which answer DNS, by name")

    @property
    def machine_networks(self) -> tuple[IPv4Network, ...]:
        """Where its machines are: their network, or the address of each where they share none."""
        if self.machine_network is not None:
            return (self.machine_network,)
        return tuple(IPv4Network(host.address) for _, host in sorted(self.hosts.items()))

    @property
    def routed_services(self) -> tuple[IPv4Network, ...]:
        """Networks that make up the load-balancer addresses; none where these are of the machine network."""
        span = self.load_balancer
        if span is None or (self.machine_network is not None and span.first in self.machine_network):
            return ()
        return tuple(summarize_address_range(span.first, span.last))

    @property
    def gateway_addresses(self) -> tuple[IPv4Address, ...]:
        """Where clients reach its gateway; none where its cluster alone knows that."""
        if self.gateway_nodes:
            return tuple(sorted(self.nodes[name].address for name in self.gateway_nodes))
        return (self.load_balancer.first,) if self.load_balancer else ()

    @property
    def nodes(self) -> dict[str, Node]:
        """The machines that become nodes, by name; none of an adopted cluster."""
        return self.cluster.nodes if isinstance(self.cluster, BareMetalClusterSpec) else {}

    @property
    def hosts(self) -> dict[str, Host]:
        """All machines of the region by name."""
        return {**self.nodes, **self.edges}


class Environment(Model):
    """One environment: everything that a stack file's `crossmesh:environment` declares."""

    domain: Domain = Field(description="the domain that the name servers answer for, and have their names in")
    domains: tuple[Domain, ...] = Field(default=(), description="further domains that they answer for")
    addresses: AddressPools = Field(description="the pools of the flat address space")
    versions: Versions = Field(default=Versions(), description="versions of what is installed")
    unlisted_pairs: tuple[UnlistedPair, ...] = Field(
        default=(),
        description="pairs of releases that you take upon yourselves though their makers do not list them; "
        "the gate warns of each",
    )
    sources: Sources = Field(default=Sources(), description="where hosts get software")
    probe_image: str = Field(
        default="docker.io/library/busybox:1.37.0",
        description="image of the pods that the doctor looks from: with `sh`, `timeout`, `wget`, `httpd`",
    )
    ssh: Ssh | None = Field(default=None, description="how hosts are reached; needed where there are any")
    host_profiles: dict[Label, HostProfile] = Field(
        default={}, description="settings of host classes, by name"
    )
    regions: dict[Label, RegionSpec] = Field(min_length=1, description="the regions by name")
    tunnels: Tunnels | None = Field(
        default=None,
        description="tunnels by WireGuard (`{}` for the defaults) between nodes that neither a machine "
        "network nor routers of `fabric` join; without it, all must be joined by these",
    )
    backups: Backups | None = Field(
        default=None, description="backups of etcd; without it, the doctor asks for none"
    )
    mesh: MeshSpec = Field(description="the mesh over all regions")
    namespaces: dict[Label, NamespaceSpec] = Field(default={}, description="namespaces of the mesh by name")
    applications: dict[Label, ApplicationSpec] = Field(default={}, description="the applications by name")
    ingresses: dict[Label, IngressSpec] = Field(default={}, description="exposed hosts, by ingress name")
    gateway_api: str | None = Field(
        default=None,
        description="the release of the Gateway API whose definitions, of the standard channel, clusters "
        "that Crossmesh makes get; `owner` where others bring them there. Adopted clusters keep theirs",
    )
    routes: dict[Label, RouteSpec] = Field(
        default={}, description="hosts that are exposed by the Gateway API, by the route's name"
    )
    certificates: dict[Label, CertificateSpec] = Field(
        default={}, description="certificates of exposed hosts that are not of the gateways' own authority"
    )
    global_load_balancer: GlobalLoadBalancerSpec | None = Field(
        default=None, description="DNS over the healthy regions; without it none is set up"
    )

    @property
    def zones(self) -> tuple[str, ...]:
        """All domains that the name servers answer for, their own first."""
        return (self.domain, *self.domains)

    def zone_of(self, host: str) -> str | None:
        """The domain that a host, or a wildcard, is of; None where it is of none."""
        name = host.removeprefix("*.")
        return next((zone for zone in self.zones if name == zone or name.endswith(f".{zone}")), None)

    @property
    def exposed(self) -> tuple[Exposed, ...]:
        """All hosts that clients ask gateways for: of ingresses by their names, then of routes by theirs."""
        return (
            *(
                Exposed(
                    spec.host,
                    ("ingresses", name, "host"),
                    spec.namespace,
                    spec.dns,
                    spec.redirect_http,
                    tuple(entry.path for entry in spec.paths),
                )
                for name, spec in sorted(self.ingresses.items())
            ),
            *(
                Exposed(
                    host,
                    ("routes", name, "hosts", index),
                    spec.namespace,
                    spec.dns,
                    spec.redirect_http,
                    spec.asked,
                )
                for name, spec in sorted(self.routes.items())
                for index, host in enumerate(spec.hosts)
            ),
        )

    @property
    def names(self) -> dict[str, list[str]]:
        """The hosts that the name servers answer, sorted, by the domain that they are of."""
        hosts = sorted({exposed.host for exposed in self.exposed if exposed.dns})
        return {zone: [host for host in hosts if self.zone_of(host) == zone] for zone in self.zones}

    def certificate_of(self, host: str) -> str | None:
        """The name of the certificate that an exposed host has; None for one of the gateways' authority."""
        named = {entry: name for name, spec in self.certificates.items() for entry in spec.hosts}
        return named.get(host) or named.get(f"*.{host.partition('.')[2]}")

    @property
    def gateway_ports(self) -> tuple[int, ...]:
        """TCP ports at which clients reach gateways: plain HTTP where a host is redirected from it."""
        redirects = any(exposed.redirect_http for exposed in self.exposed)
        return (*((HTTP_PORT,) if redirects else ()), HTTPS_PORT, STATUS_PORT)

    def definitions_of(self, region: str) -> str | None:
        """The release of the Gateway API whose definitions a region's cluster gets; None where others bring
        them, or nobody.
        """
        adopted = isinstance(self.regions[region].cluster, AdoptedClusterSpec)
        return None if adopted or self.gateway_api == OWNER else self.gateway_api

    def tunnel_peers(self, host: str) -> dict[str, tuple[str, Node]]:
        """The nodes that a node reaches through tunnels alone, with their regions, by name, sorted."""
        nodes = {
            name: (region, node) for region, spec in self.regions.items() for name, node in spec.nodes.items()
        }
        if self.tunnels is None or host not in nodes:
            return {}
        own, _ = nodes.pop(host)
        return {name: nodes[name] for name in sorted(nodes) if self._apart(own, nodes[name][0])}

    def _apart(self, one: str, other: str) -> bool:
        """Whether nothing but a tunnel joins nodes of two regions, or of one with itself."""
        if one == other:
            return self.regions[one].machine_network is None
        return self.regions[one].fabric is None or self.regions[other].fabric is None

    def versions_of(self, region: str) -> EffectiveVersions:
        """The versions of a region: its own, or else the environment's; an adopted cluster's, its owner's."""
        spec = self.regions[region]
        own = {**self.versions.model_dump(), **spec.versions.model_dump(exclude_none=True)}
        if isinstance(spec.cluster, AdoptedClusterSpec):
            own |= {"kubernetes": spec.cluster.kubernetes_version, "containerd": None}
        elif own["containerd"] == DISTRIBUTION:
            own["containerd"] = None
        return EffectiveVersions(**own)

    def installed_in(self, region: str) -> dict[str, str | None]:
        """The versions that meet in a region's cluster, by program; None for one that nobody declares.

        MetalLB is where load-balancer addresses are declared.
        """
        found: dict[str, str | None] = asdict(self.versions_of(region))
        if self.regions[region].load_balancer is None:
            del found["metallb"]
        return found

    def kept_in(self, region: str) -> dict[str, str]:
        """The versions that are this declaration's to keep: an adopted cluster has its owner's Kubernetes."""
        adopted = isinstance(self.regions[region].cluster, AdoptedClusterSpec)
        return {
            program: version
            for program, version in self.installed_in(region).items()
            if version is not None and not (adopted and program == "kubernetes")
        }

    def version_path(self, region: str, program: str) -> tuple[str, ...]:
        """Where the version of a program in a region is declared, or would be."""
        spec = self.regions[region]
        if getattr(spec.versions, program) is not None:
            return ("regions", region, "versions", program)
        if program == "kubernetes" and isinstance(spec.cluster, AdoptedClusterSpec):
            return ("regions", region, "cluster", "kubernetesVersion")
        return ("versions", program)

    def unlisted_in(self, region: str) -> dict[UnlistedPair, tuple[str, ...]]:
        """The pairs that are taken upon themselves in a region, with where each is declared."""
        own = self.regions[region].unlisted_pairs
        holder = () if own is None else ("regions", region)
        pairs = self.unlisted_pairs if own is None else own
        # Of one that is there twice the first counts.
        found: dict[UnlistedPair, tuple[str, ...]] = {}
        for number, pair in enumerate(pairs):
            found.setdefault(pair, (*holder, "unlistedPairs", str(number)))
        return found

    def logins(self) -> Iterator[tuple[tuple[str, ...], Ssh | Login]]:
        """Everything that says how hosts are reached, with its path below the environment."""
        if self.ssh is not None:
            yield ("ssh",), self.ssh
        for region, spec in self.regions.items():
            at = ("regions", region)
            yield (*at, "ssh"), spec.ssh
            for name, node in spec.nodes.items():
                yield (*at, "cluster", "nodes", name, "ssh"), node.ssh
            for name, edge in spec.edges.items():
                yield (*at, "edges", name, "ssh"), edge.ssh

    def taints_of(self, node: Node) -> list[dict[str, Any]]:
        """A node's taints, and those of its profile's kubelet: one of each key and effect."""
        profile = self.host_profiles.get(node.profile or "")
        given = profile.kubelet.get("registerWithTaints") if profile else None
        own = [taint.model_dump(exclude_none=True) for taint in node.taints]
        # Whether a profile's are taints at all is asked by a rule of its own.
        taints = [*(given if isinstance(given, list) else ()), *own]
        whole = [taint for taint in taints if isinstance(taint, dict) and {"key", "effect"} <= taint.keys()]
        return list({(str(taint["key"]), str(taint["effect"])): taint for taint in whole}.values())

    def ssh_of(self, host: str) -> Ssh | None:
        """How a host is reached, by itself, its region or the environment; None where that has no `ssh`."""
        ssh = self.ssh
        for region in self.regions.values():
            if ssh is not None and (declared := region.hosts.get(host)) is not None:
                for login in (region.ssh, declared.ssh):
                    ssh = login.over(ssh)
        return ssh
