"""The pools of the flat address space, and ranges of addresses."""

from __future__ import annotations

from ipaddress import IPv4Address

from pydantic import Field

from stacks.model.base import Model, Network


class AddressPools(Model):
    """The pools from which the ledger gives every cluster and node its slice."""

    pod_pool: Network = Field(description="the range of all pods of clusters on bare metal")
    service_pool: Network = Field(description="the range of all their services")
    pod_prefix_cluster: int = Field(
        default=20, ge=8, le=28, description="prefix length of one cluster's slice of the pod pool"
    )
    pod_prefix_node: int = Field(
        default=24, ge=16, le=28, description="prefix length of one node's slice of its cluster's"
    )
    service_prefix_cluster: int = Field(
        default=20, ge=12, le=28, description="prefix length of one cluster's service slice"
    )


class AddressRange(Model):
    """An inclusive range of IPv4 addresses."""

    first: IPv4Address = Field(description="the first address")
    last: IPv4Address = Field(description="the last address, which belongs to the range")
