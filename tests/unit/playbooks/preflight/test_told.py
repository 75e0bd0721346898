"""What a preview says of a host's preflight is read again as it was found."""

from __future__ import annotations

from typing import Any

import pytest

from playbooks.preflight import told
from report.model import Finding, Severity, Status
from tests.unit.playbooks.preflight.test_checks import found

DOCKER: tuple[str, Any] = ("services", ["docker"])
SWAP: tuple[str, Any] = ("machine.swap", ["/swap.img"])
LATE: tuple[str, Any] = ("clock.skew", -9.0)
APT: tuple[str, Any] = (
    "packages.error",
    "E: Unable to locate package kubeadm\nE: Broken\n  - swap refuses: no",
)


def against(findings: list[Finding]) -> list[tuple[str, str, str, Severity]]:
    """What of findings is told, in one line each."""
    return [
        (each.rule, " ".join(each.message.split()), " ".join(each.fix.split()), each.severity)
        for each in findings
        if each.status is Status.FAIL
    ]


@pytest.mark.parametrize(
    ("facts", "accept", "short"),
    [
        ((), (), "finds nothing against it"),
        ((DOCKER, SWAP, LATE), (), "refuses: runtime, swap"),
        ((DOCKER, SWAP), ("swap",), "refuses: runtime"),
        ((SWAP, LATE), ("swap",), "warns: swap, clock"),
        ((APT,), (), "refuses: packages"),
    ],
)
def test_what_is_told_is_read_again(
    facts: tuple[tuple[str, Any], ...], accept: tuple[str, ...], short: str
) -> None:
    findings = found(*facts, accept=accept)
    message = told.words("host-1", "prepare", findings)
    assert message.splitlines()[0] == f"host-1 prepare: its preflight {short}"
    assert against(told.read("host-1", message) or []) == against(findings)


@pytest.mark.parametrize(
    "message", ["host-1 prepare: 3 of 9 tasks would change it", "host-1 prepare: not measurable: unreachable"]
)
def test_other_messages_are_of_no_preflight(message: str) -> None:
    assert told.read("host-1", message) is None
