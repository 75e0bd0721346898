"""The SVG report: the topology with what changes.

Nothing in it rests on colour alone: what changes has a mark as well, what goes is crossed out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from report.examination import Examination
from report.exit_codes import ExitCode
from report.formats import facts
from report.formats.cards import BOX_HEIGHT, Box, Frame
from report.formats.layout import Scene, Wire, scene
from report.formats.text import one_line, visible
from report.model import Op, Part, Risk

_TOP = 90
_LEGEND = 52
_LEAST_WIDTH = 880
_SIDE = 24

_WORDS = {
    Op.CREATE: "created",
    Op.UPDATE: "updated",
    Op.REPLACE: "replaced",
    Op.DELETE: "deleted",
    Op.SAME: "stays",
}
_LIGHT = {
    Op.CREATE: ("#dafbe1", "#1a7f37"),
    Op.UPDATE: ("#fff8c5", "#9a6700"),
    Op.REPLACE: ("#f3e8ff", "#7c3aed"),
    Op.DELETE: ("#ffebe9", "#cf222e"),
    Op.SAME: ("#ffffff", "#8c959f"),
}
_DARK = {
    Op.CREATE: ("#12351f", "#3fb950"),
    Op.UPDATE: ("#3a2d0c", "#d29922"),
    Op.REPLACE: ("#2f2150", "#a78bfa"),
    Op.DELETE: ("#43181b", "#f85149"),
    Op.SAME: ("#161b22", "#6e7681"),
}
"""Fill and stroke for each operation."""

_ARROW_HEAD = (
    '<marker id="arrow-{0}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path class="disc-{0}" d="M0 0 L8 4 L0 8 Z"/></marker>'
)
_LINES = {"answer": "DNS answer", "route": "route", "mesh": "trust"}
"""Kinds of links that have a line of their own, and its name."""


def render(examinations: Sequence[Examination]) -> str:
    """The picture of one stack."""
    (examination,) = examinations
    drawn = scene(examination.topology, _TOP)
    width = max(drawn.width, _LEAST_WIDTH)
    height = max(drawn.height, _TOP + 40) + _LEGEND
    title = f"crossmesh {examination.verb}: {one_line(examination.stack, 60)}"
    verdict = f"{facts.code_words(examination.verdict.code)}: {one_line(examination.verdict.words, 300)}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="title what">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="what">{escape(verdict)} {escape(facts.counts(examination))}.</desc>',
        f"<style>{_style()}</style>",
        f"<defs>{''.join(map(_ARROW_HEAD.format, Op))}</defs>",
        f'<rect class="ground" width="{width}" height="{height}"/>',
        *_header(examination, title, verdict, width),
    ]
    if examination.topology.parts:
        lines += _body(drawn)
    else:
        lines.append(_text("Nothing to draw: the platform's parts are not known.", _SIDE, _TOP + 24, "soft"))
    lines += _legend(examination, drawn, height - 20)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _header(examination: Examination, title: str, verdict: str, width: int) -> Iterable[str]:
    yield _text(_fit(title, width - 2 * _SIDE, 21), _SIDE, 34, "title")
    clean = examination.verdict.code is ExitCode.CLEAN
    yield _text(
        _fit(verdict, width - 2 * _SIDE, 14), _SIDE, 56, f"verdict ink-{'create' if clean else 'delete'}"
    )
    yield _text(_fit(facts.counts(examination), width - 2 * _SIDE, 12), _SIDE, 74, "soft")


def _body(drawn: Scene) -> Iterable[str]:
    for frame in drawn.frames:
        yield _frame(frame)
    for wire in sorted(drawn.wires, key=lambda wire: wire.op is not Op.SAME):
        yield _wire(wire)
    for box in drawn.boxes:
        yield _box(box)
    for label in drawn.labels:
        yield _text(label.text, label.x, label.y, "soft")


def _frame(frame: Frame) -> str:
    part, card = frame.part, frame.depth == 0
    shape = (
        f'<rect class="{"card" if card else "frame"} edge-{part.op}" x="{frame.x}" y="{frame.y}" '
        f'width="{frame.width}" height="{frame.height}" rx="{12 if card else 8}"/>'
    )
    left, base = frame.x + frame.inset, frame.y + (22 if card else 19)
    mark, left = (_badge(part.op, left + 6, base - 4), left + 20) if part.op is not Op.SAME else ("", left)
    style, size = ("name", 16) if card else ("subname", 13)
    name = _text(_fit(_title(part), frame.width - (left - frame.x) - 40, size), left, base, style, part.op)
    danger = _danger(frame.x + frame.width - 18, base - 4) if part.risk is Risk.DESTRUCTIVE else ""
    return f"<g>{_tooltip(part)}{shape}{mark}{name}{danger}</g>"


def _box(box: Box) -> str:
    part, corner = box.part, {"gateway": 14, "service": 7}.get(box.part.kind, 3)
    shape = (
        f'<rect class="box fill-{part.op} edge-{part.op}" x="{box.x}" y="{box.y}" width="{box.width}" '
        f'height="{BOX_HEIGHT}" rx="{corner}"/>'
    )
    left, middle = box.x + 10, box.y + BOX_HEIGHT // 2
    mark, left = (_badge(part.op, left + 5, middle), left + 18) if part.op is not Op.SAME else ("", left)
    danger = _danger(box.x + box.width - 14, middle) if part.risk is Risk.DESTRUCTIVE else ""
    room = box.width - (left - box.x) - (24 if danger else 8)
    style = "text soft" if part.kind == "more" else "text"
    name = _text(_fit(one_line(part.title), room, 12), left, middle + 4, style, part.op)
    return f"<g>{_tooltip(part)}{shape}{mark}{name}{danger}</g>"


def _wire(wire: Wire) -> str:
    first, *others = wire.points
    if wire.curved:
        (x, y), (end_x, end_y) = wire.points
        middle = (x + end_x) // 2
        path = f"M{x} {y} C{middle} {y} {middle} {end_y} {end_x} {end_y}"
    else:
        path = f"M{first[0]} {first[1]} " + " ".join(f"L{x} {y}" for x, y in others)
    arrow = f' marker-end="url(#arrow-{wire.op})"' if wire.arrow else ""
    line = wire.kind if wire.kind in _LINES else "route"
    drawn = f'<path class="wire {line} edge-{wire.op}" d="{path}"{arrow}/>'
    if wire.op is Op.SAME or wire.mark is None:
        return drawn
    return drawn + _badge(wire.op, *wire.mark, 6)


def _badge(op: Op, x: int, y: int, radius: int = 7) -> str:
    """The mark of an operation: a stroke or two rather than a character, which fonts place as they like."""
    arm = radius - 3
    strokes = {
        Op.CREATE: f"M{x - arm} {y} h{2 * arm} M{x} {y - arm} v{2 * arm}",
        Op.UPDATE: f"M{x - arm} {y + 1} q{arm / 2:g} {-arm} {arm} 0 t{arm} 0",
        Op.REPLACE: f"M{x - arm} {y - 1} h{2 * arm} M{x} {y - 1 - arm} v{2 * arm} "
        f"M{x - arm} {y + arm} h{2 * arm}",
        Op.DELETE: f"M{x - arm} {y} h{2 * arm}",
    }
    return (
        f'<circle class="disc-{op}" cx="{x}" cy="{y}" r="{radius}"/><path class="stroke" d="{strokes[op]}"/>'
    )


def _danger(x: int, y: int) -> str:
    """The mark of what is destructive: an exclamation mark in a triangle."""
    return (
        f'<path class="danger" d="M{x} {y - 8} L{x + 9} {y + 7} H{x - 9} Z"/>'
        f'<path class="stroke" d="M{x} {y - 3} V{y + 2} M{x} {y + 4} v0.6"/>'
    )


def _legend(examination: Examination, drawn: Scene, y: int) -> Iterable[str]:
    """What the marks mean, and how many of the parts that are drawn have each."""
    parts = examination.topology.parts
    x = _SIDE
    for op in (Op.CREATE, Op.UPDATE, Op.REPLACE, Op.DELETE, Op.SAME):
        number = sum(part.op is op for part in parts)
        words = f"{_WORDS[op]} ({number:,})"
        if op is Op.SAME:
            place = f'x="{x}" y="{y - 11}" width="14" height="14" rx="3"'
            yield f'<rect class="box fill-same edge-same" {place}/>'
        else:
            yield _badge(op, x + 7, y - 4)
        yield _text(words, x + 20, y, "text")
        x += 36 + _width(words, 12)
    yield _danger(x + 9, y - 4)
    yield _text("destructive", x + 24, y, "text")
    x += 40 + _width("destructive", 12)
    for kind, words in _LINES.items():
        if any(wire.kind == kind for wire in drawn.wires):
            yield f'<path class="wire {kind} edge-same" d="M{x} {y - 4} h22"/>'
            yield _text(words, x + 28, y, "text")
            x += 46 + _width(words, 12)


def _title(part: Part) -> str:
    if not part.id:
        return "outside of regions"
    title = one_line(part.title)
    kind = one_line(part.kind)
    return title if title.startswith(kind) else f"{kind} {title}"


def _tooltip(part: Part) -> str:
    """What is said of a part where a pointer rests on it, whole."""
    words = f"{one_line(part.kind)} {one_line(part.title)}: {_WORDS[part.op]}"
    if part.risk is not Risk.ORDINARY:
        words += f", {part.risk}"
    return f"<title>{escape(words)}</title>"


def _text(text: str, x: int, y: int, style: str, op: Op = Op.SAME) -> str:
    gone = " gone" if op is Op.DELETE else ""
    return f'<text class="{style}{gone}" x="{x}" y="{y}">{escape(visible(text))}</text>'


def _fit(text: str, room: int, size: int) -> str:
    """The text, cut to about so many pixels."""
    if _width(text, size) <= room:
        return text
    while text and _width(text, size) > room - size:
        text = text[:-1]
    return f"{text}…"


def _width(text: str, size: int) -> int:
    """About how wide a text is, in pixels; fonts differ, so rather too much."""
    units = sum(1.0 if unicodedata.east_asian_width(char) in "WF" else 0.58 for char in text)
    return round(units * size)


def _style() -> str:
    """The looks, in light and dark surroundings."""
    return (
        'text{font-family:system-ui,-apple-system,"Segoe UI","Helvetica Neue","DejaVu Sans",Arial,sans-serif}'
        ".title{font-size:19px;font-weight:700}.verdict{font-size:13px;font-weight:600}"
        ".name{font-size:14px;font-weight:700}.subname{font-size:12px;font-weight:600}"
        ".text{font-size:12px}.soft{font-size:11px}.gone{text-decoration:line-through}"
        ".wire{fill:none;stroke-width:1.5}.answer{stroke-dasharray:5 3}.mesh{stroke-width:2.5}"
        ".box{stroke-width:1.5}.card{stroke-width:1.5}.frame{stroke-width:1.2}"
        ".box.edge-delete,.card.edge-delete,.frame.edge-delete{stroke-dasharray:5 3}"
        ".box.edge-create{stroke-width:2.2}"
        ".stroke{fill:none;stroke:#ffffff;stroke-width:1.8;stroke-linecap:round}"
        + _colours(_LIGHT, "#ffffff", "#f6f8fa", "#ffffff", "#1f2328", "#59636e")
        + "@media (prefers-color-scheme:dark){"
        + _colours(_DARK, "#0d1117", "#11161d", "#0d1117", "#e6edf3", "#9198a1")
        + ".stroke{stroke:#0d1117}}"
    )


def _colours(
    operations: dict[Op, tuple[str, str]], ground: str, card: str, frame: str, ink: str, soft: str
) -> str:
    rules = [
        f".ground{{fill:{ground}}}.card{{fill:{card}}}.frame{{fill:{frame}}}",
        f"text{{fill:{ink}}}.soft{{fill:{soft}}}",
        f".danger{{fill:{operations[Op.DELETE][1]}}}",
    ]
    for op, (fill, stroke) in operations.items():
        rules.append(
            f".fill-{op}{{fill:{fill}}}.edge-{op}{{stroke:{stroke}}}.disc-{op}{{fill:{stroke}}}"
            f".ink-{op}{{fill:{stroke}}}"
        )
    return "".join(rules)
