"""The picture: everything has its place, its mark and its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest

from report.formats import picture
from report.formats.cards import BOX_HEIGHT
from report.formats.layout import Scene, scene
from report.model import Op, Part, Topology
from tests.unit.report.formats import samples

SVG = "{http://www.w3.org/2000/svg}"


def drawn(topology: Topology) -> ET.Element:
    """The picture of a topology, read back."""
    return ET.fromstring(picture.render([replace(samples.rich(), topology=topology)]))


def texts(root: ET.Element) -> list[str]:
    """All words of a picture."""
    return [found.text or "" for found in root.iter(f"{SVG}text")]


def regions(number: int) -> Topology:
    """So many regions of the wide sample."""
    return samples.wide_topology(number)


def overlapping(found: Scene) -> Iterator[tuple[str, str]]:
    """Boxes that lie upon each other."""
    for one, other in combinations(found.boxes, 2):
        apart = (
            one.x + one.width <= other.x
            or other.x + other.width <= one.x
            or one.y + BOX_HEIGHT <= other.y
            or other.y + BOX_HEIGHT <= one.y
        )
        if not apart:
            yield one.part.id, other.part.id


@pytest.mark.parametrize(
    "topology", [samples.topology(), *(regions(number) for number in (1, 2, 3, 4, 6, 7, 50))]
)
def test_nothing_lies_upon_anything_else_or_outside(topology: Topology) -> None:
    found = scene(topology, 90)
    assert list(overlapping(found)) == []
    cards = [frame for frame in found.frames if frame.depth == 0]
    for box in found.boxes:
        assert box.x > 0 and box.x + box.width < found.width and box.y + BOX_HEIGHT < found.height
    for frame in found.frames:
        holders = [
            card
            for card in cards
            if card.x <= frame.x
            and frame.x + frame.width <= card.x + card.width
            and card.y <= frame.y
            and frame.y + frame.height <= card.y + card.height
        ]
        assert len(holders) == 1
    for wire in found.wires:
        assert all(0 <= x <= found.width and 90 <= y <= found.height for x, y in wire.points)


def test_every_part_of_a_small_platform_is_there_by_name() -> None:
    words = texts(drawn(samples.topology()))
    for part in samples.topology().parts:
        assert any(part.title in text for text in words), part.title


def test_every_operation_has_a_mark_and_not_only_a_colour() -> None:
    marks = {}
    for op in Op:
        root = drawn(
            Topology(
                (Part("a", "region", "a"), Part("b", "cluster", "b", "a"), Part("c", "node", "c", "b", op))
            )
        )
        box = next(
            group for group in root.iter(f"{SVG}g") if group.findtext(f"{SVG}title", "").startswith("node c")
        )
        strokes = [path.get("d", "") for path in box.iter(f"{SVG}path")]
        marks[op] = re.sub(r"-?\d+(\.\d+)?", "", " ".join(strokes)), len(strokes)
    assert len(set(marks.values())) == len(Op)


def test_what_goes_is_crossed_out() -> None:
    text = picture.render([samples.rich()])
    assert 'class="text gone"' in text and ">us-worker-2</text>" in text


def test_many_regions_stay_readable() -> None:
    root = drawn(regions(50))
    assert int(root.get("width", "0")) <= 1400
    words = texts(root)
    assert "8 regions with changes" in words and "42 regions without" in words
    assert {f"r{number:02}" for number in (0, 1, 48)} <= set(words)
    assert "trust between clusters (1,225 links, 49 new, 48 deleted)" in words


def test_long_rows_name_what_changes_and_count_the_rest() -> None:
    parts = [Part("a", "region", "a"), Part("b", "cluster", "b", "a")]
    parts += [Part(f"n{n:02}", "node", f"n{n:02}", "b", Op.DELETE if n == 19 else Op.SAME) for n in range(20)]
    words = texts(drawn(Topology(tuple(parts))))
    assert "n19" in words and "12 more" in words


def test_parts_outside_of_regions_have_a_card() -> None:
    words = texts(drawn(Topology((Part("e", "edge", "edge-1"), Part("x", "node", "x", "nowhere")))))
    assert {"outside of regions", "edge-1", "x"} <= set(words)


def test_parts_that_hold_each_other_are_left_out() -> None:
    drawn(
        Topology((Part("a", "region", "a", "b"), Part("b", "cluster", "b", "a"), Part("c", "node", "c", "c")))
    )


def test_nothing_to_draw_is_said() -> None:
    root = ET.fromstring(picture.render([samples.empty()]))
    assert any(text.startswith("Nothing to draw") for text in texts(root))


def test_names_are_text() -> None:
    root = ET.fromstring(picture.render([samples.hostile()]))
    assert not list(root.iter(f"{SVG}script"))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "title", "desc", "style", "defs", "marker", "path", "rect", "text", "g", "circle")
    }


def test_it_is_readable_in_the_dark() -> None:
    assert "@media (prefers-color-scheme:dark)" in picture.render([samples.rich()])
