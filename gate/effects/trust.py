"""Trust: authorities, and certificates that rest on them."""

from __future__ import annotations

from gate.effects.column import Column, Effect
from playbooks.tokens import CERTIFICATE, CERTIFICATE_AUTHORITY, ENCRYPTION_KEY

COLUMN = Column(
    name="trust",
    kinds={
        CERTIFICATE_AUTHORITY: Effect(
            loss="every certificate that rests on it must be issued again",
            traffic="what is signed by it is issued anew",
        ),
        ENCRYPTION_KEY: Effect(
            loss="Secrets that it has encrypted, and backups of them, are not readable any more"
        ),
        CERTIFICATE: Effect(traffic="what is served is signed anew"),
    },
)
