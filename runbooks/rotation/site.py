"""A region whose declaration goes through stages, each brought about before the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from access.host_lock import PASS, OnHost, Pass
from access.paths import stack_file
from access.ssh import Connection
from live.state import read_stack
from report.errors import OperationsError
from report.problem import Problem
from runbooks import applied
from runbooks.locks import Place, UnderLock
from runbooks.model import Facts
from stacks.edit import set_value
from stacks.errors import StackFileError
from stacks.load import Stack
from stacks.model import BareMetalClusterSpec


@dataclass
class StagedSite(UnderLock):
    """What a runbook works on that changes a list of numbers in the declaration, stage by stage."""

    stack_name: str
    region: str
    number: int
    """Of what is new."""
    key: str
    """Of the cluster in the declaration, which has the list."""
    control: Mapping[str, Connection]
    """The way to each host of the control plane, in declared order."""
    run: str = ""
    tell: Callable[[str], None] = field(default=lambda text: None)
    lost: Callable[[], str] = field(default=lambda: "")
    passed: Callable[[], Pass] = field(default=lambda: Pass(""))
    """What it shows to the `up` that it drives; set once the locks are held."""

    def places(self) -> Sequence[Place]:
        return [OnHost(host, way) for host, way in self.control.items()]

    @property
    def stack(self) -> Stack:
        """The stack as its file says now."""
        return read_stack(stack_file(self.stack_name))

    @property
    def spec(self) -> BareMetalClusterSpec:
        """The cluster, as declared now."""
        spec = self.stack.environment.regions[self.region].cluster
        assert isinstance(spec, BareMetalClusterSpec)
        return spec

    @property
    def path(self) -> tuple[str, ...]:
        """Of the list in the declaration."""
        return ("regions", self.region, "cluster", self.key)

    def declared(self) -> list[int]:
        """The list, as declared now."""
        raise NotImplementedError

    def unapplied(self) -> list[Problem]:
        """What of the declaration is not brought about yet."""
        return applied.unapplied(self.stack_name)

    def bring_about(self, numbers: Sequence[int]) -> None:
        """Have the declaration say so, and everything be so. Raises as `applied.bring_about` does."""
        self.require_lock()
        try:
            if set_value(stack_file(self.stack_name), self.path, list(numbers)):
                self.tell(f"{stack_file(self.stack_name).name}: {'.'.join(self.path)} is {list(numbers)} now")
        except (StackFileError, ValueError, OSError) as error:
            raise OperationsError(
                f"the declaration cannot be changed: {error}",
                fix=f"write `{self.key}: {list(numbers)}` into the cluster of {self.region} yourself",
            ) from None
        applied.bring_about(self.stack_name, self.tell, {PASS: self.passed().to_json()})


def added(site: StagedSite) -> list[int]:
    """The list with the new one behind what is there."""
    there = site.declared()
    return there if site.number in there else [*there, site.number]


def first(site: StagedSite) -> list[int]:
    """The list with the new one ahead of what is there."""
    return [site.number, *(number for number in site.declared() if number != site.number)]


def was(site: StagedSite) -> Facts:
    """What is declared before a stage."""
    return {"numbers": site.declared()}


def back(site: StagedSite, before: Facts) -> None:
    """Take a stage back, by the declaration too."""
    site.bring_about([int(number) for number in before["numbers"]])
