"""Addresses: what load balancers may have, and where it is announced."""

from __future__ import annotations

from gate.effects.column import Column, Effect
from gate.effects.scene import Side, below, both, metadata
from gate.effects.table import listed, shown

_ANNOUNCED = "where addresses are announced changes"


def _pools(side: Side) -> dict[str, str]:
    return {
        f"{pool.region}: load balancers ({shown(metadata(pool).get('name'))})": listed(
            map(shown, below(pool.inputs, "spec").get("addresses") or ())
        )
        for pool in side.of("IPAddressPool")
    }


COLUMN = Column(
    name="addresses",
    kinds={
        "BGPAdvertisement": Effect(traffic=_ANNOUNCED),
        "BGPPeer": Effect(traffic=_ANNOUNCED),
        "IPAddressPool": Effect(traffic="which addresses gateways may have changes"),
        "L2Advertisement": Effect(traffic=_ANNOUNCED),
    },
    rows={"addresses": both(_pools)},
)
