"""How pods of one region reach those of others."""

from __future__ import annotations

from ipaddress import IPv4Address

from pydantic import Field

from stacks.model.base import Asn, Model, Port


class FabricPeer(Model):
    """A router of the site that nodes speak BGP with."""

    address: IPv4Address = Field(description="its address in the machine network of the region")
    asn: Asn = Field(description="its AS number")


class Fabric(Model):
    """How nodes of a region announce their pod slices to the site's routers."""

    asn: Asn = Field(description="AS number of the nodes of this region")
    peers: tuple[FabricPeer, ...] = Field(min_length=1, description="site routers in the machine network")


class Tunnels(Model):
    """Tunnels by WireGuard between nodes that neither a segment nor routers of `fabric` join."""

    port: Port = Field(default=51820, description="the UDP port at which nodes await each other")
    mtu: int = Field(
        default=1420,
        ge=1280,
        le=8920,
        description="the largest packet in a tunnel, bytes, and of pods on nodes with tunnels: that of the "
        "way between machines without the 80 bytes that WireGuard adds at most",
    )


class TunnelEnd(Model):
    """How the others' tunnels reach a node, where that is not at its address and the port of `tunnels`."""

    address: IPv4Address | None = Field(
        default=None,
        description="the public address that leads to it, behind a NAT that forwards the port; its own "
        "address is then reached through tunnels",
    )
    port: Port | None = Field(default=None, description="the UDP port there, if that is another one")
    reachable: bool = Field(
        default=True,
        description="whether others can call it; false behind a NAT that forwards nothing: it calls them, "
        "and its own address is reached through tunnels",
    )
    keepalive: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="seconds between packets that keep its way through a NAT open; without it, 25 where "
        "others cannot call it, and none elsewhere",
    )

    @property
    def behind_nat(self) -> bool:
        """Whether its machine's own address leads nobody to it."""
        return self.address is not None or not self.reachable

    @property
    def keepalive_seconds(self) -> int:
        """Seconds between such packets; 0 for none."""
        # What WireGuard's authors advise: shorter than any NAT forgets.
        return self.keepalive or (0 if self.reachable else 25)
