"""A slice of the address space stays with whom it was given to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any

from components.manifests.network import SLICES
from gate.rules.subject import Check, Subject, failed, part, region_urns
from report.model import Finding, Rule
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

Owner = tuple[str, str]
"""Region, and what in it: `pods`, `services`, or a node's name after `node `."""


def _find(subject: Subject) -> Iterator[Finding]:
    urns = region_urns(subject.after)
    now = _entries(subject.stack.ledger)
    had = _entries(subject.before.ledger) if subject.before is not None else {}
    for owner, old in sorted((had | _applied(subject)).items()):
        region, what = owner
        new = now.get(owner)
        if new is not None and new != old:
            words = f"region '{region}', {what}: its slice was {old}, and will be {new}"
            yield failed(RULE, words, urns.get(region, ""), fix=f"restore {old} in crossmesh:ledger")
        elif new is None and (heir := _heir(owner, old, now)):
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
    entries: dict[Owner, IPv4Network] = {}
    for region, slices in ledger.clusters.items():
        entries |= {(region, "pods"): slices.pods, (region, "services"): slices.services}
    for region, nodes in ledger.nodes.items():
        entries |= {(region, f"node {name}"): slice_ for name, slice_ in nodes.items()}
    return entries


def _applied(subject: Subject) -> dict[Owner, IPv4Network]:
    """The slices that clusters on bare metal have been told; adopted ones have ranges of their own."""
    entries: dict[Owner, IPv4Network] = {}
    regions = subject.stack.environment.regions
    for resource in subject.changes.before:
        if kind(resource) != "ConfigMap" or part(resource, "metadata").get("name") != SLICES:
            continue
        spec = regions.get(resource.region)
        if spec is None or isinstance(spec.cluster, BareMetalClusterSpec):
            record = _record(part(resource, "data"))
            entries |= {(resource.region, what): slice_ for what, slice_ in record.items()}
    return entries


def _record(data: Mapping[str, Any]) -> dict[str, IPv4Network]:
    try:
        nodes = json.loads(str(data.get("nodes") or "{}"))
        slices = {f"node {name}": IPv4Network(slice_) for name, slice_ in nodes.items()}
        return slices | {"pods": IPv4Network(data["podCidr"]), "services": IPv4Network(data["serviceCidr"])}
    except (KeyError, ValueError):
        # Of a form that is not this version's: the declaration before is all there is to compare with.
        return {}


CHECK = Check("addresses", RULE, _find)
