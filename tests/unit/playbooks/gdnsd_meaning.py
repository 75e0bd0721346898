"""What gdnsd 3.8.1 answers by a configuration, from its source: plugins multifo, weighted, metafo and geoip.

`src/plugins/multifo.c`, `weighted.c` (grouped addresses, `multi` off), `meta_core.inc` (metafo and geoip) and
`libgdmaps`. Of its configuration language what the role writes: hashes, lists and words.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

Odds = Mapping[frozenset[str], float]
"""How often each set of addresses is answered."""
_TOKEN = re.compile(r"\s*(=>|[{}\[\],]|[^\s{}\[\],=]+)")


def parsed(text: str) -> dict[str, Any]:
    """A configuration as mappings, lists and texts."""
    without = "\n".join(line.partition("#")[0] for line in text.splitlines())
    tokens = iter([*_TOKEN.findall(without), "}"])
    return _hash(tokens)


def _hash(tokens: Iterator[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for token in tokens:
        if token == "}":
            return found
        if token != ",":
            assert next(tokens) == "=>", token
            assert token not in found, f"{token} twice"
            found[token] = _value(next(tokens), tokens)
    raise AssertionError("a brace is not closed")


def _value(token: str, tokens: Iterator[str]) -> Any:
    if token == "{":
        return _hash(tokens)
    if token != "[":
        return token
    entries = []
    for entry in tokens:
        if entry == "]":
            return entries
        if entry != ",":
            entries.append(_value(entry, tokens))
    raise AssertionError("a bracket is not closed")


@dataclass(frozen=True)
class Client:
    """Where a client is: its address, and what a database says of that."""

    address: IPv4Address
    continent: str = ""
    country: str = ""


@dataclass(frozen=True)
class Server:
    """A configuration, and what is up."""

    plugins: Mapping[str, Any]
    up: Collection[str]
    """Addresses."""

    def odds(self, plugin: str, resource: str, client: Client) -> Odds:
        """What is answered, and how often."""
        if plugin == "multifo":
            return self._multifo(self.plugins["multifo"][resource])[1]
        resources = self.plugins[plugin]["resources"][resource]
        if plugin == "metafo":
            order = resources["datacenters"]
        else:
            order = self._mapped(self.plugins["geoip"]["maps"][resources["map"]], client)
        for datacenter in order:
            down, odds = self._datacenter(resources, datacenter)
            if not down:
                return odds
        # All are down: the first one, whatever it would answer.
        return self._datacenter(resources, order[0])[1]

    def _datacenter(self, resource: Mapping[str, Any], name: str) -> tuple[bool, Odds]:
        inherited = {key: value for key, value in resource.items() if key in ("service_types", "up_thresh")}
        own = {**inherited, **resource["dcmap"][name]}
        assert set(resource["dcmap"]) >= {name}
        return {"multifo": self._multifo, "weighted": self._weighted}[own.pop("plugin")](own)

    def _multifo(self, resource: Mapping[str, Any]) -> tuple[bool, Odds]:
        threshold = float(resource["up_thresh"])
        every = {address for key, address in resource.items() if key not in ("up_thresh", "service_types")}
        assert 0 < len(every) <= 64
        alive = every & set(self.up)
        if len(alive) < math.ceil(len(every) * threshold):
            return True, {frozenset(every): 1.0}
        return False, {frozenset(alive): 1.0}

    def _weighted(self, resource: Mapping[str, Any]) -> tuple[bool, Odds]:
        aliases = {name: entry for name, entry in resource.items() if isinstance(entry, list)}
        groups = {
            name: {address: int(weight) for address, weight in group.values()}
            for name, group in resource.items()
            if isinstance(group, Mapping)
        }
        assert not (aliases and groups), "a group's values must be hashes"
        groups |= {name: {target: int(weight)} for name, (target, weight) in aliases.items()}
        weights = [weight for group in groups.values() for weight in group.values()]
        assert len(groups) <= 64 and all(1 <= weight <= 1048575 for weight in weights)
        alive = {
            name: {address: weight for address, weight in group.items() if address in self.up}
            for name, group in groups.items()
        }
        total = sum(sum(group.values()) for group in alive.values())
        down = total < math.ceil(sum(weights) * float(resource["up_thresh"]))
        if down:
            alive, total = groups, sum(weights)
        odds: Counter[frozenset[str]] = Counter()
        for group in alive.values():
            if group:
                assert len(set(group.values())) == 1, "else some addresses are left out of some answers"
                odds[frozenset(group)] += sum(group.values()) / total
        return down, odds

    def _mapped(self, map: Mapping[str, Any], client: Client) -> list[str]:
        assert len(map["datacenters"]) <= 254
        nets = {IPv4Network(network): order for network, order in map.get("nets", {}).items()}
        if holding := [network for network in nets if client.address in network]:
            return list(nets[max(holding, key=lambda network: network.prefixlen)])
        assert ("map" in map) <= ("geoip2_db" in map)
        found = map.get("map", {}).get(client.continent)
        if found is None:
            return list(map["datacenters"])
        return list(found.get(client.country, found.get("default", map["datacenters"])))
