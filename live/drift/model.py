"""What the layers of a drift examination find, and the rules that it is said by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from report.model import Finding, Layer, Op, PropertyChange, Resource, Row, Rule, Severity, Status


@dataclass(frozen=True)
class Comparison:
    """What one column compares."""

    layer: str
    """Its layer in reports, as `--layer` names it."""
    title: str
    rule: Rule
    recognises: bool = False
    """Whether what it looks at can be told from another one."""


IDENTITY = Rule(
    "drift/identity",
    "Each cluster and host is the one that was set up, and lets this stack in",
    "A cluster is known by the UID of its namespace kube-system, a host by its ssh key. What is another one, "
    "or refuses the credentials, is not compared any further.",
)


@dataclass(frozen=True)
class Drifted:
    """A resource that was edited (`UPDATE`), is gone (`DELETE`), or that nobody declares (`CREATE`)."""

    urn: str
    op: Op
    properties: tuple[PropertyChange, ...] = ()
    live: Resource | None = None
    """As it is live, secrets masked; None where that cannot be said as a whole, or where it is gone."""


@dataclass
class Record:
    """What one layer finds; `seen` puts it into a stable order."""

    comparison: Comparison
    rows: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    drifted: list[Drifted] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    recognised: set[str] = field(default_factory=set)
    """Clusters and hosts that turned out to be the ones that were set up."""
    refused: bool = False
    """Whether something refused this stack's credentials."""
    late: bool = False
    """Whether the time ran out before all was looked at."""
    broken: bool = False
    """Whether the comparison has a defect."""

    def row(self, key: str, applied: str | None, live: str | None) -> None:
        """One line of the layer's table."""
        self.rows[key] = (applied, live)

    def fail(
        self, message: str, *, urn: str = "", fix: str = "", severity: Severity = Severity.ERROR
    ) -> None:
        """Something is not as it was applied; or, below an error, wants a look."""
        self.findings.append(
            Finding(self.comparison.rule.id, Status.FAIL, message, severity=severity, urn=urn, fix=fix)
        )

    def drift(self, drifted: Drifted, message: str, fix: str) -> None:
        """A resource is not as it was applied."""
        self.drifted.append(drifted)
        self.fail(message, urn=drifted.urn, fix=fix)

    def stranger(self, what: str, message: str, *, urn: str, fix: str, refused: bool = False) -> None:
        """`what` is another cluster or host than was set up, or refuses the credentials."""
        self.refused = self.refused or refused
        self.findings.append(Finding(IDENTITY.id, Status.FAIL, message, urn=urn, fix=fix))
        self.not_measurable(what, f"not compared, see {IDENTITY.id}", urn=urn)

    def not_measurable(self, what: str, why: str, *, urn: str = "", fix: str = "") -> None:
        """`what` could not be looked at."""
        id = self.comparison.rule.id
        self.findings.append(Finding(id, Status.NOT_MEASURABLE, f"{what}: {why}", urn=urn, fix=fix))

    def ran_out(self, what: str, *, urn: str = "") -> None:
        """The time ran out before `what` was looked at."""
        self.late = True
        self.not_measurable(what, "the time ran out", urn=urn, fix="Allow more (--timeout).")

    def seen(self) -> Record:
        """All of it by now, in a stable order."""
        return replace(
            self,
            rows=dict(sorted(self.rows.items())),
            drifted=sorted(self.drifted, key=lambda entry: (entry.urn, entry.op)),
            findings=sorted(set(self.findings), key=Finding.order),
            recognised={*self.recognised},
        )

    @property
    def layer(self) -> Layer:
        """Its table."""
        rows = tuple(Row(key, *texts) for key, texts in self.rows.items())
        return Layer(self.comparison.layer, self.comparison.title, rows)


def few(texts: Sequence[str], limit: int = 3) -> str:
    """The first of several texts, and how many more there are."""
    more = f"; and {len(texts) - limit} more" if len(texts) > limit else ""
    return "; ".join(texts[:limit]) + more
