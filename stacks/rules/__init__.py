"""Rules that bind several fields of a stack file.

Each is a small function that says which failure it prevents.
"""

from __future__ import annotations

from collections.abc import Callable

from stacks.rules import addresses, applications, hosts, slices, software
from stacks.rules.check import Check

ALL: tuple[Callable[[Check], None], ...] = (
    *addresses.RULES,
    *hosts.RULES,
    *slices.RULES,
    *software.RULES,
    *applications.RULES,
)


def apply_all(check: Check) -> None:
    """Run every rule; problems go to the check's document."""
    for rule in ALL:
        rule(check)
