"""The platform that is examined: what is declared, what `pulumi up` exported, and access to its clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from access.cluster import Cluster
from access.outputs import Outputs, parse_outputs
from access.paths import stack_file
from live.doctor import keys
from live.doctor.keys import Key
from live.doctor.model import CHECK_SECONDS, Check, Finding, Watch
from live.doctor.probes import Probes
from live.expiry import trust
from live.expiry.model import Entry
from live.state import opened, read_stack, read_state
from report.errors import ConfigurationError
from stacks.load import Stack
from stacks.model import Exposed, IngressSpec, RouteSpec


@dataclass(frozen=True)
class Platform:
    """Everything that checks look at."""

    stack: Stack
    outputs: Outputs
    clusters: dict[str, Cluster]
    identities: dict[str, str] = field(default_factory=dict)
    """UID of `kube-system` that the stack's state recorded, by region."""
    issued: Sequence[Entry] = ()
    """What `up` has issued, by the stack's state."""
    probes: Mapping[str, Probes] = field(default_factory=dict)
    """Pods to look from, by region."""

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the declared regions, sorted."""
        return tuple(sorted(self.stack.environment.regions))

    @property
    def ingresses(self) -> dict[str, IngressSpec]:
        """The declared hosts by the names of their ingresses, sorted."""
        return dict(sorted(self.stack.environment.ingresses.items()))

    @property
    def routes(self) -> tuple[tuple[str, RouteSpec], ...]:
        """The declared routes with their names, sorted."""
        return tuple(sorted(self.stack.environment.routes.items()))

    @property
    def exposed(self) -> tuple[Exposed, ...]:
        """All hosts that clients ask gateways for."""
        return self.stack.environment.exposed

    def per_region(
        self,
        column: str,
        key: Callable[[str], Key],
        title: str,
        check: Callable[[Platform, str, Watch], Finding],
        declared: str,
        rests_on: Callable[[Platform, str], tuple[Key, ...]] = lambda platform, region: (),
        needs: tuple[Callable[[str], Key], ...] = (keys.api_server,),
        seconds: float = CHECK_SECONDS,
        where: Callable[[str], bool] = lambda region: True,
    ) -> list[Check]:
        """A check for each region where it makes sense.

        key, needs: give keys for a region. title, declared: `{}` is the region; the key of the declaration is
        written with dots.
        """
        return [
            Check(
                key(region),
                column,
                title.format(region),
                partial(check, self, region),
                tuple(need(region) for need in needs),
                seconds,
                rests_on=rests_on(self, region),
                region=region,
                declared=tuple(declared.format(region).split(".")),
            )
            for region in self.regions
            if where(region)
        ]

    def applications_of_mesh(self) -> tuple[str, ...]:
        """Names of the applications with pods in injected namespaces, sorted."""
        environment = self.stack.environment
        return tuple(
            name
            for name, application in sorted(environment.applications.items())
            if environment.namespaces[application.namespace].injection and application.replicas
        )


@contextmanager
def open_platform(name: str) -> Iterator[Platform]:
    """The platform of a stack, with access to its clusters until the context is left.

    Raises `ConfigurationError` for a bad stack file, what `read_state` raises, and `OperationsError` when it
    was not brought up.
    """
    stack = read_stack(stack_file(name))
    state = read_state(name)
    outputs = parse_outputs(name, opened(state.outputs))
    unknown = sorted(set(stack.environment.regions) - set(outputs.regions))
    if unknown:
        raise ConfigurationError(
            f"stack {name!r}: regions {', '.join(unknown)} are declared and not brought up. "
            f"Run `pulumi up --stack {name}` first."
        )
    with ExitStack() as resources:
        clusters = {
            region: resources.enter_context(Cluster(region, outputs.kubeconfigs[region]))
            for region in sorted(stack.environment.regions)
        }
        probes = {
            region: Probes(cluster, stack.environment.probe_image) for region, cluster in clusters.items()
        }
        identities = {region: way.uid for region, way in state.ways().items()}
        yield Platform(stack, outputs, clusters, identities, trust.look(state, stack), probes)
