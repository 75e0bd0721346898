"""Where everything of the topology's picture stands: a card for each region, side by side or in a grid.

Links between regions are no lines across the picture, of which there would be as many as pairs of regions:
all name servers and gateways hang on one rail over the cards, all clusters on one below them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from report.formats.cards import (
    BOX_HEIGHT,
    CARD_WIDTH,
    PAD,
    Box,
    Card,
    Frame,
    Label,
    Tree,
    detailed,
    grid,
    place,
    together,
)
from report.formats.text import many
from report.model import Link, Op, Topology

_BETWEEN = 20
_RAIL = 40
"""Height that a rail takes beside a row of cards."""
_MARGIN = 36
_TILE_WIDTH = 128
_DETAILED_REGIONS = 6
"""With more regions than that, those that stay have their names only."""
_TILES_ACROSS = 8


@dataclass(frozen=True)
class Wire:
    """A link, or a thing's way to a rail: through these points, `curved` or by straight lines."""

    points: tuple[tuple[int, int], ...]
    kind: str
    op: Op
    arrow: bool = False
    curved: bool = False
    mark: tuple[int, int] | None = None
    """Where to say what happens to it; nowhere for what stays."""


@dataclass
class Scene:
    """Everything that is drawn, in the order in which it is drawn: frames, wires, boxes, labels."""

    width: int = 0
    height: int = 0
    frames: list[Frame] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


def scene(topology: Topology, top: int) -> Scene:
    """Lay the topology out below `top`."""
    tree, drawn = Tree(topology), Scene(width=_MARGIN, height=top)
    shown, named = tree.cards, []
    if len(tree.cards) > _DETAILED_REGIONS:
        shown = [
            part for part in tree.cards if any(each.op is not Op.SAME for each in (part, *tree.below(part)))
        ]
        named = [part for part in tree.cards if part not in shown]
        if shown:
            drawn.labels.append(Label(f"{many(len(shown), 'region')} with changes", _MARGIN, top + 10))
            drawn.height += 20
    _cards(drawn, [detailed(tree, part) for part in shown], topology.links)
    if named:
        drawn.labels.append(Label(f"{many(len(named), 'region')} without", _MARGIN, drawn.height + 10))
        tiles, drawn.height = grid(named, _MARGIN, drawn.height + 20, _TILES_ACROSS, _TILE_WIDTH)
        drawn.boxes += tiles
        drawn.width = max(drawn.width, *(tile.x + tile.width + _MARGIN for tile in tiles))
    return drawn


def _cards(drawn: Scene, cards: Sequence[Card], links: Sequence[Link]) -> None:
    """Everything that is in some regions, and how it hangs together."""
    across = 3 if len(cards) in (3, 5, 6) else 2
    answers = [link for link in links if link.kind == "answer"]
    trusts = [link for link in links if link.kind == "mesh"]
    rails: list[tuple[int, int]] = []
    for start in range(0, len(cards), across):
        row = cards[start : start + across]
        upper = drawn.height + (_RAIL - 14 if answers else 0)
        y = drawn.height + (_RAIL if answers else 0)
        height = max(card.height for card in row)
        lower = y + height + 14
        for column, card in enumerate(row):
            place(card, _MARGIN + column * (CARD_WIDTH + _BETWEEN), y, height)
            drawn.frames += card.frames
            drawn.boxes += card.boxes
            drawn.labels += card.labels
            _hang(drawn, card, answers, trusts, (upper, lower))
        right = _MARGIN + len(row) * (CARD_WIDTH + _BETWEEN) - _BETWEEN
        drawn.width = max(drawn.width, right + _MARGIN)
        rails.append((upper, lower))
        if answers:
            drawn.wires.append(Wire(((16, upper), (right, upper)), "answer", Op.SAME))
        if trusts:
            drawn.wires.append(Wire(((24, lower), (right, lower)), "mesh", Op.SAME))
        drawn.height = y + height + (_RAIL if trusts else _BETWEEN)
    if rails:
        _trunks(drawn, rails, answers, trusts)
    boxes = {box.part.id: box for box in drawn.boxes}
    for link in links:
        if link.kind == "route" and link.source in boxes and link.target in boxes:
            drawn.wires.append(_route(boxes[link.source], boxes[link.target], link))


def _hang(
    drawn: Scene, card: Card, answers: Sequence[Link], trusts: Sequence[Link], rails: tuple[int, int]
) -> None:
    """Connect a card's name servers and gateways with the rail above it, its clusters with the one below."""
    own, (upper, lower) = card.frames[0], rails
    for box in card.boxes:
        asked = [link.op for link in answers if link.source == box.part.id]
        if asked:
            x = box.x + box.width - 20
            mark = (x, box.y - 20)
            drawn.wires.append(Wire(((x, box.y), (x, upper)), "answer", together(asked), mark=mark))
        named = [link.op for link in answers if link.target == box.part.id]
        if named:
            x, y = own.x + PAD // 2, box.y + BOX_HEIGHT // 2
            around = ((x, upper), (x, y), (box.x - 2, y))
            drawn.wires.append(Wire(around, "answer", together(named), True, mark=(x, y - 30)))
    for frame in card.frames:
        joined = [link.op for link in trusts if frame.part.id in (link.source, link.target)]
        if joined:
            x, y = frame.x + frame.width // 2, frame.y + frame.height
            points = ((x, y), (x, lower))
            drawn.wires.append(Wire(points, "mesh", together(joined), mark=(x, (y + lower) // 2)))


def _trunks(
    drawn: Scene, rails: Sequence[tuple[int, int]], answers: Sequence[Link], trusts: Sequence[Link]
) -> None:
    """Name the rails, and join those of several rows of cards at the left."""
    if answers:
        drawn.labels.append(Label(f"DNS answers {_tally(answers)}", _MARGIN, rails[0][0] - 6))
        drawn.wires.append(Wire(((16, rails[0][0]), (16, rails[-1][0])), "answer", Op.SAME))
    if trusts:
        drawn.labels.append(Label(f"trust between clusters {_tally(trusts)}", _MARGIN, rails[-1][1] + 16))
        drawn.wires.append(Wire(((24, rails[0][1]), (24, rails[-1][1])), "mesh", Op.SAME))


def _tally(links: Sequence[Link]) -> str:
    words = [
        f"{sum(link.op is op for link in links):,} {verb}"
        for op, verb in (
            (Op.CREATE, "new"),
            (Op.UPDATE, "updated"),
            (Op.REPLACE, "replaced"),
            (Op.DELETE, "deleted"),
        )
        if any(link.op is op for link in links)
    ]
    return f"({', '.join([many(len(links), 'link'), *words])})"


def _route(source: Box, target: Box, link: Link) -> Wire:
    start = (source.x + source.width, source.y + BOX_HEIGHT // 2)
    end = (target.x - 2, target.y + BOX_HEIGHT // 2)
    middle = ((start[0] + end[0]) // 2, (start[1] + end[1]) // 2)
    return Wire((start, end), "route", link.op, True, True, middle)
