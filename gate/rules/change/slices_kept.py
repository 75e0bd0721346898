"""A slice of the address space stays with whom it was given to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network

from components.tokens import REGION
from gate.rules.subject import Check, Subject, failed, part
from report.model import Finding, Resource, Rule
from report.urns import kind
from stacks.ledger import Ledger
from stacks.model import BareMetalClusterSpec

RULE = Rule(
    "change/slices-kept",
    "No slice of the address space moves",
    "Pods keep the addresses that they have, whatever the ledger says later, and routers send them where the "
    "ledger says. A slice that moves, or that goes to somebody else, takes running pods off the network. "
    "Restore the entry. A node gets another slice by being removed and declared under another name.",
)

_RECORD = "crossmesh-pod-network"
"""Name of the ConfigMap that tells a cluster its slices, which is what was applied last."""

Owner = tuple[str, str]
"""Region, and what in it: `pods`, `services`, or a node's name after `node `."""


def _find(subject: Subject) -> Iterator[Finding]:
    urns = {found.name: found.urn for found in subject.after if found.type == REGION}
    now = _entries(subject.stack.ledger)
    had = _entries(subject.before.ledger) if subject.before is not None else {}
    had |= _applied(subject)
    for owner, old in sorted(had.items()):
        region, what = owner
        new = now.get(owner)
        urn = urns.get(region, "")
        if new is not None and new != old:
            words = f"region '{region}', {what}: its slice was {old}, and will be {new}"
            yield failed(RULE, words, urn, fix=f"restore {old} in crossmesh:ledger")
        elif new is None:
            heir = _heir(owner, old, now)
            if heir is not None:
                words = (
                    f"{old} was the slice of {what} of region '{region}', and goes to {heir[1]} of region "
                    f"'{heir[0]}' while routes to it may be about"
                )
                yield failed(RULE, words, urns.get(heir[0], ""), fix="take a slice that nobody has had")


def _heir(owner: Owner, slice_: IPv4Network, now: Mapping[Owner, IPv4Network]) -> Owner | None:
    """Who else of the same kind has a slice now; a cluster's slice holds those of its nodes."""
    of_node = owner[1].startswith("node ")
    for other, network in sorted(now.items()):
        if other[1].startswith("node ") == of_node and network.overlaps(slice_):
            return other
    return None


def _entries(ledger: Ledger) -> dict[Owner, IPv4Network]:
    found: dict[Owner, IPv4Network] = {}
    for region, slices in ledger.clusters.items():
        found[region, "pods"] = slices.pods
        found[region, "services"] = slices.services
    for region, nodes in ledger.nodes.items():
        found |= {(region, f"node {name}"): slice_ for name, slice_ in nodes.items()}
    return found


def _applied(subject: Subject) -> dict[Owner, IPv4Network]:
    """The slices that clusters on bare metal have been told; adopted ones have ranges of their own."""
    found: dict[Owner, IPv4Network] = {}
    regions = subject.stack.environment.regions
    for resource in subject.changes.before:
        region = resource.region
        spec = regions.get(region)
        adopted = spec is not None and not isinstance(spec.cluster, BareMetalClusterSpec)
        if (
            kind(resource) == "ConfigMap"
            and part(resource, "metadata").get("name") == _RECORD
            and not adopted
        ):
            found |= {(region, what): slice_ for what, slice_ in _record(resource).items()}
    return found


def _record(resource: Resource) -> dict[str, IPv4Network]:
    data = part(resource, "data")
    try:
        nodes = json.loads(str(data.get("nodes") or "{}"))
        made = {f"node {name}": IPv4Network(slice_) for name, slice_ in nodes.items()}
        return {**made, "pods": IPv4Network(data["podCidr"]), "services": IPv4Network(data["serviceCidr"])}
    except (KeyError, ValueError):
        # Of a form that is not this version's: the declaration before is all there is to compare with.
        return {}


CHECK = Check("addresses", RULE, _find)
