"""A small database of countries in MaxMind's format, by its specification, version 2.0."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

_BITS = 24
"""Of a record; a node has two."""
_SEPARATOR = bytes(16)
_MARK = b"\xab\xcd\xefMaxMind.com"


class _Number(int):
    """An unsigned number, with its type in the format."""

    kind: int

    def __new__(cls, value: int, kind: int) -> _Number:
        found = int.__new__(cls, value)
        found.kind = kind
        return found


def _encoded(value: Any) -> bytes:
    """A value of the data section: text, map, list, or unsigned number."""
    if isinstance(value, str):
        return _control(2, len(value.encode())) + value.encode()
    if isinstance(value, Mapping):
        inner = b"".join(_encoded(key) + _encoded(entry) for key, entry in value.items())
        return _control(7, len(value)) + inner
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(_encoded, value))
    assert isinstance(value, _Number)
    octets = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return _control(value.kind, len(octets)) + octets


def _control(kind: int, size: int) -> bytes:
    assert size < 29
    return bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])


def database(
    places: Mapping[str, tuple[str, str]],
    *,
    kind: str = "Test-Country",
    built: int = 1_700_000_000,
    form: int = 2,
) -> bytes:
    """A database of IPv4. places: continent and country of each network, none of which holds another."""
    data, offsets = b"", {}
    for place in dict.fromkeys(places.values()):
        offsets[place] = len(data)
        data += _encoded({"continent": {"code": place[0]}, "country": {"iso_code": place[1]}})
    nodes: list[list[int | tuple[str, str] | None]] = [[None, None]]
    for text, place in places.items():
        network, here = IPv4Network(text), 0
        bits = f"{int(network.network_address):032b}"[: network.prefixlen]
        for bit in map(int, bits[:-1]):
            following = nodes[here][bit]
            if not isinstance(following, int):
                assert following is None
                nodes.append([None, None])
                following = nodes[here][bit] = len(nodes) - 1
            here = following
        nodes[here][int(bits[-1])] = place
    count = len(nodes)

    def record(entry: int | tuple[str, str] | None) -> bytes:
        if isinstance(entry, tuple):
            entry = count + len(_SEPARATOR) + offsets[entry]
        return (count if entry is None else entry).to_bytes(_BITS // 8, "big")

    tree = b"".join(record(entry) for node in nodes for entry in node)
    metadata = {
        "binary_format_major_version": _Number(form, 5),
        "binary_format_minor_version": _Number(0, 5),
        "build_epoch": _Number(built, 9),
        "database_type": kind,
        "description": {"en": "countries of tests"},
        "ip_version": _Number(4, 5),
        "languages": ["en"],
        "node_count": _Number(count, 6),
        "record_size": _Number(_BITS, 5),
    }
    return tree + _SEPARATOR + data + _MARK + _encoded(metadata)
