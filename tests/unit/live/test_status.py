"""Nodes, gateways and answers at a glance, with gateways and name servers on loopback."""

from __future__ import annotations

import pytest

from access import network
from access.network import NameAnswer, WebAnswer
from live.status import read_status
from tests.unit.live.checks.support import platform_of

NAME = "eu-1234.elb.example.com"


def test_a_gateway_with_a_host_name_is_shown_with_what_it_leads_to(monkeypatch: pytest.MonkeyPatch) -> None:
    status = {"10.0.0.1": 200, "10.0.0.2": 503}
    monkeypatch.setattr(
        network,
        "resolve",
        lambda gateway: NameAnswer(tuple(status) if gateway.is_name else ("10.0.0.1",), 60),
    )
    monkeypatch.setattr(network, "get_http", lambda address, port, path, seconds: WebAnswer(status[address]))
    lines = [line for line in read_status(platform_of([], {"eu": NAME})) if line.group == "gateways"]
    assert [(line.well, line.name) for line in lines] == [
        (False, f"eu {NAME}, resolved to 10.0.0.1, 10.0.0.2"),
        (True, "us 10.101.2.200"),
    ]
    assert lines[0].state.startswith("10.0.0.2: it answers 503")


def test_a_region_whose_gateway_has_no_address_is_not_well() -> None:
    lines = read_status(platform_of([], {"eu": "", "us": ""}))
    assert ("gateways", "eu", "no address yet", False) in [
        (line.group, line.name, line.state, line.well) for line in lines
    ]
