"""Namespaces."""

from __future__ import annotations

from gate.effects.column import Column, Effect

COLUMN = Column(name="namespaces", kinds={"Namespace": Effect(loss="everything in it goes with it")})
