"""Addresses of objects are those that Kubernetes 1.36 and later still take."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gate.rules.schema.objects import Object, objects
from gate.rules.subject import Check, Subject, failed
from policies.objects import pod_template
from releases import numbers
from report.model import Finding, Rule, Severity
from stacks.errors import KeyPath, joined
from stacks.model import Environment

RULE = Rule(
    "change/strict-addresses",
    "Addresses of objects are those that Kubernetes 1.36 and later still take",
    "From 1.36 on API servers refuse addresses with leading zeros, which some programs read as octal, IPv4 "
    "inside of IPv6, and networks with bits set beyond their prefix length; earlier ones took them "
    "(StrictIPCIDRValidation). What is stored of a Service or a NetworkPolicy stays until it is changed, "
    "which is a warning. By `isValidIPForLegacyField` and its like in the source of 1.36.3.",
)

_SINCE = (1, 36)
_OCTETS = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:/(\d{1,4}))?", re.ASCII)
_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_KEPT = frozenset({"Service", "NetworkPolicy"})
"""Kinds of which API servers take a value that was there before."""

_Path = tuple[str, ...]
_ADDRESSES: Mapping[str, tuple[_Path, ...]] = {
    "EndpointSlice": (("endpoints", "addresses"),),
    "Endpoints": (("subsets", "addresses", "ip"), ("subsets", "notReadyAddresses", "ip")),
    "NetworkPolicy": tuple(
        ("spec", way, peers, "ipBlock", key)
        for way, peers in (("ingress", "from"), ("egress", "to"))
        for key in ("cidr", "except")
    ),
    "Service": (
        ("spec", "clusterIPs"),
        ("spec", "externalIPs"),
        ("spec", "loadBalancerSourceRanges"),
    ),
}
"""Where objects have addresses and networks; lists on the way are gone through."""
_OF_PODS: tuple[_Path, ...] = (("spec", "hostAliases", "ip"), ("spec", "dnsConfig", "nameservers"))


def mended(text: str) -> tuple[str, str]:
    """What 1.36 and later refuse an address or network for, and how to write it; two empty texts for none.

    What is no address at all is refused by earlier ones too, and nothing is said of it here.
    """
    octets = _OCTETS.fullmatch(text)
    whole = text
    if octets:
        whole = ".".join(str(int(octet)) for octet in octets.groups()[:4])
        whole += f"/{int(octets[5])}" if octets[5] is not None else ""
    try:
        interface = ipaddress.ip_interface(whole)
    except ValueError:
        return "", ""
    address: ipaddress.IPv4Address | ipaddress.IPv6Address = interface.ip
    prefix = interface.network.prefixlen
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if inner is not None:
        return "is IPv4 inside of IPv6", f"{inner}/{max(prefix - 96, 0)}" if "/" in text else str(inner)
    if "/" in text and interface.network.network_address != address:
        return f"has bits set beyond /{prefix}", str(interface.network)
    return ("has leading zeros", whole) if whole != text and octets else ("", "")


def since_strict(environment: Environment) -> dict[str, str]:
    """The regions whose Kubernetes is 1.36 or later, as far as it is declared, with that version."""
    versions = {name: environment.versions_of(name).kubernetes for name in environment.regions}
    return {name: version for name, version in versions.items() if version and numbers(version)[:2] >= _SINCE}


def _find(subject: Subject) -> Iterator[Finding]:
    strict = since_strict(subject.stack.environment)
    before = {resource.urn: resource.inputs for resource in subject.changes.before}
    for entry in objects(subject.after):
        if entry.region not in strict:
            continue
        had = before.get(entry.resource.urn) if entry.kind in _KEPT else None
        kept = {text for _, text in _found(entry, had)} if had else set()
        for path, text in _found(entry, entry.content):
            why, better = mended(text)
            if why:
                is_kept = text in kept
                words = f"{joined(path)} {text} {why}: Kubernetes {strict[entry.region]} refuses it"
                words += ", once what holds it is changed" if is_kept else ""
                severity = Severity.WARNING if is_kept else None
                yield failed(RULE, words, entry.resource.urn, fix=f"write {better}", severity=severity)


def _found(entry: Object, content: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """The addresses and networks of an object, each with its path."""
    for path in _ADDRESSES.get(entry.kind, ()):
        yield from _texts(content, path)
    if template := pod_template(entry.resource.type, content):
        for path in _OF_PODS:
            yield from _texts(template, path)
    if entry.kind == "Service":
        for place, text in _texts(content, ("metadata", "annotations", _RANGES)):
            yield from ((place, part.strip()) for part in text.split(","))


def _texts(value: Any, path: _Path, seen: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """The texts at a path below a value."""
    if isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _texts(entry, path, (*seen, index))
    elif isinstance(value, Mapping) and path:
        yield from _texts(value.get(path[0]), path[1:], (*seen, path[0]))
    elif isinstance(value, str) and not path:
        yield seen, value.strip()


CHECK = Check("clusters", RULE, _find)
