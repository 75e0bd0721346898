"""What Kubernetes 1.36 and later no longer take: sloppy addresses, bounds that do not fit their formats."""

from __future__ import annotations

from typing import Any

import pytest

from components.manifests import Manifest, named
from gate.rules.change import definition_bounds, strict_addresses
from gate.rules.change.strict_addresses import mended
from report.model import UNKNOWN, Finding, Severity
from tests.unit.gate.rules.support import against, at, changes, creation, kubernetes, update

LATE = at(kubernetes="1.36.3", istio="1.30.4")


@pytest.mark.parametrize(
    ("text", "why", "better"),
    [
        ("192.0.2.10", "", ""),
        ("192.0.2.010", "has leading zeros", "192.0.2.10"),
        ("10.0.0.0/08", "has leading zeros", "10.0.0.0/8"),
        ("10.1.2.3/16", "has bits set beyond /16", "10.1.0.0/16"),
        ("010.1.2.3/16", "has bits set beyond /16", "10.1.0.0/16"),
        ("10.1.0.0/16", "", ""),
        ("::ffff:192.0.2.1", "is IPv4 inside of IPv6", "192.0.2.1"),
        ("::ffff:10.0.0.0/104", "is IPv4 inside of IPv6", "10.0.0.0/8"),
        ("2001:DB8:0::1", "", ""),
        ("2001:db8::1/64", "has bits set beyond /64", "2001:db8::/64"),
        ("shop.example.com", "", ""),
        ("999.1.1.1", "", ""),
        (UNKNOWN, "", ""),
    ],
)
def test_an_address_that_is_no_longer_taken_is_said_with_how_to_write_it(
    text: str, why: str, better: str
) -> None:
    assert mended(text) == (why, better)


def service(ranges: list[str], **more: Any) -> Manifest:
    """A service for some networks."""
    return named("v1", "Service", "web", "shop", spec={"loadBalancerSourceRanges": ranges, **more})


def policy(**block: Any) -> Manifest:
    """A policy that lets one block in."""
    spec = {"ingress": [{"from": [{"ipBlock": block}]}]}
    return named("networking.k8s.io/v1", "NetworkPolicy", "web", "shop", spec=spec)


def deployment(pod: dict[str, Any]) -> Manifest:
    """A deployment of such pods."""
    return named("apps/v1", "Deployment", "web", "shop", spec={"template": {"spec": pod}})


@pytest.mark.parametrize(
    ("manifest", "words", "fix"),
    [
        (
            service(["10.1.2.3/16"]),
            "spec.loadBalancerSourceRanges[0] 10.1.2.3/16 has bits set beyond /16",
            "write 10.1.0.0/16",
        ),
        (
            service([], externalIPs=["192.0.2.1", "192.0.2.010"]),
            "spec.externalIPs[1] 192.0.2.010 has leading zeros",
            "write 192.0.2.10",
        ),
        (
            policy(cidr="10.0.0.0/8", **{"except": ["10.1.2.3/16"]}),
            "spec.ingress[0].from[0].ipBlock.except[0] 10.1.2.3/16 has bits set beyond /16",
            "write 10.1.0.0/16",
        ),
        (
            deployment({"hostAliases": [{"ip": "010.0.0.1", "hostnames": ["a"]}]}),
            "spec.hostAliases[0].ip 010.0.0.1 has leading zeros",
            "write 10.0.0.1",
        ),
        (
            named(
                "v1",
                "Service",
                "web",
                "shop",
                annotations={
                    "service.beta.kubernetes.io/load-balancer-source-ranges": "10.0.0.0/8, 10.1.2.3/16"
                },
            ),
            "metadata.annotations.service.beta.kubernetes.io/load-balancer-source-ranges 10.1.2.3/16 "
            "has bits set beyond /16",
            "write 10.1.0.0/16",
        ),
    ],
    ids=["ranges", "external", "policy", "pods", "annotation"],
)
def test_a_new_object_with_one_is_refused_from_1_36_on(manifest: Manifest, words: str, fix: str) -> None:
    found = changes(creation(kubernetes(manifest)))
    (finding,) = against(strict_addresses.CHECK, found, of=LATE)
    assert finding.message == f"{words}: Kubernetes 1.36.3 refuses it"
    assert (finding.fix, finding.severity) == (fix, Severity.ERROR)
    assert against(strict_addresses.CHECK, found, of=at(kubernetes="1.35.3")) == []


def test_one_that_is_stored_is_a_warning_and_a_second_one_beside_it_is_not() -> None:
    old, new = kubernetes(service(["10.1.2.3/16"])), kubernetes(service(["10.1.2.3/16", "10.9.2.3/16"]))
    (kept,) = against(strict_addresses.CHECK, changes(same=[old]), of=LATE)
    assert kept.severity is Severity.WARNING
    assert kept.message.endswith("Kubernetes 1.36.3 refuses it, once what holds it is changed")
    found = against(strict_addresses.CHECK, changes(update(old, new)), of=LATE)
    assert [finding.severity for finding in found] == [Severity.WARNING, Severity.ERROR]


def test_of_pods_nothing_is_kept_for_each_new_one_is_held_to_it() -> None:
    there = kubernetes(deployment({"dnsConfig": {"nameservers": ["010.0.0.1"]}}))
    (finding,) = against(strict_addresses.CHECK, changes(same=[there]), of=LATE)
    assert finding.severity is Severity.ERROR


def definition(**number: Any) -> Manifest:
    """A definition with one number."""
    schema = {"properties": {"spec": {"properties": {"asn": {"type": "integer", **number}}}}}
    versions = [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]
    spec = {"group": "example.org", "names": {"kind": "Peer"}, "versions": versions}
    return named("apiextensions.k8s.io/v1", "CustomResourceDefinition", "peers.example.org", spec=spec)


def bounds(*manifests: Manifest) -> list[Finding]:
    """What the rule says of these on 1.36."""
    return against(
        definition_bounds.CHECK, changes(*(creation(kubernetes(one)) for one in manifests)), of=LATE
    )


@pytest.mark.parametrize(
    ("number", "misfit"),
    [
        ({"format": "int32", "maximum": 2**31 - 1, "minimum": -(2**31)}, ""),
        ({"format": "int64", "maximum": 4294967295}, ""),
        ({"maximum": 4294967295}, ""),
        ({"format": "int32"}, ""),
        ({"format": "int32", "maximum": 4294967295}, "maximum 4294967295, which is no int32"),
        ({"maximum": 2**64 - 1}, f"maximum {2**64 - 1}, which is no int64"),
        ({"minimum": 0.5}, "minimum 0.5, which is no int64"),
    ],
)
def test_a_bound_that_does_not_fit_its_format_is_a_warning(number: dict[str, Any], misfit: str) -> None:
    found = bounds(definition(**number))
    expected = [f"v1 spec.asn has {misfit}: Kubernetes 1.36.3 refuses every Peer that has it"]
    assert [finding.message for finding in found] == expected * bool(misfit)
    assert all(finding.severity is Severity.WARNING for finding in found)


def test_where_there_are_objects_of_it_it_is_an_error() -> None:
    peer = named("example.org/v1", "Peer", "one", "shop", spec={"asn": 1})
    (finding,) = bounds(definition(format="int32", maximum=2**32), peer)
    assert finding.severity is Severity.ERROR
    assert finding.fix.startswith("bring a release of it whose bounds fit")
