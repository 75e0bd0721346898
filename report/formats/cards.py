"""The cards of the topology's picture: a region with everything in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from report.formats.text import one_line
from report.model import Op, Part, Topology

BOX_HEIGHT, BOX_WIDTH = 28, 200
"""Of what stands for one part, in pixels, as everything here."""
HEAD = 34
"""Height of the line with a card's name."""
PAD = 18
"""Between a card's edge and what is in it."""
_FRAME_HEAD = 28
_CAPTION = 18
_GAP = 8
_GUTTER = 48
"""Between the two columns of a card; routes run there."""
CARD_WIDTH = 2 * BOX_WIDTH + _GUTTER + 4 * PAD
"""Of a card that shows everything."""
_MOST = 9
"""At most so many boxes for one kind of thing in a card."""
_CAPTIONS = {"edge": "name servers", "gateway": "gateways", "service": "services", "node": "nodes"}
"""Of kinds of parts, from where requests come in to where they end."""


@dataclass
class Box:
    """A part that holds nothing. The place is that of its upper left corner, in pixels."""

    part: Part
    x: int
    y: int
    width: int


@dataclass
class Frame:
    """A part that holds others; `depth` is 0 for a card."""

    part: Part
    x: int
    y: int
    width: int
    height: int
    depth: int
    inset: int = 14
    """Where its name begins."""


@dataclass
class Label:
    """Words beside what they name; `y` is their baseline."""

    text: str
    x: int
    y: int


class Tree:
    """Which part holds which."""

    def __init__(self, topology: Topology) -> None:
        self.parts = {part.id: part for part in topology.parts}
        self.inside: dict[str, list[Part]] = {}
        for part in topology.parts:
            holder = part.inside if part.inside in self.parts else ""
            self.inside.setdefault(holder, []).append(part)
        outermost = self.inside.get("", [])
        self.cards = [part for part in outermost if part.kind in ("region", "cluster")]
        strays = [part for part in outermost if part.kind not in ("region", "cluster")]
        if strays:
            self.cards.append(Part("", "region", "none"))

    def held(self, part: Part) -> list[Part]:
        """What a part holds; the card without a region holds what is in none."""
        parts = self.inside.get(part.id, [])
        return parts if part.id else [entry for entry in parts if entry.kind not in ("region", "cluster")]

    def below(self, part: Part) -> list[Part]:
        """Everything that a part holds, at any depth."""
        return [deeper for entry in self.held(part) for deeper in (entry, *self.below(entry))]


@dataclass(frozen=True)
class Card:
    """Its own frame comes first."""

    frames: list[Frame]
    boxes: list[Box]
    labels: list[Label]

    @property
    def height(self) -> int:
        return self.frames[0].height


def detailed(tree: Tree, part: Part) -> Card:
    """A region with its name servers, and its cluster with gateways, services and nodes."""
    held = tree.held(part)
    clusters = [entry for entry in held if tree.held(entry) or entry.kind == "cluster"]
    boxes, labels, y = _stack([entry for entry in held if entry not in clusters], 2 * PAD, HEAD)
    frames = []
    for cluster in clusters:
        placed, named, end = _stack(tree.below(cluster), 2 * PAD, y + _GAP + _FRAME_HEAD)
        boxes += placed
        labels += named
        frames.append(Frame(cluster, PAD, y + _GAP, CARD_WIDTH - 2 * PAD, end - y, 1))
        y = end + _GAP
    # At the left is the way from the rail to the gateways.
    own = Frame(part, 0, 0, CARD_WIDTH, y + PAD - _GAP, 0, inset=24)
    return Card([own, *frames], boxes, labels)


def _rows(parts: Sequence[Part]) -> dict[str, list[Part]]:
    """Parts by kind, under the caption of each."""
    others = sorted({part.kind for part in parts} - _CAPTIONS.keys())
    captions = _CAPTIONS | {other: one_line(other, 24) for other in others}
    alike = {caption: [part for part in parts if part.kind == kind] for kind, caption in captions.items()}
    return {caption: _shown(row) for caption, row in alike.items() if row}


def _shown(parts: Sequence[Part]) -> list[Part]:
    """At most so many parts: those that change before those that stay, and one that stands for the rest."""
    if len(parts) <= _MOST:
        return list(parts)
    ranked = sorted(parts, key=lambda part: (part.op is Op.SAME, part.risk.rank))
    kept = {part.id for part in ranked[: _MOST - 1]}
    rest = [part for part in parts if part.id not in kept]
    changing = [part.op for part in rest if part.op is not Op.SAME]
    words = f"{len(rest):,} more"
    if 0 < len(changing) < len(rest):
        words += f", of which {len(changing):,} change"
    op = together(changing) if changing else Op.SAME
    return [*(part for part in parts if part.id in kept), Part(f"more:{rest[0].id}", "more", words, op=op)]


def _stack(parts: Sequence[Part], x: int, y: int) -> tuple[list[Box], list[Label], int]:
    """Boxes in two columns under their kinds, gateways left of services; captions; where they end."""
    boxes: list[Box] = []
    labels: list[Label] = []
    rows = _rows(parts)
    facing = rows.keys() >= {"gateways", "services"}
    for caption, row in rows.items():
        if facing and caption == "gateways":
            tall = max(len(row), len(rows["services"])) * (BOX_HEIGHT + _GAP)
            for name, column, column_parts in ((caption, 0, row), ("services", 1, rows["services"])):
                left = x + column * (BOX_WIDTH + _GUTTER)
                above = (tall - len(column_parts) * (BOX_HEIGHT + _GAP)) // 2
                labels.append(Label(name, left, y + above + 12))
                boxes += grid(column_parts, left, y + above + _CAPTION, 1, BOX_WIDTH)[0]
            y += _CAPTION + tall
        elif not facing or caption != "services":
            labels.append(Label(caption, x, y + 12))
            placed, y = grid(row, x, y + _CAPTION, 2, BOX_WIDTH, _GUTTER)
            boxes += placed
    return boxes, labels, y


def grid(
    parts: Sequence[Part], x: int, y: int, columns: int, width: int, gap: int = _GAP
) -> tuple[list[Box], int]:
    boxes = [
        Box(part, x + number % columns * (width + gap), y + number // columns * (BOX_HEIGHT + _GAP), width)
        for number, part in enumerate(parts)
    ]
    lines = -(-len(parts) // columns)
    return boxes, y + lines * (BOX_HEIGHT + _GAP)


def place(card: Card, x: int, y: int, height: int) -> None:
    """Move a card to its place, and make it as high as its neighbours."""
    higher = height - card.height
    for number in {0, len(card.frames) - 1}:
        card.frames[number].height += higher
    things: list[Frame | Box | Label] = [*card.frames, *card.boxes, *card.labels]
    for thing in things:
        thing.x += x
        thing.y += y


def together(ops: Iterable[Op]) -> Op:
    """What happens to several links as one."""
    distinct = set(ops)
    return distinct.pop() if len(distinct) == 1 else Op.UPDATE
