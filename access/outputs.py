"""The stack's outputs, typed: the contract that clients of a platform read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from report.errors import OperationsError
from stacks.model import DNS_NAME

_SORTED = AfterValidator(lambda by_name: dict(sorted(by_name.items())))


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
class NameServer:
    """Where one authoritative name server listens."""

    address: IPv4Address
    port: int

    @classmethod
    def of(cls, text: str) -> NameServer:
        """Read `address:port`. Raises `ValueError` for anything else."""
        address, _, port = text.rpartition(":")
        return cls(IPv4Address(address), int(port))

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True)
class NodeOutput:
    """A node as the platform made it."""

    address: IPv4Address
    """IPv4 address of the machine"""
    pod_cidr: IPv4Network | None = None
    """network of the pods on it"""


@dataclass(frozen=True)
class RegionOutput:
    """A region as the platform made it."""

    api_server: str
    """URL of the API server"""
    gateway_addresses: Annotated[
        tuple[GatewayAddress, ...],
        BeforeValidator(lambda texts: tuple(GatewayAddress.of(str(text)) for text in texts if text)),
    ]
    """addresses of the ingress gateway, each of which leads to it, or the host name that a cloud gave it"""
    pod_cidr: IPv4Network
    """network of the pods"""
    service_cidr: IPv4Network
    """network of the services"""
    nodes: Annotated[dict[str, NodeOutput], _SORTED]
    """the machines of a cluster on bare metal, by name; none of an adopted one"""


@dataclass(frozen=True)
class Outputs:
    """What `pulumi up` exports."""

    __pydantic_config__ = ConfigDict(alias_generator=to_camel)

    url: str
    """URL of the first path that is exposed; empty where none is"""
    ca_certificate: str
    """certificate that clients of the gateways are to trust, in PEM"""
    nameservers: tuple[Annotated[NameServer, BeforeValidator(lambda text: NameServer.of(str(text)))], ...]
    """name servers of the domain, each as `address:port`"""
    regions: Annotated[dict[str, RegionOutput], _SORTED]
    """what is in each region, by its name"""
    kubeconfigs: dict[str, str] = field(repr=False)
    """a kubeconfig for each region's cluster, as text, by the region's name; a secret"""
    host_authorities: dict[str, str] = field(default_factory=dict)
    """where certificates are given: what clients of each exposed host are to trust, in PEM; empty for the
    system's store"""

    @property
    def host(self) -> str:
        """Name that the URL is about."""
        return urlsplit(self.url).hostname or ""

    def authorities_of(self, host: str) -> str:
        """What clients of a host are to trust, PEM; empty for the system's store."""
        names = [
            name
            for name in self.host_authorities
            if name == host or (name.startswith("*.") and host.endswith(name[1:]))
        ]
        if not names:
            return self.ca_certificate
        return self.host_authorities[max(names, key=lambda name: (name == host, len(name)))]


_ADAPTER = TypeAdapter(Outputs)


def parse_outputs(stack: str, raw: dict[str, Any]) -> Outputs:
    """Read `pulumi stack output --json`. Raises `OperationsError` that names all that is missing or wrong."""
    try:
        return _ADAPTER.validate_python(raw)
    except ValidationError as error:
        # Without what was given: it has secrets in it.
        problems = error.errors(include_url=False, include_input=False)
    missing = [str(each["loc"][0]) for each in problems if each["type"] == "missing" and not each["loc"][1:]]
    if missing:
        raise OperationsError(
            f"stack {stack!r} has no output {', '.join(missing)}: it has not been brought up completely. "
            f"Run `pulumi up --stack {stack}` first."
        )
    wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems)
    raise OperationsError(
        f"stack {stack!r}: an output is not of the form that this version reads ({wrong}). "
        f"Run `pulumi up --stack {stack}` with this version of the project."
    )
