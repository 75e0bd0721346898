"""What host work is described with: a phase, what each column does in it, and the host that it is done to.

Nothing here or in `playbooks.work` loads the model: the provider reads phases too, and no declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from stacks import model
    from stacks.ledger import Ledger
    from stacks.model import Environment, HostProfile, Node

PLAYBOOKS = Path(__file__).resolve().parent
COLLECTION_NAME = "crossmesh.nodes"
COLLECTION = PLAYBOOKS / "collections" / "ansible_collections" / "crossmesh" / "nodes"

Variables = dict[str, Any]
"""Role variables in plain JSON types, sorted where order has no meaning: digests are made of them."""

RECORDED = (
    "connection",
    "become_password",
    "preflight",
    "reset_on_delete",
    "region",
    "declared",
    "file_variables",
)
"""Inputs of a phase's resource that the state takes over without a play: nothing on the host is of them."""
LOST_HOSTS = "CROSSMESH_LOST_HOSTS"
"""Names an environment variable: hosts, by commas, whose machines are lost. Nothing is reset there when they
are taken out."""
LEAVE_HOSTS = "CROSSMESH_LEAVE_HOSTS"
"""Variable of the engine's environment: where it is set, a preview looks at no host."""


class Needs(Enum):
    """What a play needs of the cluster that its host belongs to."""

    NOTHING = auto()
    JOIN_TOKEN = auto()
    """A bootstrap token, made just before the play and deleted right after it."""
    CLUSTER_ACCESS = auto()
    """The cluster's API, before or after the play."""


@dataclass(frozen=True)
class Undo:
    """How a phase's work is taken back when its resource is deleted."""

    leaves_cluster: bool = False
    """The host stops being a member of its cluster."""
    leaves_etcd: bool = False
    """While the cluster goes on, the host's member of etcd leaves it before the host does."""
    services: tuple[str, ...] = ()
    """Units that are stopped and stay off."""
    files: tuple[str, ...] = ()
    """Paths of files that are removed then."""
    needs: Needs = Needs.NOTHING

    @property
    def playbook(self) -> Path:
        return _playbook("reset")

    @property
    def withdrawal(self) -> Path:
        """The play that takes the host's member out of etcd, and what leads clients to the host."""
        return _playbook("withdraw")

    @property
    def variables(self) -> Variables:
        """What the play needs to know."""
        return {
            "reset_leave_cluster": self.leaves_cluster,
            "reset_services": list(self.services),
            "reset_files": list(self.files),
        }


@dataclass(frozen=True)
class Ahead:
    """What of a phase is done on all hosts that change before the first of them is interrupted."""

    play: str
    """Name of its play, which interrupts nothing."""
    variables: tuple[str, ...]
    """The role variables that it is about: where none of them changes, there is nothing to do."""

    @property
    def playbook(self) -> Path:
        return _playbook(self.play)


@dataclass(frozen=True)
class Fixed:
    """What of a phase cannot be changed any more on a host that has been through it."""

    variable: str
    """The role variable."""
    name: str
    """What it is, in the words of the role that refuses another one, and of the gate."""
    instead: str
    """What can be done instead."""
    moves: Callable[[Mapping[str, Any], Mapping[str, Any]], bool] = lambda before, after: False
    """Whether plays bring about a change of it, by all role variables before and after: then it is none that
    is refused, also on the region's other hosts that have the same value changed in the same way."""


@dataclass(frozen=True, eq=False)
class Phase:
    """One step of a host's way: a play of its own, and a resource of its own for each host that has it."""

    name: str
    change: str
    """What an update of it means for who reads the gate's report."""
    undo: Undo
    changes: Mapping[str, str] = field(default_factory=dict)
    """What an update means of which nothing is but one role variable, by its name."""
    leads: Mapping[str, str] = field(default_factory=dict)
    """What an update means in which a role variable changes, whatever else does, by its name."""
    after: tuple[str, ...] = ()
    """Names of the phases of the same host that come before, where it has them."""
    awaits: tuple[str, ...] = ()
    """Names of the phases that come before on all hosts of the region that have them."""
    needs: Needs = Needs.NOTHING
    initialises: str = ""
    """The role variable that is true where the host makes the cluster itself, if there is none."""
    membership: bool = False
    """Whether it makes the host a member of a cluster, so that its loss is the loss of a node."""
    carries_cluster: bool = False
    """Whether the whole cluster is lost with it."""
    rolled: bool = False
    """Whether an update may interrupt what runs on the host, so that hosts have their turns."""
    rolled_for: tuple[str, ...] = ()
    """Role variables of which a change alone may do that."""
    ahead: Ahead | None = None
    fixed: tuple[Fixed, ...] = ()
    """What later runs cannot change; of a membership, roles refuse it by the same names."""

    def __str__(self) -> str:
        return self.name

    def has_turns(self, changed: Iterable[str]) -> bool:
        """Whether hosts have their turns in an update in which these role variables change."""
        return self.rolled or not set(self.rolled_for).isdisjoint(changed)

    @property
    def play(self) -> str:
        """Name of the play's file in `playbooks/phases/`, without its ending."""
        return self.name.replace("-", "_")

    @property
    def playbook(self) -> Path:
        return _playbook(self.play)


@dataclass(frozen=True)
class Software:
    """What a host installs, gathered from all that is done to it."""

    packages: tuple[str, ...] = ()
    """apt packages of any version, sorted."""
    pinned: Mapping[str, str] = field(default_factory=dict)
    """apt packages and the version (apt pattern) that each is held at, sorted."""
    bundles: tuple[str, ...] = ()
    """Image bundles, sorted."""
    replaces: tuple[str, ...] = ()
    """apt packages of which others take the place, sorted."""


@dataclass(frozen=True)
class Host:
    """A declared machine, with all that its variables are made from."""

    name: str
    region: str
    declared: model.Host
    environment: Environment
    ledger: Ledger
    profile: HostProfile
    """The declared one; the empty one where none is named."""
    node: Node | None = None
    """None for an edge host."""
    software: Software = Software()

    @property
    def address(self) -> IPv4Address:
        """In the machine network."""
        return self.declared.address

    @property
    def spec(self) -> model.RegionSpec:
        return self.environment.regions[self.region]

    @property
    def versions(self) -> model.EffectiveVersions:
        return self.environment.versions_of(self.region)

    @property
    def cluster(self) -> model.BareMetalClusterSpec:
        cluster = self.spec.cluster
        assert cluster.kind == "bareMetal", f"'{self.name}' is a node of a cluster that is made of machines"
        return cluster


def is_node(host: Host) -> bool:
    """Whether the host is, or becomes, a Kubernetes node."""
    return host.node is not None


def is_control_plane(host: Host) -> bool:
    return host.node is not None and host.node.role.value == "control-plane"


def is_worker(host: Host) -> bool:
    return host.node is not None and host.node.takes_workload


def bundle(kind: str, program: str) -> Callable[[Host], tuple[str, ...]]:
    """The bundle of a kind for the release of a program that a host's region has: `istio-1.29.1`."""
    return lambda host: (f"{kind}-{getattr(host.versions, program)}",)


def is_edge(host: Host) -> bool:
    """Whether the host answers for names."""
    return host.node is None


@dataclass(frozen=True)
class Work:
    """What one column does in a phase, to the hosts that it concerns. A host has the phases of its works."""

    phase: Phase
    hosts: Callable[[Host], bool]
    variables: Callable[[Host], Variables] = lambda _: {}
    """Role variables, without secrets. A value too many would touch hosts that a change does not concern."""
    files: Callable[[Host], Variables] = lambda _: {}
    """Role variables that are texts of files of the operator's machine, as paths: what they say counts."""
    logins: Callable[[Host], Variables] = lambda _: {}
    """Role variables that are mappings to logins, as the names of the stack secrets that hold these."""
    quiet: tuple[str, ...] = ()
    """Names of role variables of which nothing that runs notices a change."""
    grows: tuple[str, ...] = ()
    """Names of role variables that are mappings: nothing that runs notices an entry more."""
    packages: tuple[str, ...] = ()
    pinned: Callable[[Host], Mapping[str, str]] = lambda _: {}
    replaces: tuple[str, ...] = ()
    """apt packages that go where they are: those that it installs exclude them."""
    bundles: Callable[[Host], tuple[str, ...]] = lambda _: ()
    """Names of the image bundles that its pods need, on sites that have images in bundles."""


def _playbook(play: str) -> Path:
    return PLAYBOOKS / "phases" / f"{play}.yml"


def machine_of(connection: Mapping[str, Any]) -> Any:
    """A host's address in its machine network, by the `connection` of its phases; None where nobody says."""
    return connection.get("machine") or connection.get("address")
