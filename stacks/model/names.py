"""DNS: who answers which names, and when a region counts as healthy."""

from __future__ import annotations

from pydantic import Field

from stacks.model.base import Model


class HealthCheck(Model):
    """How each edge host decides that a region's gateway is healthy.

    A probe connects anew, verifies TLS for a declared host and asks for one of its paths. Any answer but 502,
    503 and 504 is good, and one host and path are enough.
    """

    interval: int = Field(default=2, ge=2, le=300, description="seconds between probes")
    timeout: int = Field(default=1, ge=1, le=60, description="seconds until a probe counts as failed")
    down_threshold: int = Field(
        default=2, ge=1, le=20, description="failed probes in a row until the gateway is down"
    )
    up_threshold: int = Field(default=2, ge=1, le=20, description="good probes in a row until it is up again")


class GlobalLoadBalancerSpec(Model):
    """DNS over the healthy regions, answered by gdnsd on the edge hosts."""

    ttl: int = Field(
        default=5,
        ge=1,
        le=3600,
        description="seconds that answers may be cached: always these, whatever is healthy or forced",
    )
    health_check: HealthCheck = Field(
        default=HealthCheck(), description="when a gateway counts as down, and as up again"
    )
