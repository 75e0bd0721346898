"""The reference of the gate's rules, made from the rules themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gate.rules import fixed_rules
from policies.privileges import ALLOWED as PRIVILEGES
from policies.roles import ALLOWED as GRANTS
from report.model import Rule
from stacks.load import PROJECT

FILE = PROJECT / "docs" / "reference" / "gate-rules.md"
INTRODUCTION = Path(__file__).with_name("reference-introduction.md")

_TITLES = {
    "policy": "Policies: what every object must keep to",
    "change": "The change itself: what there was, against what there will be",
    "schema": "Schemas",
    "istio": "Istio",
    "waiver": "Waivers",
}


def render() -> str:
    """The reference, as the text of its file."""
    parts = [INTRODUCTION.read_text(encoding="utf-8")]
    rules = fixed_rules()
    for family, title in _TITLES.items():
        parts.append(f"\n## {title}\n")
        parts += [_entry(rule) for rule in sorted(rules, key=lambda rule: rule.id) if rule.family == family]
    parts.append("\n## Exceptions\n\nParts of the platform that need what a policy refuses, each with why.\n")
    parts += ["| what | may have | why |", "|---|---|---|", *_exceptions()]
    return "\n".join(parts) + "\n"


def _entry(rule: Rule) -> str:
    return f"**`{rule.id}`** ({rule.severity}) {rule.title}. {rule.help}\n"


def _exceptions() -> Iterator[str]:
    for (namespace, kind, name), privileges in sorted(PRIVILEGES.items()):
        for privilege, why in privileges.items():
            yield f"| {kind} `{namespace}/{name}` | {privilege} | {why} |"
    for (kind, namespace, name), grants in sorted(GRANTS.items()):
        for grant in grants:
            what = f"{', '.join(sorted(grant.verbs))} on {', '.join(sorted(grant.resources))}"
            where = f"{namespace}/{name}" if namespace else name
            yield f"| {kind} `{where}` | {what} of {', '.join(sorted(grant.groups))} | {grant.why} |".replace(
                "*", "\\*"
            )
