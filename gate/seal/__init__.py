"""Sealed plans: what a gate let pass, bound to all that it was found with, for `crossmesh up --plan`."""

from __future__ import annotations

from gate.seal.binding import bind
from gate.seal.sealing import make_room, write

__all__ = ["bind", "make_room", "write"]
