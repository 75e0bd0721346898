"""What is trusted goes on being trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from access.root_key import CONFIG_KEY
from components.tokens import BARE_METAL_CLUSTER, GATEWAY_TRUST, MESH_TRUST
from gate.rules.subject import Check, Subject, failed, not_measurable
from playbooks.provider.tls import Request, still_trusted
from playbooks.tokens import CERTIFICATE_AUTHORITY
from playbooks.work.clusters import authority_name
from report.model import Against, Change, Finding, Op, Resource, Rule
from report.urns import parent_type
from stacks.load import Stack
from stacks.model import BareMetalClusterSpec
from stacks.named_secrets import MESH_ROOT_KEY

RULE = Rule(
    "change/trust-kept",
    "What was signed before is trusted after: of the mesh, of gateways, of clusters",
    "With another trust domain every identity gets another name, which no policy knows. With a root by which "
    "earlier certificates do not verify, those who have the old one and those who have the new one refuse "
    "each other at once: proxies all over the mesh, clients of gateways, nodes of a cluster. Whether they "
    "verify is tried with keys of the moment. Roots are changed by steps in which old and new hold together, "
    "not by a line in a stack file.",
)

_DOMAIN = "trust_domain"
_KEY = "private_key"
_ROOTS = {
    MESH_TRUST: (
        "the mesh's root of trust",
        1,
        f"keep the root's key, as the secret {MESH_ROOT_KEY}",
    ),
    GATEWAY_TRUST: ("the authority that clients of gateways trust", 0, "keep it as it is"),
    BARE_METAL_CLUSTER: ("the authority that the cluster's nodes trust", 0, "keep it as it is"),
}
"""Components whose authorities others hold on to: what these are, how many are below them, and a way out."""


def _find(subject: Subject) -> Iterator[Finding]:
    domain = _old_domain(subject)
    mesh = subject.stack.environment.mesh
    if domain and domain != mesh.trust_domain:
        urn = next((found.urn for found in subject.after if found.type == MESH_TRUST), "")
        words = f"the trust domain was {domain}, and will be {mesh.trust_domain}"
        yield failed(RULE, words, urn, fix=f"keep mesh.trustDomain: {domain}")
    gone = {change.urn for change in subject.changes.changes if change.op is Op.DELETE}
    for change in subject.changes.changes:
        old = change.old
        if old is None or old.type != CERTIFICATE_AUTHORITY or (root := _ROOTS.get(parent_type(old))) is None:
            continue
        if change.op is Op.DELETE and old.parent in gone:
            # It goes with all that trusted it, which is a change to be approved.
            continue
        if change.op is Op.DELETE and _is_retired(subject, old):
            continue
        name, depth, fix = root
        if what := _what_happens(change, old, depth):
            yield failed(RULE, f"{name}, {old.name}, {what}", change.urn, fix=fix)
    # The engine compares secrets where it has a state; elsewhere both sides have the same stand-in.
    if subject.changes.against is Against.BASE and _written_anew(subject):
        words = f"the secret {MESH_ROOT_KEY} was written anew; only the state can tell whether it is the same"
        yield not_measurable(RULE, words)


def _is_retired(subject: Subject, old: Resource) -> bool:
    """Whether it is an authority of a cluster that another one has followed: that what it has issued is shown
    by nobody any more is seen to by `change/certificate-authorities`, and by hosts."""
    had, has = (_authorities(stack, old.region) for stack in (subject.before, subject.stack))
    gone = {authority_name(old.region, number) for number in set(had) - set(has)}
    return bool(had) and had[0] in has and old.inputs.get("common_name") in gone


def _authorities(stack: Stack | None, region: str) -> tuple[int, ...]:
    spec = stack.environment.regions.get(region) if stack else None
    if spec is None or not isinstance(spec.cluster, BareMetalClusterSpec):
        return ()
    return spec.cluster.certificate_authorities


def _old_domain(subject: Subject) -> str:
    """The trust domain that there is; empty where nobody knows, or there is no mesh."""
    for found in subject.changes.before:
        if found.type == MESH_TRUST and _DOMAIN in found.inputs:
            return str(found.inputs[_DOMAIN])
    return subject.before.environment.mesh.trust_domain if subject.before is not None else ""


def _what_happens(change: Change, old: Resource, depth: int) -> str:
    """What becomes of a root, where that breaks what it has signed; empty where it does not."""
    if change.op is Op.REPLACE:
        return "is replaced: nothing that it has signed is trusted any more"
    if change.op is Op.DELETE or change.new is None:
        return "goes"
    before, after = old.inputs, change.new.inputs
    if bool(before.get("issuer")) != bool(after.get("issuer")):
        return "gets or loses an authority above: who has the old root does not trust the new one"
    same_key = all(entry.path != _KEY for entry in change.properties)
    if still_trusted(_request(before), _request(after), same_key=same_key, depth=depth):
        return ""
    if not same_key:
        return "gets another key: nothing that it has signed verifies by it"
    others = ", ".join(entry.path for entry in change.properties)
    return f"is issued anew with another {others}: what it has signed does not verify by it"


def _request(inputs: Mapping[str, Any]) -> Request:
    return Request.of(inputs, ca=True)


def _written_anew(subject: Subject) -> bool:
    """Whether the stack file has the root's key in other letters, encrypted as it is."""
    old, new = (_letters(stack) if stack else None for stack in (subject.before, subject.stack))
    return bool(old and new and old != new)


def _letters(stack: Stack) -> Any:
    return ((yaml.safe_load(stack.path.read_text()) or {}).get("config") or {}).get(CONFIG_KEY)


CHECK = Check("trust", RULE, _find)
