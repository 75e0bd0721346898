"""Clusters: made of machines, or adopted."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import Field

from stacks.model.base import (
    HOST_NAME,
    HTTPS,
    LABEL_VALUE,
    STORE,
    VERSION,
    Label,
    LabelKey,
    LocalFile,
    Model,
    Network,
    SecretName,
)
from stacks.model.machines import Host
from stacks.model.network import TunnelEnd


class NodeRole(StrEnum):
    """What a node of a bare-metal cluster does; edge hosts are no nodes."""

    CONTROL_PLANE = "control-plane"
    WORKER = "worker"


class Taint(Model):
    """What keeps pods away from a node that do not tolerate it."""

    key: LabelKey = Field(description="its key")
    value: str | None = Field(default=None, pattern=LABEL_VALUE, description="its value")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = Field(description="what becomes of them")


class Node(Host):
    """A machine that becomes a Kubernetes node."""

    role: NodeRole = Field(description="what the node does")
    workload: bool = Field(default=False, description="whether a control-plane node is a worker too")
    profile: Label | None = Field(default=None, description="the profile in `hostProfiles` that it needs")
    zone: str | None = Field(
        default=None,
        min_length=1,
        pattern=LABEL_VALUE,
        description="the label topology.kubernetes.io/zone; the region's name without it",
    )
    labels: dict[LabelKey, Annotated[str, Field(pattern=LABEL_VALUE)]] = Field(
        default={}, description="further labels of the node"
    )
    taints: tuple[Taint, ...] = Field(default=(), description="taints of a worker, from its first moment")
    tunnel: TunnelEnd = Field(
        default=TunnelEnd(), description="how the others' tunnels reach it, where that is special"
    )

    @property
    def takes_workload(self) -> bool:
        """Whether pods of the mesh and of applications run here."""
        return self.workload or self.role is NodeRole.WORKER


class Audit(Model):
    """The audit log that a cluster's API server writes: who asked for what, and when.

    It is in /var/log/kubernetes/audit/audit.log on each control-plane host, for root alone.
    """

    enabled: bool = Field(default=True, description="whether there is one")
    policy_file: LocalFile | None = Field(
        default=None,
        description="path of a policy (audit.k8s.io/v1) that says what is written; ~ and environment "
        "variables expanded. Without it, who asked for what and when, never what was in a request or an "
        "answer; nothing of leases, of health, and of what nodes and the control plane read",
    )
    max_age: int = Field(default=30, ge=1, le=3650, description="days that a file of it is kept")
    max_backup: int = Field(
        default=10, ge=1, le=1000, description="files that are kept beside the one that is written"
    )
    max_size: int = Field(
        default=100, ge=1, le=10_000, description="megabytes (MB) at which a new file is begun"
    )


class Backups(Model):
    """Backups of etcd of each cluster on machines, which a scheduler of yours makes: `crossmesh runbook run
    backup-etcd region=NAME --yes`. What opens them stays with the stack's secrets.
    """

    destination: str = Field(
        pattern=STORE,
        description="where they are kept: a directory of the machine that makes them, or s3://bucket/prefix, "
        "with endpoint and credentials of the environment (`AWS_ENDPOINT_URL`, `AWS_REGION` and so on)",
    )
    keep: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="how many of each cluster stay, the newest; 0 where age decides",
    )
    days: int = Field(
        default=0, ge=0, le=3650, description="older ones than that go, but for those; 0 for no age"
    )
    max_age_hours: int = Field(
        default=26, ge=1, le=8760, description="the doctor warns where the newest one is older, hours"
    )


class BareMetalClusterSpec(Model):
    """A cluster that Crossmesh makes of machines."""

    kind: Literal["bareMetal"] = Field(description="bareMetal")
    api_server_address: IPv4Address | None = Field(
        default=None,
        description="a free address of the machine network at which the API server is reached, whichever "
        "control-plane node holds it; needed for several of them. Without it, the API server is reached at "
        "the address of the one control-plane node; a cluster that runs so is led to the address when it is "
        "declared, and keeps it then",
    )
    api_server_names: tuple[Annotated[str, Field(pattern=HOST_NAME)], ...] = Field(
        default=(),
        description="further names and addresses that the API server's certificate is for, beside those of "
        "the node and of the cluster itself; a change makes the certificate anew",
    )
    nodes: dict[Label, Node] = Field(min_length=1, description="the nodes by name")
    audit: Audit = Field(default=Audit(), description="the API server's audit log")
    encryption_at_rest: bool = Field(
        default=True,
        description="whether Secrets are encrypted in etcd, by a key that the stack keeps. A change writes "
        "all of them anew; with false, whoever gets at etcd's data or disk reads them",
    )
    encryption_keys: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        default=(1,),
        min_length=1,
        max_length=3,
        description="numbers of the keys of Secrets that control planes have: Secrets are written by the "
        "first, and read by all. The stack makes key 2 when 2 is named, and keeps those that are named no "
        "more. From one to the next in three changes, each brought about before the next: [1, 2], [2, 1], "
        "[2]; the runbook rotate-encryption-key does that",
    )
    certificate_authorities: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        default=(1,),
        min_length=1,
        max_length=2,
        description="numbers of the cluster's authorities: all are trusted, and the first issues. The stack "
        "makes authority 2 when 2 is named, and forgets one that is named no more. From one to the next in "
        "three changes, each brought about before the next, between which pods are started anew: [1, 2], [2, "
        "1], [2]; the runbook rotate-certificate-authority does that",
    )
    extend_tokens: bool = Field(
        default=True,
        description="whether tokens of pods are taken for a year, for clients that do not read theirs anew; "
        "with false, for as long as they say, an hour by default, and clients that read theirs once are "
        "refused then",
    )
    max_unavailable: int = Field(
        default=1,
        ge=1,
        le=100,
        description="nodes beside the control plane that changes of hosts may interrupt at the same time; "
        "regions follow each other",
    )

    @property
    def control_planes(self) -> dict[str, Node]:
        """The control-plane nodes by name, in declared order."""
        return {name: node for name, node in self.nodes.items() if node.role is NodeRole.CONTROL_PLANE}

    @property
    def endpoint(self) -> IPv4Address:
        """Where everybody reaches the API server."""
        return self.api_server_address or min(self.control_planes.items())[1].address


class AdoptedClusterSpec(Model):
    """A cluster that exists already; Crossmesh puts a mesh into it and never touches its machines."""

    kind: Literal["adopted"] = Field(description="adopted")
    kubeconfig_secret: SecretName = Field(
        description="name of the stack secret that holds the kubeconfig's text"
    )
    api_server: str | None = Field(
        default=None,
        pattern=HTTPS,
        description="the URL by which other clusters reach its API server; without it, the kubeconfig's",
    )
    pod_cidr: Network = Field(description="the range of the cluster's pods")
    service_cidr: Network = Field(description="the range of the cluster's services")
    kubernetes_version: str | None = Field(
        default=None,
        pattern=VERSION,
        description="its version of Kubernetes, such as 1.33 in quotes; without it, what depends on it is "
        "not measurable",
    )


ClusterSpec = Annotated[BareMetalClusterSpec | AdoptedClusterSpec, Field(discriminator="kind")]
