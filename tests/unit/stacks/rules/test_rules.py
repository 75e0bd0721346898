"""The rules as a whole: each is broken by a case of its column."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stacks import rules
from stacks.errors import StackFileError
from stacks.load import load_stack
from stacks.rules.check import Check
from tests.unit.stacks.bad import Bad, Write
from tests.unit.stacks.conftest import changed
from tests.unit.stacks.rules import (
    test_applications,
    test_clusters,
    test_configurations,
    test_environment,
    test_exposure,
    test_machines,
    test_mesh,
    test_names,
    test_namespaces,
    test_network,
    test_policies,
    test_routes,
    test_trust,
)
from tests.unit.stacks.rules.addresses import test_ranges, test_slices

CASES: dict[str, Bad] = {
    **test_applications.CASES,
    **test_clusters.CASES,
    **test_configurations.CASES,
    **test_environment.CASES,
    **test_exposure.CASES,
    **test_machines.CASES,
    **test_mesh.CASES,
    **test_names.CASES,
    **test_namespaces.CASES,
    **test_network.CASES,
    **test_policies.CASES,
    **test_ranges.CASES,
    **test_routes.CASES,
    **test_slices.CASES,
    **test_trust.CASES,
}


def test_every_rule_is_broken_by_one_of_the_cases(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {rule.__name__ for rule in rules.ALL}
    broken: set[str] = set()

    def watched(rule: Callable[[Check], None]) -> Callable[[Check], None]:
        def run(check: Check) -> None:
            before = len(check.document.problems)
            rule(check)
            if len(check.document.problems) > before:
                broken.add(rule.__name__)

        return run

    monkeypatch.setattr(rules, "ALL", tuple(map(watched, rules.ALL)))
    for case in CASES.values():
        with pytest.raises(StackFileError):
            load_stack(write(changed(*case.changes)), require_secrets=True)
    # A slice outside its pool is refused before it can meet a machine network: that is tested apart.
    assert names - broken == {"slices_and_machine_networks_are_apart"}
