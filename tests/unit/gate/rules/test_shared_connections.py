"""One certificate for several hosts: browsers would ask for one over the connection of another."""

from __future__ import annotations

from gate.rules.change import shared_connections
from report.model import Severity
from tests.unit.gate.rules.given import certificate, exposed
from tests.unit.gate.rules.support import against, changes

SHOP, BACK = "shop.example.test", "back.example.test"
WILD = ["*.example.test"]


def test_a_wildcard_for_one_host_is_well() -> None:
    same = [certificate(dns_names=WILD), exposed(SHOP, "site"), exposed("a.b.example.test")]
    assert against(shared_connections.CHECK, changes(same=same)) == []


def test_certificates_for_a_name_each_are_well() -> None:
    same = [
        certificate(),
        certificate("more", dns_names=[BACK]),
        exposed(SHOP, "site"),
        exposed(BACK, "more"),
    ]
    assert against(shared_connections.CHECK, changes(same=same)) == []


def test_one_for_two_exposed_hosts_is_a_warning_whatever_the_other_shows() -> None:
    for other in ("site", None):
        same = [certificate(dns_names=WILD), exposed(SHOP, "site"), exposed(BACK, other)]
        (found,) = against(shared_connections.CHECK, changes(same=same))
        assert found.severity is Severity.WARNING
        assert f"is for {BACK}, {SHOP}" in found.message
