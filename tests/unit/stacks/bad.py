"""A stack file with one mistake, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import releases
from stacks.errors import StackFileError, render_path
from stacks.load import load_stack
from tests.unit.stacks.conftest import changed

Write = Callable[[str], Path]

EU_WORKER = "            eu-worker-1: {address: 192.0.2.12, role: worker, profile: small}\n"
US_CP = "us-cp-1: {address: 192.0.2.71, role: control-plane}"
US_WORKER = "            us-worker-1: {address: 192.0.2.72, role: worker}\n"
US_BALANCER = "        loadBalancer: {first: 192.0.2.100, last: 192.0.2.109}\n"
US_FABRIC = """\
        fabric:
          asn: 64513
          peers:
            - {address: 192.0.2.65, asn: 64510}
"""
EDGES = "        edges:\n          eu-edge-1: {address: 192.0.2.13}\n"
SSH = "    ssh:\n      privateKeyFile: ~/keys/id\n      knownHostsFile: ~/keys/known_hosts\n"
BALANCING = "    globalLoadBalancer:\n      healthCheck: {interval: 3, timeout: 2}\n"

ISTIO, KUBERNETES, METALLB = (releases.default(name) for name in ("istio", "kubernetes", "metallb"))
"""What the good file has, where it names none."""
MINOR = releases.minor(KUBERNETES)


@dataclass(frozen=True)
class Bad:
    """Changes to the good file, and the problem that they make.

    `line` is a text that stands on the line of the problem, and on no other. `others`: how many further
    problems there are, where breaking one rule breaks a second, which is right.
    """

    changes: tuple[tuple[str, str], ...]
    path: str
    line: str
    got: str
    rule: str
    fix: str
    others: int = 0


def bad(
    *changes: tuple[str, str], path: str, line: str, got: str, rule: str, fix: str, others: int = 0
) -> Bad:
    """A bad file, by its changes."""
    return Bad(changes, path, line, got, rule, fix, others)


def assert_refused(case: Bad, write: Write) -> None:
    """The file is refused with the problem that the case tells, and no more than that."""
    text = changed(*case.changes)
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text), require_secrets=True)
    problems = caught.value.problems
    of_path = [problem for problem in problems if render_path(problem.path) == case.path]
    assert len(of_path) == 1, str(caught.value)
    (problem,) = of_path
    assert case.got in problem.got
    assert case.rule in problem.rule
    assert case.fix in problem.fix
    if case.line:
        assert case.line in text.splitlines(keepends=True)[problem.line - 1]
    assert len(problems) == 1 + case.others, str(caught.value)
    assert f"Pulumi.test.yaml:{problem.line}: {case.path}\n" in str(caught.value)
