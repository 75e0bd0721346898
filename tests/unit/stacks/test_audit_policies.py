from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks.audit_policies import complaints

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
ROLE = Path(__file__).resolve().parents[2] / "golden" / "playbooks" / "control_plane" / "audit-policy.yaml"


def said(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    return complaints(file)


def of_rule(tmp_path: Path, **rule: Any) -> list[str]:
    return said(tmp_path, HEAD + yaml.safe_dump({"rules": [{"level": "Metadata", **rule}]}))


def test_the_role_s_own_policy_is_one() -> None:
    assert complaints(ROLE) == []


def test_every_field_is_taken(tmp_path: Path) -> None:
    rule = {
        "level": "None",
        "users": ["a"],
        "userGroups": ["b"],
        "verbs": ["get"],
        "namespaces": ["c"],
        "resources": [{"group": "apps", "resources": ["deployments/*"], "resourceNames": ["d"]}, {}],
        "omitStages": ["Panic"],
        "omitManagedFields": True,
    }
    others = {"level": "Request", "nonResourceURLs": ["*", "/a*"]}
    policy = {
        "metadata": {"name": "x"},
        "omitStages": ["RequestReceived"],
        "omitManagedFields": True,
        "rules": [rule, others],
    }
    assert said(tmp_path, HEAD + yaml.safe_dump(policy)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "no YAML"),
        ("- level: None\n", "no audit policy"),
        ("apiVersion: audit.k8s.io/v1beta1\nkind: Policy\nrules: [{level: None}]\n", "no audit policy"),
        (HEAD, "rules: it needs at least one"),
        (HEAD + "rules: []\n", "rules: it needs at least one"),
        (HEAD + "rules: [x]\n", "rules[0]: a rule is a mapping"),
        (HEAD + "rule: []\nrules: [{level: None}]\n", "rule: no such field"),
        (HEAD + "omitStages: [Received]\nrules: [{level: None}]\n", "omitStages: of"),
    ],
)
def test_what_is_no_policy_is_said(tmp_path: Path, text: str, words: str) -> None:
    (complaint,) = said(tmp_path, text)
    assert complaint.startswith(words)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"level": "metadata"}, "rules[0].level: one of None, Metadata"),
        ({"user": ["a"]}, "rules[0].user: no such field"),
        ({"users": "a"}, "rules[0].users: a list of texts"),
        ({"omitStages": ["x"]}, "rules[0].omitStages: of"),
        ({"nonResourceURLs": ["/a"], "namespaces": ["b"]}, "rules[0]: nonResourceURLs stand without"),
        ({"nonResourceURLs": ["a"]}, "rules[0].nonResourceURLs: a is no path"),
        ({"nonResourceURLs": ["/a*/b"]}, "rules[0].nonResourceURLs: /a*/b is no path"),
        ({"resources": ["pods"]}, "rules[0].resources: a list of mappings"),
        ({"resources": [{"group": "apps/v1"}]}, "rules[0].resources: apps/v1 is no group's name"),
        ({"resources": [{"resource": []}]}, "rules[0].resources.resource: no such field"),
        ({"resources": [{"resources": "pods"}]}, "rules[0].resources.resources: a list of texts"),
        ({"resources": [{"resourceNames": ["a"]}]}, "rules[0].resources: resourceNames stand with"),
    ],
)
def test_what_a_rule_may_not_have_is_said_with_its_place(
    tmp_path: Path, rule: dict[str, Any], words: str
) -> None:
    (complaint,) = of_rule(tmp_path, **rule)
    assert complaint.startswith(words)
