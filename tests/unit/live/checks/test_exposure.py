"""Checks that ask gateways, against real ones on loopback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from kubernetes import client

from access import network
from access.network import NameAnswer
from live import gateways
from live.checks import exposure
from live.doctor.model import NotMeasurable
from live.doctor.platform import Platform
from live.gateways import NOBODY_BEHIND
from report.model import Status
from stacks.model import CertificateSpec, GivenParts
from tests.unit.live.checks.support import CA, GATEWAYS, LEAF, gateway, name_server, platform_of
from tests.unit.operations.support import (
    HOST,
    Answers,
    Issued,
    issue,
    make_platform,
    raw_outputs,
    run,
)
from tests.unit.playbooks.gateways import imported

NAME = "eu-1234.elb.example.com"


def service(address: str | None) -> client.V1Service:
    key = "hostname" if address == NAME else "ip"
    ingress = [client.V1LoadBalancerIngress(**{key: address})] if address else None
    return client.V1Service(
        metadata=client.V1ObjectMeta(name="istio-ingressgateway"),
        spec=client.V1ServiceSpec(),
        status=client.V1ServiceStatus(load_balancer=client.V1LoadBalancerStatus(ingress=ingress)),
    )


def test_the_gateway_s_service_must_have_the_address_of_the_outputs() -> None:
    for address, status in (
        ("10.101.1.200", Status.PASS),
        ("10.101.1.201", Status.FAIL),
        (None, Status.FAIL),
    ):
        platform = make_platform({"eu": Answers(services=[service(address)])})
        assert run(exposure.check_gateway_address, platform, "eu").status is status


@pytest.mark.parametrize(
    ("told", "given", "words"),
    [
        (["10.101.1.12"], ["10.101.1.12"], ""),
        (["10.101.1.12"], ["10.101.1.11", "10.101.1.12"], ""),
        (["10.101.1.12"], [], "the service has no address"),
        (["10.101.1.11"], ["10.101.1.11"], "10.101.1.11 is not what the declared nodes have"),
        ([], ["10.101.1.12"], "the service has 10.101.1.12"),
    ],
)
def test_a_gateway_at_addresses_of_nodes_must_have_those_of_the_declared_ones(
    told: list[str], given: list[str], words: str
) -> None:
    at_nodes = client.V1Service(
        metadata=client.V1ObjectMeta(name="istio-ingressgateway"),
        spec=client.V1ServiceSpec(external_ips=given or None),
        status=client.V1ServiceStatus(load_balancer=client.V1LoadBalancerStatus()),
    )
    regions = raw_outputs()["regions"]
    regions["eu"]["gatewayAddresses"] = told
    platform = make_platform({"eu": Answers(services=[at_nodes])}, regions=regions)
    declared = dict(platform.stack.environment.regions)
    own = {"load_balancer": None, "gateway_nodes": ("eu-worker-1",)}
    declared["eu"] = declared["eu"].model_copy(update=own)
    environment = platform.stack.environment.model_copy(update={"regions": declared})
    platform = replace(platform, stack=replace(platform.stack, environment=environment))
    finding = run(exposure.check_gateway_address, platform, "eu")
    assert finding.status is (Status.FAIL if words else Status.PASS), finding
    assert words in finding.message
    assert "metallb" not in (finding.fix or "")


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Platform:
    """The gateway of eu has a name, which leads to two addresses: only the first is one of ours."""
    answer = NameAnswer(("127.0.0.1", "127.0.0.2"), 60)
    monkeypatch.setattr(network, "resolve", lambda gateway, seconds=0.0: answer)
    return platform_of([], {"eu": NAME})


def test_a_gateway_with_a_host_name_is_looked_at_where_that_leads(
    readiness: dict[str, int], named: Platform
) -> None:
    finding = run(exposure.check_gateway_readiness, named, "eu")
    assert finding.status is Status.PASS
    assert f"{NAME}, resolved to 127.0.0.1, 127.0.0.2" in finding.measured
    readiness["us"] = 503
    finding = run(exposure.check_gateway_readiness, named, "eu")
    assert "127.0.0.2: it answers 503" in finding.message


def test_a_gateway_whose_host_name_leads_nowhere_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = NameAnswer((), None, f"{NAME} resolves to no address")
    monkeypatch.setattr(network, "resolve", lambda gateway, seconds=0.0: answer)
    platform = platform_of([], {"eu": NAME})
    assert "resolves to no address" in run(exposure.check_gateway_readiness, platform, "eu").message
    with pytest.raises(NotMeasurable, match="resolves to no address"):
        run(exposure.check_served_certificate, platform, "eu", platform.exposed[0])


def test_a_gateway_s_service_may_have_a_host_name() -> None:
    regions = raw_outputs()["regions"]
    regions["eu"]["gatewayAddresses"] = [NAME]
    platform = make_platform({"eu": Answers(services=[service(NAME)])}, regions=regions)
    finding = run(exposure.check_gateway_address, platform, "eu")
    assert finding.measured == NAME
    assert "the service has" not in finding.message


def test_a_path_is_asked_where_the_host_name_of_a_gateway_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = NameAnswer(("127.0.0.1",), 60)
    monkeypatch.setattr(network, "resolve", lambda gateway, seconds=0.0: answer)
    with gateway(tmp_path) as port, name_server([f"{NAME}."]) as server:
        monkeypatch.setattr(exposure, "HTTPS_PORT", port)
        platform = platform_of([server], {"eu": NAME})
        spec = next(iter(platform.ingresses.values()))
        finding = run(exposure.check_path, platform, spec, spec.paths[0])
    assert finding.status is Status.PASS, finding
    assert "200 through 1 of 1 addresses" in finding.measured


def test_a_gateway_that_is_not_ready_says_what_it_answers(readiness: dict[str, int]) -> None:
    platform = platform_of([], GATEWAYS)
    assert run(exposure.check_gateway_readiness, platform, "eu").status is Status.PASS
    readiness["eu"] = 503
    finding = run(exposure.check_gateway_readiness, platform, "eu")
    assert finding.status is Status.FAIL
    assert "503" in finding.measured


def test_a_gateway_serves_its_clients_where_the_edge_hosts_say_so_too(
    readiness: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name without a route is served; a certificate that clients refuse is not, nor with nobody behind."""
    platform = platform_of([], GATEWAYS)
    readiness["eu"] = 404
    assert run(exposure.check_gateway_readiness, platform, "eu").status is Status.PASS
    for status in NOBODY_BEHIND:
        readiness["eu"] = status
        assert run(exposure.check_gateway_readiness, platform, "eu").status is Status.FAIL
    readiness["eu"] = 200
    other = replace(platform.outputs, ca_certificate=issue("another CA", ca=True).pem)
    finding = run(exposure.check_gateway_readiness, replace(platform, outputs=other), "eu")
    assert "certificate is refused" in finding.measured
    assert "(https://" in finding.measured
    assert imported().NOBODY_BEHIND == NOBODY_BEHIND


def path_finding(
    directory: Path, monkeypatch: pytest.MonkeyPatch, number: int = 0, **given: object
) -> object:
    with gateway(directory, **given) as port, name_server(["127.0.0.1"]) as server:  # type: ignore[arg-type]
        monkeypatch.setattr(exposure, "HTTPS_PORT", port)
        platform = platform_of([server], GATEWAYS)
        spec = next(iter(platform.ingresses.values()))
        return run(exposure.check_path, platform, spec, spec.paths[number])


def test_a_path_answered_by_its_application_with_a_verified_certificate_is_ok(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = path_finding(tmp_path, monkeypatch)
    assert finding.status is Status.PASS, finding  # type: ignore[attr-defined]
    assert "answered in eu" in finding.measured  # type: ignore[attr-defined]


def test_a_path_that_another_application_answers_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = path_finding(tmp_path, monkeypatch, services={"/assetconsumer": "asset-mgr-ms-svc"})
    assert finding.status is Status.FAIL  # type: ignore[attr-defined]
    assert "asset-mgr-ms-svc" in finding.message  # type: ignore[attr-defined]


def test_a_path_without_a_route_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = path_finding(tmp_path, monkeypatch, number=2)
    assert "HTTP 404" in finding.message  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        (issue(HOST, issue("another CA", ca=True), sans=(x509.DNSName(HOST),)), "certificate is refused"),
        (issue("x", CA, sans=(x509.DNSName("else.test"),)), "ertificate is"),
        (issue(HOST, CA, days=-1, age=9, sans=(x509.DNSName(HOST),)), "expired"),
    ],
)
def test_a_certificate_of_another_authority_name_or_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaf: Issued, words: str
) -> None:
    finding = path_finding(tmp_path, monkeypatch, leaf=leaf)
    assert finding.status is Status.FAIL  # type: ignore[attr-defined]
    assert words in finding.message  # type: ignore[attr-defined]


def test_where_no_name_server_is_declared_the_gateways_themselves_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway(tmp_path) as port:
        monkeypatch.setattr(exposure, "HTTPS_PORT", port)
        platform = platform_of([], {"eu": "127.0.0.1", "us": "127.0.0.1"})
        environment = platform.stack.environment.model_copy(update={"global_load_balancer": None})
        platform = replace(platform, stack=replace(platform.stack, environment=environment))
        spec = next(iter(platform.ingresses.values()))
        assert run(exposure.check_path, platform, spec, spec.paths[0]).status is Status.PASS


def test_without_an_answer_of_any_name_server_a_path_cannot_be_measured() -> None:
    platform = platform_of([], GATEWAYS)
    spec = next(iter(platform.ingresses.values()))
    with pytest.raises(NotMeasurable):
        run(exposure.check_path, platform, spec, spec.paths[0])


def test_a_served_certificate_that_ends_soon_fails_its_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = issue(HOST, CA, days=2, age=60, sans=(x509.DNSName(HOST),))
    for leaf, status in ((LEAF, Status.PASS), (soon, Status.FAIL)):
        with gateway(tmp_path, leaf) as port:
            monkeypatch.setattr(exposure, "HTTPS_PORT", port)
            platform = platform_of([], GATEWAYS)
            finding = run(exposure.check_served_certificate, platform, "eu", platform.exposed[0])
        assert finding.status is status


def test_a_published_ca_that_ends_soon_fails_its_check() -> None:
    old = make_platform(caCertificate=issue("old", ca=True, days=1, age=90).pem)
    assert run(exposure.check_published_ca, make_platform()).status is Status.PASS
    assert run(exposure.check_published_ca, old).status is Status.FAIL


@pytest.mark.parametrize(("trusted", "status"), [(True, Status.PASS), (False, Status.FAIL)])
def test_a_given_certificate_is_verified_by_what_its_own_clients_trust(
    trusted: bool, status: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = issue("owner", ca=True)
    leaf = issue(HOST, owner, sans=(x509.DNSName(HOST),))
    with gateway(tmp_path, leaf) as port, name_server(["127.0.0.1"]) as server:
        for module in (exposure, gateways):
            monkeypatch.setattr(module, "HTTPS_PORT", port)
        platform = given_platform(platform_of([server], {"eu": "127.0.0.1"}), owner.pem if trusted else "")
        spec = next(iter(platform.ingresses.values()))
        shown = run(exposure.check_served_certificate, platform, "eu", platform.exposed[0])
        path = run(exposure.check_path, platform, spec, spec.paths[0])
        ready = run(exposure.check_gateway_readiness, platform, "eu")
    assert {finding.status for finding in (shown, path, ready)} == {status}, (shown, path, ready)
    assert shown.expected == f"a certificate for {HOST}, signed by the `ca` of certificate 'site', valid"
    assert trusted or "put it in the place of the one of `certificates.site`" in shown.fix


def given_platform(platform: Platform, authorities: str) -> Platform:
    """The platform with a given certificate for its host."""
    given = GivenParts(certificate="a.pem", private_key="a.key", ca="ca.pem")
    declared = {"certificates": {"site": CertificateSpec(hosts=(HOST,), given=given)}}
    stack = platform.stack
    environment = stack.environment.model_copy(update=declared)
    return replace(
        platform,
        stack=replace(stack, environment=environment),
        outputs=replace(platform.outputs, host_authorities={HOST: authorities}),
    )
