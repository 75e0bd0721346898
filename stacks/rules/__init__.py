"""Rules that bind several fields of a stack file: small functions that say which failure they prevent."""

from __future__ import annotations

from collections.abc import Callable

from stacks.rules import (
    addresses,
    applications,
    clusters,
    configurations,
    environment,
    exposure,
    machines,
    mesh,
    names,
    namespaces,
    network,
    policies,
    routes,
    trust,
)
from stacks.rules.check import Check

COLUMNS: dict[str, tuple[Callable[[Check], None], ...]] = {
    "Versions and images": environment.RULES,
    "Addresses and the ledger": addresses.RULES,
    "Machines": machines.RULES,
    "Clusters": (*clusters.RULES, *configurations.RULES),
    "Network": network.RULES,
    "Trust": trust.RULES,
    "Mesh": mesh.RULES,
    "Namespaces": namespaces.RULES,
    "Applications": applications.RULES,
    "Exposure": (*exposure.RULES, *routes.RULES),
    "Names": (*names.RULES, *policies.RULES),
}
"""The rules by column, under the titles of the reference."""


ALL = tuple(rule for rules in COLUMNS.values() for rule in rules)


def apply_all(check: Check) -> None:
    """Run every rule; problems go to the check's document."""
    for rule in ALL:
        rule(check)
