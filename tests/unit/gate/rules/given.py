"""Given certificates and exposed hosts, as the gate sees them."""

from __future__ import annotations

from typing import Any

from components.tokens import DECLARED_CERTIFICATE, EXPOSED_HOST
from playbooks.tokens import GIVEN_CERTIFICATE
from report.model import Resource
from tests.unit.gate.rules.support import below, component


def certificate(name: str = "site", **changes: Any) -> Resource:
    """A given certificate."""
    inputs = {
        "certificate_name": name,
        "serial": "1a",
        "issuer": "CN=lower",
        "dns_names": ["shop.example.test"],
        "not_before": "2026-01-01T00:00:00+00:00",
        "not_after": "2027-06-01T00:00:00+00:00",
        "anchor": "CN=one",
        "authorities": ["CN=one"],
        **changes,
    }
    holder = component(DECLARED_CERTIFICATE, name, declared=("certificates", name))
    return below(holder, GIVEN_CERTIFICATE, f"{name}.given", inputs)


def exposed(host: str, given: str | None = None) -> Resource:
    """An exposed host, of a certificate."""
    inputs = {"host": host, **({"certificate": given} if given else {})}
    return component(EXPOSED_HOST, host.partition(".")[0], inputs)
