"""Trust: authorities, and certificates that rest on them."""

from __future__ import annotations

from gate.effects.column import Column, Effect
from playbooks.tokens import CERTIFICATE, CERTIFICATE_AUTHORITY

COLUMN = Column(
    name="trust",
    kinds={
        CERTIFICATE_AUTHORITY: Effect(
            loss="every certificate that rests on it must be issued again",
            traffic="what is signed by it is issued anew",
        ),
        CERTIFICATE: Effect(traffic="what is served is signed anew"),
    },
)
