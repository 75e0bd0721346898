"""How pods of one region reach those of others."""

from __future__ import annotations

from ipaddress import IPv4Address

from pydantic import Field

from stacks.model.base import Asn, Model


class FabricPeer(Model):
    """A router of the site that nodes speak BGP with."""

    address: IPv4Address = Field(description="its address in the machine network of the region")
    asn: Asn = Field(description="its AS number")


class Fabric(Model):
    """How nodes of a region announce their pod slices to the site's routers."""

    asn: Asn = Field(description="AS number of the nodes of this region")
    peers: tuple[FabricPeer, ...] = Field(min_length=1, description="site routers in the machine network")
