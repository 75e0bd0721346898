"""What an edge host says when its prober is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from access.programs import Executed


def shown(
    held: Mapping[str, str],
    /,
    real: Mapping[str, str] | None = None,
    seen: Mapping[str, bool] | None = None,
    *,
    age: float = 1.0,
    since: float = 600.0,
    against: int = 0,
    **changes: Any,
) -> Executed:
    """The document of `gateway_health.py show`: what gdnsd holds, and what its prober sees.

    held: its states by gateway, with the dot at the end of names. real: states that are not the forced ones.
    seen: whether the prober sees a gateway up, where gdnsd holds something else. changes: other parts of the
    document.
    """
    real, seen = real or {}, seen or {}
    document = {
        "bound": 18.0,
        "gateways": {
            address.removesuffix("."): {
                "region": "eu" if index == 0 else "us",
                "up": seen.get(address, real.get(address, state).startswith("UP")),
                "against": against,
                "age": age,
                "since": since,
                "said": "503 from https://app.test/",
            }
            for index, (address, state) in enumerate(held.items())
        },
        "states": {
            f"{address}/ingress_gateway": {"state": state, "real_state": real.get(address, state)}
            for address, state in held.items()
        },
        "problem": "",
        "malformed": [],
        "unmatched": [],
        **changes,
    }
    return Executed(0, json.dumps(document), "")
