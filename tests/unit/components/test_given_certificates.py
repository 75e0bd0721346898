"""Exposed hosts with given certificates, beside those of the gateways' own authority."""

from __future__ import annotations

import base64

import pytest

from tests.unit.components.declared import built, changed, declaration, stack_of
from tests.unit.components.support import Recording


@pytest.fixture(scope="module")
def found(later: None) -> Recording:
    return Recording(built(stack_of(declaration())))


def test_a_host_shows_what_is_given_for_it_in_every_region(found: Recording) -> None:
    for region in ("cloud", "eu", "hosted"):
        secret = found.one("kubernetes:core/v1:Secret", f"{region}.istio-ingress.apart-tls")
        texts = {key: base64.b64decode(text).decode() for key, text in secret.inputs["data"].items()}
        assert texts["tls.crt"].endswith("site.pem chain.pem") or "site.pem" in texts["tls.crt"]
        assert "siteKey" in texts["tls.key"]
        own = found.one("kubernetes:core/v1:Secret", f"{region}.istio-ingress.shop-tls")
        assert base64.b64decode(own.inputs["data"]["tls.crt"]).decode() == "chain of shop.certificate"


def test_nothing_is_issued_for_it(found: Recording) -> None:
    issued = [each.name for each in found.of("crossmesh:tls:Certificate") if "exposed" not in each.name]
    assert "shop.certificate" in issued and "apart.certificate" not in issued


def test_it_is_one_resource_for_all_its_hosts_and_regions_with_its_key_as_a_secret(found: Recording) -> None:
    (given,) = found.of("crossmesh:tls:GivenCertificate")
    assert given.declared == ("certificates", "apart")
    assert "private_key" in given.secrets


def test_another_certificate_changes_one_secret_of_each_region_and_nothing_else_in_clusters(
    found: Recording,
) -> None:
    other = built(stack_of(changed(declaration(), "certificates.apart.given.certificate", "other.pem")))
    differing = {
        each.name
        for urn, each in found.resources.items()
        if each.kubernetes and each.inputs != other[urn].inputs
    }
    assert differing == {f"{region}.istio-ingress.apart-tls" for region in ("cloud", "eu", "hosted")}
    assert {urn for urn, each in found.resources.items() if each.kubernetes} == {
        urn for urn, each in other.items() if each.kubernetes
    }


def test_a_host_that_comes_to_a_given_certificate_keeps_its_secret_and_its_route(found: Recording) -> None:
    without = declaration()
    del without["certificates"]
    before = built(stack_of(without))
    objects = {urn: each.inputs for urn, each in found.resources.items() if each.kubernetes}
    assert objects.keys() == {urn for urn, each in before.items() if each.kubernetes}
    differing = {found.resources[urn].name for urn, inputs in objects.items() if inputs != before[urn].inputs}
    assert differing == {f"{region}.istio-ingress.apart-tls" for region in ("cloud", "eu", "hosted")}


def test_name_servers_verify_it_by_its_own_authorities_alone(found: Recording) -> None:
    edge = found.one("crossmesh:hosts:HostPhase", "eu-edge-1.edge")
    assert edge.inputs["variables"]["gdnsd_trust"] == {"apart.example.test": "ca.pem"}
    without = declaration()
    del without["certificates"]
    edge = Recording(built(stack_of(without))).one("crossmesh:hosts:HostPhase", "eu-edge-1.edge")
    assert "gdnsd_trust" not in edge.inputs["variables"]
