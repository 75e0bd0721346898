"""The stack's outputs, typed: the contract that clients of a platform read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any
from urllib.parse import urlsplit

from report.errors import OperationsError
from stacks.model import DNS_NAME

OUTPUTS = {
    "url": "URL of the first path that is exposed; empty where none is",
    "caCertificate": "certificate that clients of the gateways are to trust, in PEM",
    "nameservers": "name servers of the domain, each as `address:port`",
    "regions": "what is in each region, by its name",
    "kubeconfigs": "a kubeconfig for each region's cluster, as text, by the region's name; a secret",
}
"""What each output of a stack is."""

REGION_OUTPUTS = {
    "apiServer": "URL of the API server",
    "gatewayAddress": "address of the ingress gateway, or the host name that a cloud gave it",
    "podCidr": "network of the pods",
    "serviceCidr": "network of the services",
    "nodes": "the machines of a cluster on bare metal, by name; none of an adopted one",
}
NODE_OUTPUTS = {
    "address": "IPv4 address of the machine",
    "podCidr": "network of the pods on it",
}


@dataclass(frozen=True)
class GatewayAddress:
    """Where clients reach a gateway: an address, or the name that a cloud gave its load balancer."""

    value: IPv4Address | str

    @classmethod
    def of(cls, text: str) -> GatewayAddress:
        """Read an IPv4 address or a host name. Raises `ValueError` for what is neither."""
        name = text.lower().removesuffix(".")
        # What has no letter at its end was meant for an address: no top-level domain is a number.
        if not name[-1:].isalpha():
            return cls(IPv4Address(name))
        if not re.match(DNS_NAME, name):
            raise ValueError(f"{text!r} is neither an IPv4 address nor a host name")
        return cls(name)

    @property
    def is_name(self) -> bool:
        """Whether it must be resolved before it can be connected to."""
        return isinstance(self.value, str)

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class NodeOutput:
    """A node as the platform made it."""

    address: IPv4Address
    pod_cidr: IPv4Network | None


@dataclass(frozen=True)
class RegionOutput:
    """A region as the platform made it."""

    api_server: str
    gateway_address: GatewayAddress | None
    pod_cidr: IPv4Network
    service_cidr: IPv4Network
    nodes: dict[str, NodeOutput]


@dataclass(frozen=True)
class NameServer:
    """Where one authoritative name server listens."""

    address: IPv4Address
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Outputs:
    """What `pulumi up` exports."""

    url: str
    ca_certificate: str
    nameservers: tuple[NameServer, ...]
    regions: dict[str, RegionOutput]
    kubeconfigs: dict[str, str] = field(repr=False)

    @property
    def host(self) -> str:
        """Name that the URL is about."""
        return urlsplit(self.url).hostname or ""


def parse_outputs(stack: str, raw: dict[str, Any]) -> Outputs:
    """Read `pulumi stack output --json`. Raises `OperationsError` that names all that is missing or wrong."""
    missing = [name for name in OUTPUTS if name not in raw]
    if missing:
        raise OperationsError(
            f"stack {stack!r} has no output {', '.join(missing)}: it has not been brought up completely. "
            f"Run `pulumi up --stack {stack}` first."
        )
    try:
        return Outputs(
            url=raw["url"] or "",
            ca_certificate=raw["caCertificate"],
            nameservers=tuple(_name_server(text) for text in raw["nameservers"]),
            regions={name: _region(value) for name, value in sorted(raw["regions"].items())},
            kubeconfigs=dict(raw["kubeconfigs"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise OperationsError(
            f"stack {stack!r}: an output is not of the form that this version reads ({error!r}). "
            f"Run `pulumi up --stack {stack}` with this version of the project."
        ) from error


def _name_server(text: str) -> NameServer:
    address, _, port = text.rpartition(":")
    return NameServer(IPv4Address(address), int(port))


def _region(raw: dict[str, Any]) -> RegionOutput:
    gateway = raw.get("gatewayAddress")
    return RegionOutput(
        api_server=raw["apiServer"],
        gateway_address=GatewayAddress.of(gateway) if gateway else None,
        pod_cidr=IPv4Network(raw["podCidr"]),
        service_cidr=IPv4Network(raw["serviceCidr"]),
        nodes={name: _node(value) for name, value in sorted(raw["nodes"].items())},
    )


def _node(raw: dict[str, Any]) -> NodeOutput:
    cidr = raw.get("podCidr")
    return NodeOutput(IPv4Address(raw["address"]), IPv4Network(cidr) if cidr else None)
