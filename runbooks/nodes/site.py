"""A node in its cluster, for the runbooks about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from access.cluster import Cluster
from access.outputs import parse_outputs
from access.paths import stack_file
from live.state import opened, read_stack, read_state
from playbooks.provider.membership import belongs_to_node
from playbooks.provider.proof import Live, looked_at
from report.errors import ConfigurationError
from report.problem import Problem
from runbooks.control_plane import declared_region, places
from runbooks.locks import Place
from runbooks.model import Parameter, accepted, judged
from stacks.load import Stack
from stacks.model import BareMetalClusterSpec, Node

NODE = Parameter("node", "name of the node")
REGION = Parameter("region", "its region; needed where the declaration names no nodes (adopted clusters)", "")


@dataclass
class NodeSite:
    """What a runbook about a node works on."""

    stack: Stack
    region: str
    node: str
    cluster: Cluster
    tell: Callable[[str], None]
    lost: Callable[[], str] = field(default=lambda: "")
    """Why the run's lock is not held any more; set once it is taken."""
    run: str = ""
    accepted: frozenset[str] = frozenset()
    seconds: float = 600.0
    """How long pods may take to go."""

    @property
    def spec(self) -> BareMetalClusterSpec:
        """Its cluster, as declared. Raises ConfigurationError for an adopted one."""
        spec = self.stack.environment.regions[self.region].cluster
        if isinstance(spec, BareMetalClusterSpec):
            return spec
        raise ConfigurationError(
            f"the cluster of {self.region} is adopted: its machines are its owner's",
            fix="name a node of a region on machines",
        )

    @property
    def declared(self) -> Node:
        """The node, as declared in a cluster on machines."""
        return self.spec.nodes[self.node]

    @property
    def path(self) -> str:
        """The node in the API."""
        return f"/api/v1/nodes/{self.node}"

    def object(self) -> dict[str, Any]:
        """The node's object. Raises ConfigurationError where there is no such node, and AccessError."""
        found = self.cluster.get(self.path)
        if found is None:
            raise ConfigurationError(
                f"the cluster of {self.region} has no node {self.node}",
                fix="name one of `kubectl get nodes`",
            )
        return found

    @property
    def unschedulable(self) -> bool:
        """Whether it is cordoned."""
        return bool((self.object().get("spec") or {}).get("unschedulable"))

    def set_unschedulable(self, wanted: bool) -> None:
        """Cordon it, or have it take pods again."""
        self.cluster.patch(self.path, {"spec": {"unschedulable": wanted}})

    def live(self) -> Live:
        """What the cluster lists."""
        return looked_at(self.cluster.get)

    def movable(self) -> list[dict[str, Any]]:
        """The pods that are on it, but for those of its own."""
        listed = self.cluster.get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{self.node}") or {}
        return [pod for pod in listed.get("items") or () if not belongs_to_node(pod)]

    def judged(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems; what the operator accepts blocks no more."""
        return judged(problems, self.accepted)

    def places(self) -> list[Place]:
        """Where the run's locks lie: on the control plane's hosts, or in an adopted cluster itself."""
        return places(self.stack, self.region, self.cluster)


@contextmanager
def opened_node(stack_name: str, values: Mapping[str, str]) -> Iterator[NodeSite]:
    """The site of a node. Raises ConfigurationError for one that is not declared, and what reading raises."""
    stack = read_stack(stack_file(stack_name))
    region = _region(stack, values["node"], values.get("region", ""))
    state = read_state(stack_name)
    outputs = parse_outputs(stack_name, opened(state.outputs))
    with Cluster(region, outputs.kubeconfigs[region]) as cluster:
        yield NodeSite(
            stack,
            region,
            values["node"],
            cluster,
            lambda text: None,
            accepted=accepted(values),
            seconds=_seconds(values.get("seconds", "600")),
        )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86400:
        raise ConfigurationError(
            f"seconds={text} is no time", fix="give seconds, more than 0 and less than a day"
        )
    return seconds


def _region(stack: Stack, wanted: str, given: str) -> str:
    regions = stack.environment.regions
    if given:
        declared_region(stack, given)
        return given
    known = {
        node: name
        for name, spec in regions.items()
        if spec.cluster.kind == "bareMetal"
        for node in spec.cluster.nodes
    }
    if wanted in known:
        return known[wanted]
    raise ConfigurationError(
        f"the declaration has no node {wanted}",
        fix=f"it has {', '.join(sorted(known))}; of an adopted cluster give region=… too",
    )
