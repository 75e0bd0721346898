from __future__ import annotations

import pytest

from access.outputs import GatewayAddress, parse_outputs
from report.errors import OperationsError
from tests.unit.operations.support import HOST, raw_outputs


def test_the_contract_of_outputs_is_read() -> None:
    outputs = parse_outputs("lab", raw_outputs())
    assert outputs.host == HOST
    assert [server.port for server in outputs.nameservers] == [53, 53]
    assert sorted(outputs.regions) == ["eu", "us"]
    assert str(outputs.regions["eu"].nodes["eu-worker-1"].pod_cidr) == "172.30.1.0/24"


def test_every_missing_output_is_named_with_the_command_that_makes_it() -> None:
    raw = raw_outputs()
    del raw["regions"], raw["nameservers"]
    with pytest.raises(OperationsError, match=r"nameservers, regions.*pulumi up --stack lab"):
        parse_outputs("lab", raw)


def test_an_output_of_another_form_is_refused() -> None:
    raw = raw_outputs()
    raw["nameservers"] = ["somewhere"]
    with pytest.raises(OperationsError, match="not of the form"):
        parse_outputs("lab", raw)


def test_kubeconfigs_are_never_shown_by_repr() -> None:
    assert "kubeconfig text" not in repr(parse_outputs("lab", raw_outputs()))


def test_a_gateway_that_a_cloud_gave_a_host_name_is_read() -> None:
    raw = raw_outputs()
    raw["regions"]["us"]["gatewayAddresses"] = ["k8s-1a2b.elb.us-east-1.amazonaws.com."]
    regions = parse_outputs("lab", raw).regions
    (named,), (addressed,) = regions["us"].gateway_addresses, regions["eu"].gateway_addresses
    assert named.is_name
    assert str(named) == "k8s-1a2b.elb.us-east-1.amazonaws.com"
    assert not addressed.is_name


def test_a_gateway_may_have_several_addresses_or_none_yet() -> None:
    raw = raw_outputs()
    raw["regions"]["us"]["gatewayAddresses"] = ["192.0.2.151", "198.51.100.118"]
    raw["regions"]["eu"]["gatewayAddresses"] = [None]
    regions = parse_outputs("lab", raw).regions
    assert list(map(str, regions["us"].gateway_addresses)) == ["192.0.2.151", "198.51.100.118"]
    assert regions["eu"].gateway_addresses == ()


@pytest.mark.parametrize(
    "text", ["172.31.0", "172.31.0.256", "fd00::1", "two words.example", "localhost", "-"]
)
def test_a_gateway_address_is_an_ipv4_address_or_a_host_name(text: str) -> None:
    with pytest.raises(ValueError):
        GatewayAddress.of(text)


def test_clients_trust_what_is_said_of_the_host_that_they_ask_for_or_of_all() -> None:
    raw = raw_outputs()
    assert parse_outputs("lab", raw).authorities_of("a.test") == raw["caCertificate"]
    raw["hostAuthorities"] = {"*.b.test": "B", "a.b.test": "", "*.c.b.test": "C"}
    outputs = parse_outputs("lab", raw)
    asked = ("a.b.test", "x.b.test", "x.c.b.test", "b.test", "other.test")
    own = raw["caCertificate"]
    assert [outputs.authorities_of(host) for host in asked] == ["", "B", "C", own, own]
