"""Trust: authorities, certificates that rest on them, and those that are given."""

from __future__ import annotations

from collections.abc import Iterator

from components.tokens import EXPOSED_HOST
from gate.effects.column import Column, Effect
from gate.effects.scene import Scene, Side
from gate.effects.table import Table, shown
from playbooks.tokens import CERTIFICATE, CERTIFICATE_AUTHORITY, GIVEN_CERTIFICATE
from report.model import Resource

_OWN = "of the gateways' own authority"


def _rows(scene: Scene) -> Table:
    """One row for each exposed host that has a given certificate, before or after: which one."""
    before, after = dict(_shown(scene.before)), dict(_shown(scene.after))
    hosts = {host for side in (before, after) for host, words in side.items() if words != _OWN}
    rows = [
        {f"certificate of {host}": words for host, words in side.items() if host in hosts}
        for side in (before, after)
    ]
    return Table(rows[0], rows[1])


def _shown(side: Side) -> Iterator[tuple[str, str]]:
    """Each exposed host, and what certificate it shows."""
    given = {str(each.inputs.get("certificate_name")): each for each in side.of(GIVEN_CERTIFICATE)}
    for host in side.of(EXPOSED_HOST):
        found = given.get(str(host.inputs.get("certificate")))
        yield str(host.inputs.get("host")), _words(found) if found else _OWN


def _words(given: Resource) -> str:
    of = {key: shown(given.inputs.get(key)) for key in ("certificate_name", "serial", "issuer", "not_after")}
    return f"{of['certificate_name']}: serial {of['serial']}, by {of['issuer']}, until {of['not_after']}"


COLUMN = Column(
    name="trust",
    kinds={
        CERTIFICATE_AUTHORITY: Effect(
            loss="every certificate that rests on it must be issued again",
            traffic="what is signed by it is issued anew",
        ),
        CERTIFICATE: Effect(traffic="what is served is signed anew"),
        GIVEN_CERTIFICATE: Effect(traffic="what is served is exchanged"),
    },
    rows={"exposure": _rows},
)
