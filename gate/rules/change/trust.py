"""What the mesh trusts stays what it is."""

from __future__ import annotations

from collections.abc import Iterator

from components.tokens import MESH_TRUST
from gate.rules.subject import Check, Subject, failed
from playbooks.tokens import CERTIFICATE_AUTHORITY
from report.model import Change, Finding, Op, Rule
from report.urns import parent_type

RULE = Rule(
    "change/trust-kept",
    "The mesh keeps its trust domain and its root of trust",
    "With another trust domain every identity gets another name, which no policy knows; with another root, "
    "proxies that have the old one refuse those that have the new one, all over the mesh at once. Both are "
    "changed by steps in which old and new hold together, not by a line in a stack file.",
)

_DOMAIN = "trust_domain"
_KEY = "private_key"


def _find(subject: Subject) -> Iterator[Finding]:
    domain = _old_domain(subject)
    mesh = subject.stack.environment.mesh
    if domain and domain != mesh.trust_domain:
        urn = next((found.urn for found in subject.after if found.type == MESH_TRUST), "")
        words = f"the trust domain was {domain}, and will be {mesh.trust_domain}"
        yield failed(RULE, words, urn, fix=f"keep mesh.trustDomain: {domain}")
    for change in subject.changes.changes:
        old = change.old
        if old is None or old.type != CERTIFICATE_AUTHORITY or parent_type(old) != MESH_TRUST:
            continue
        if what := _what_happens(change):
            fix = "keep the root's key, as the stack's secret meshRootKey"
            yield failed(RULE, f"the mesh's root of trust {old.name} {what}", change.urn, fix=fix)


def _old_domain(subject: Subject) -> str:
    """The trust domain that there is; empty where nobody knows, or there is no mesh."""
    for found in subject.changes.before:
        if found.type == MESH_TRUST and _DOMAIN in found.inputs:
            return str(found.inputs[_DOMAIN])
    return subject.before.environment.mesh.trust_domain if subject.before is not None else ""


def _what_happens(change: Change) -> str:
    """What becomes of the root in a change; empty where it stays the same root."""
    if change.op is Op.REPLACE:
        return "is replaced"
    if change.op is Op.DELETE:
        return "goes"
    # A root that is only signed anew with its own key is still the same root.
    return "gets another key" if any(entry.path == _KEY for entry in change.properties) else ""


CHECK = Check("trust", RULE, _find)
