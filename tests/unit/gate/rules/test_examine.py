"""All rules together over the reference environment, and the page that describes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gate.rules import examine, fixed_rules
from report.model import Finding, Rule, Severity, Status
from stacks.load import PROJECT
from tests.unit.gate.rules.support import MENDED, changes, creation, kubernetes, stack
from tests.unit.policies.support import changed, web

IMAGE = ("spec", "template", "spec", "containers", 0, "image")


def examined(
    *manifests: Any, waivers: Path = PROJECT / "policies" / "none.yaml"
) -> tuple[tuple[Rule, ...], tuple[Finding, ...]]:
    found = changes(*[creation(kubernetes(manifest)) for manifest in manifests])
    return examine(changes=found, stack=stack(), before=None, events=(), today=MENDED, waivers=waivers)


def test_every_rule_has_a_finding_and_every_finding_a_rule() -> None:
    rules, findings = examined(*web())
    assert {rule.id for rule in rules} == {finding.rule for finding in findings}
    assert [rule.id for rule in rules] == sorted(rule.id for rule in rules)
    assert {finding.status for finding in findings} == {Status.PASS}


def test_the_same_input_has_the_same_answer_in_the_same_order() -> None:
    manifests = [*web(1), changed(web()[2], "web", *IMAGE)]
    assert examined(*manifests) == examined(*manifests)


def test_waivers_are_applied_to_all(tmp_path: Path) -> None:
    file = tmp_path / "policies" / "waivers.yaml"
    file.parent.mkdir()
    file.write_text(
        "- {rule: policy/images-pinned, resource: eu.shop.web, owner: shop-team,\n"
        "   reason: the supplier publishes no tags, expires: 2027-05-31}\n"
    )
    _, findings = examined(changed(web()[2], "web", *IMAGE), waivers=file)
    assert [finding.status for finding in findings if finding.rule == "policy/images-pinned"] == [
        Status.WAIVED
    ]


def test_families_are_those_that_are_documented() -> None:
    assert {rule.family for rule in fixed_rules()} == {"change", "istio", "policy", "schema", "waiver"}
    assert all(rule.help for rule in fixed_rules())
    assert {rule.severity for rule in fixed_rules()} <= set(Severity)
