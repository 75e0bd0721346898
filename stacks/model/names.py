"""DNS: who answers which names, when a region counts as healthy, and which region a client is led to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from stacks.model.base import COUNTRY, ExposedName, FilePath, Label, Model, Network

Continent = Literal["AF", "AN", "AS", "EU", "NA", "OC", "SA"]
"""The seven continent codes of MaxMind's databases."""
Weight = Annotated[int, Field(ge=0, le=100)]


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
    hold_down: int = Field(
        default=0,
        ge=0,
        le=86400,
        description="seconds for which a region stays out after its last gateway went down, healthy again or "
        "not. While it is the only one that could be answered, it is",
    )
    comeback: Literal["automatic", "byHand"] = Field(
        default="automatic",
        alias="return",
        description="whether a region that failed is answered again by itself, or once its number in "
        "`returned` is another one. While it is the only one that could be answered, it is",
    )
    returned: dict[Label, Annotated[int, Field(ge=0, le=9999)]] = Field(
        default={},
        description="with `return: byHand`, a number of each region that was returned: another one than "
        "before returns it, on every edge host that holds it out",
    )

    @property
    def holds(self) -> bool:
        """Whether a region that failed may be held out though it is healthy again."""
        return bool(self.hold_down) or self.comeback == "byHand"

    @property
    def counting(self) -> dict[str, int]:
        """How often gateways are asked, and how answers are counted, as plain values."""
        return self.model_dump(include={"interval", "timeout", "down_threshold", "up_threshold"})

    @property
    def settings(self) -> dict[str, Any]:
        """As plain values; what holds regions out only where that is declared."""
        return self.model_dump() if self.holds else self.counting


class GeographyPlace(Model):
    """Clients of one place, and the regions that they are led to.

    A client is where its address is: that of EDNS client subnet (RFC 7871) where its resolver sends one, that
    of its resolver else. A prefix goes before a country, and a country before its continent.
    """

    prefixes: tuple[Network, ...] = Field(
        default=(), description="networks of clients or of their resolvers, private ones of sites too"
    )
    countries: tuple[Annotated[str, Field(pattern=COUNTRY)], ...] = Field(
        default=(), description='countries by ISO 3166-1 (`DE`; Norway in quotes: `"NO"`)'
    )
    continents: tuple[Continent, ...] = Field(
        default=(), description="continents: all countries of theirs that no place names"
    )
    regions: tuple[Label, ...] = Field(
        min_length=1,
        description="regions of the place: clients are led to these while one of them is healthy, by "
        "`weights` where there are any",
    )
    failover: tuple[Label, ...] = Field(
        default=(),
        description="other regions in the order in which they stand in, instead of the policy's `failover`; "
        "those that it leaves out come last, together",
    )


class RoutingPolicy(Model):
    """Which regions clients are led to: by geography first, then by weight, then by failover.

    Without any of the three, all healthy regions are answered, in any order.
    """

    weights: dict[Label, Weight] = Field(
        default={},
        description="share of answers by region: its weight over the sum of those of healthy ones. Each "
        "answer is then of one region. A region of weight 0 stands by: it is answered where none with a "
        "weight is healthy",
    )
    failover: tuple[Label, ...] = Field(
        default=(),
        description="regions in order of preference; with weights, the order of those that stand by. The "
        "ones that it leaves out come last, together",
    )
    geography: dict[Label, GeographyPlace] = Field(
        default={}, description="places by name; clients of no place are led by weights and failover alone"
    )


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
    policy: RoutingPolicy | None = Field(
        default=None,
        description="where clients are led to, for all hosts; without it, to all healthy regions",
    )
    host_policies: dict[ExposedName, RoutingPolicy] = Field(
        default={}, description="another policy for a host of `ingresses`, in place of `policy`"
    )
    geoip_database: FilePath | None = Field(
        default=None,
        description="file on the edge hosts with a database of countries or cities in MaxMind's format "
        "(.mmdb), which its owner brings and renews; needed for countries and continents",
    )
    delegated: bool = Field(
        default=False,
        description="whether the parents of the domains delegate them to these name servers: the doctor then "
        "asks them, by way of its machine's resolver, for names and glue",
    )
    drained: tuple[Label, ...] = Field(
        default=(), description="regions that no name leads to, healthy or not; they are probed all the same"
    )
