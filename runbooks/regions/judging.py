"""Whether a region can be spared, and where its clients are led then, from what is declared and seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from live.doctor.model import CheckResult
from report.problem import Problem
from stacks.model import Environment
from stacks.simulation import State, answers_in

Seen = Mapping[str, frozenset[str]]
"""The regions that each name server sees healthy, by its edge host."""
SHOWN = 12
"""Lines of clients that are led elsewhere."""


def with_drained(environment: Environment, drained: Collection[str]) -> Environment:
    """The same environment with these regions drained, and no others."""
    balancer = environment.global_load_balancer
    assert balancer is not None
    changed = balancer.model_copy(update={"drained": tuple(sorted(drained))})
    return environment.model_copy(update={"global_load_balancer": changed})


def sparing(environment: Environment, region: str, seen: Seen) -> list[Problem]:
    """What stands against taking a region out of all answers: it may be the last healthy one of a host.

    Each name server is gone through as it would answer by what it sees now.
    """
    balancer = environment.global_load_balancer
    assert balancer is not None
    out = {*balancer.drained, region}
    left = sorted(environment.regions.keys() - out)
    if not left:
        what = f"{region} is the last region in service: names would lead nowhere"
        return [Problem(what, "bring another region back first: `crossmesh runbook run return-region`")]
    found = list(_disagreeing(left, seen))
    for edge, healthy in sorted(seen.items()):
        state = State(down=frozenset(environment.regions) - healthy, drained=frozenset({region}))
        bad = [row for row in answers_in(environment, [state]) if not row.healthy]
        if bad:
            named = "; ".join(f"{row.host}, {row.clients}: {row.answer}" for row in bad[:3])
            found.append(
                Problem(
                    f"{region} is the last healthy region in the eyes of {edge}: without it clients would be "
                    f"led to gateways that it sees down, or holds out ({named})",
                    f"mend {', '.join(left)} first: `crossmesh doctor`",
                )
            )
    return found


def _disagreeing(left: Collection[str], seen: Seen) -> Iterator[Problem]:
    if not seen:
        yield Problem("no name server says what it sees", "declare edge hosts: `regions.REGION.edges`")
    if len({healthy & set(left) for healthy in seen.values()}) > 1:
        told = "; ".join(
            f"{edge} sees {', '.join(sorted(healthy & set(left))) or 'none'}"
            for edge, healthy in sorted(seen.items())
        )
        yield Problem(
            f"name servers do not agree on which of {', '.join(left)} are healthy: {told}",
            "`crossmesh doctor` says what each meets, health-view/",
        )


def led_elsewhere(before: Environment, after: Environment) -> list[str]:
    """Whom a change leads elsewhere while all regions are up, a line for each host and kind of clients."""
    then = {(row.host, row.clients): row.answer for row in answers_in(after, [State()])}
    now = {(row.host, row.clients): row.answer for row in answers_in(before, [State()])}
    # Where a policy tells kinds of clients apart, both sides do.
    moved = [
        f"{host}, clients of {clients}: {answer} -> {then[host, clients]}"
        if clients != "everybody"
        else f"{host}: {answer} -> {then[host, clients]}"
        for (host, clients), answer in now.items()
        if then.get((host, clients), answer) != answer
    ]
    more = [f"and {len(moved) - SHOWN} more; all by `crossmesh simulate`"] if len(moved) > SHOWN else []
    return [*moved[:SHOWN], *more]


def of_doctor(results: Iterable[CheckResult], kind: str) -> list[Problem]:
    """What the doctor found, as problems. kind: the word by which an operator takes it upon himself."""
    return [
        Problem(
            f"{result.check.id}: {result.finding.message}",
            result.finding.fix,
            blocks=result.broken,
            kind=kind if result.broken else "",
        )
        for result in results
        if not result.passed
    ]
