"""Names: what each is answered with, and by whom, while all regions are healthy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from components.tokens import GLOBAL_LOAD_BALANCER
from gate.effects.column import Column, Drawing
from gate.effects.doors import Doors, part_of
from gate.effects.scene import Scene, Side, both
from gate.effects.table import LATER, Table, listed, shown
from report.model import Op
from stacks.answers import Answers, record_type
from stacks.routing import EVERYBODY, Tiers, described

_NO_ALIAS = "nothing: no gateway has an address, and a zone's own name can be no alias"
_WHY = "a gateway has its address when its cluster gives it one"


def answers(side: Side) -> Iterator[Answers]:
    """What is answered on one side; nothing where no names are."""
    for component in side.of(GLOBAL_LOAD_BALANCER):
        if found := Answers.from_inputs(component.inputs):
            yield found


def _rows(scene: Scene) -> Table:
    """One row per name and type."""
    table = both(lambda side: dict(row for entry in answers(side) for row in _records(entry)))(scene)
    missing = (
        f"answers of {name}: {_WHY}"
        for name, text in sorted(table.after.items())
        if LATER in text and table.before.get(name) != text
    )
    return replace(table, not_measurable=tuple(missing)) | _led_rows(scene)


Led = tuple[str, str, Tiers | None, Tiers | None]
"""A host, a kind of its clients in words, and their order of regions before and after; None where the host is
not answered."""


def led(sides: Sequence[Answers | None]) -> Iterator[Led]:
    """Where clients are led to, before and after, for each host that a policy leads on either side."""
    known = [entry for entry in sides if entry]
    for host in sorted({host for entry in known for routing in entry.routings for host in routing.hosts}):
        policies = [entry.routing_of(host) for entry in known]
        kinds = {kind for policy in policies if policy for kind in policy.kinds}
        for kind in sorted(kinds, key=lambda kind: (kind == EVERYBODY, kind)):
            words = kind if kind == EVERYBODY else f"clients of {kind}"
            before, after = (
                entry.tiers_of(host, kind) if entry and host in entry.names else None for entry in sides
            )
            yield host, "all clients" if len(kinds) == 1 else words, before, after


def _led_rows(scene: Scene) -> Table:
    """One row per host and kind of clients; none where no policy is declared."""
    found = list(led([next(answers(side), None) for side in scene.sides]))
    return Table(
        {f"{host}, {kind}": described(tiers) for host, kind, tiers, _ in found if tiers},
        {f"{host}, {kind}": described(tiers) for host, kind, _, tiers in found if tiers},
    )


def _records(entry: Answers) -> Iterator[tuple[str, str]]:
    servers = entry.servers.items()
    named = listed(f"{name}.{entry.zone} ({server.address})" for name, server in servers)
    for zone in entry.zones:
        yield f"{zone} NS", named
    health = (f"{key} {value}" for key, value in sorted(entry.health.settings.items()))
    yield f"{entry.zone} health check", ", ".join(health)
    for name in entry.names:
        by_type: dict[str, list[str]] = {}
        for region, told in entry.targets_of(name).items():
            for address in map(shown, told):
                type = "A" if address == LATER else record_type(address)
                by_type.setdefault(type, []).append(f"{region} {address}")
        for type, targets in by_type.items() or {"A": [_NO_ALIAS]}.items():
            yield f"{name} {type}", f"{listed(targets)}; TTL {entry.ttl} s"


def _draw(scene: Scene, drawing: Drawing) -> None:
    """A link from each server to each gateway that it answers with."""
    before, after = (
        {
            (server, region): told
            for entry in answers(side)
            for server in entry.servers
            for region, told in entry.targets.items()
        }
        for side in scene.sides
    )
    doors = [Doors(side) for side in scene.sides]
    for server, region in sorted({*before, *after}):
        key = (server, region)
        op = Op.SAME if before.get(key) == after.get(key) else Op.UPDATE
        op = Op.CREATE if key not in before else Op.DELETE if key not in after else op
        for gateway in {part_of(door): None for side in doors for door in side.of_mesh(region)}:
            drawing.link(f"host:{server}", gateway, "answer", op)


COLUMN = Column(name="names", rows={"dns": _rows}, draw=_draw)
