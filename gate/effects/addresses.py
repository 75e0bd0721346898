"""Addresses: what load balancers may have, and where it is announced."""

from __future__ import annotations

from gate.effects.column import Column, Effect
from gate.effects.scene import Scene, Side, below, metadata
from gate.effects.table import Table, listed, shown

_ANNOUNCED = "where addresses are announced changes"


def _pools(scene: Scene) -> Table:
    def ranges(side: Side) -> dict[str, str]:
        return {
            f"{pool.region}: load balancers ({shown(metadata(pool).get('name'))})": listed(
                shown(entry) for entry in below(pool.inputs, "spec").get("addresses") or ()
            )
            for pool in side.of("IPAddressPool")
        }

    return scene.table(ranges)


COLUMN = Column(
    name="addresses",
    kinds={
        "BGPAdvertisement": Effect(traffic=_ANNOUNCED),
        "IPAddressPool": Effect(traffic="which addresses gateways may have changes"),
        "L2Advertisement": Effect(traffic=_ANNOUNCED),
    },
    rows={"addresses": _pools},
)
