"""The topology as a Mermaid flowchart, which platforms draw within Markdown. For small ones only."""

from __future__ import annotations

import re

from report.formats.cards import Tree
from report.formats.text import MARKS, clip, visible
from report.model import Op, Part, Topology

MOST_PARTS = 40
_UNSAFE = re.compile(r"[^A-Za-z0-9 _/,]")
_STYLES = {
    Op.CREATE: "fill:#dafbe1,stroke:#1a7f37,color:#0b3d1a",
    Op.UPDATE: "fill:#fff8c5,stroke:#9a6700,color:#4d3300",
    Op.REPLACE: "fill:#fbefff,stroke:#8250df,color:#3b1a73",
    Op.DELETE: "fill:#ffebe9,stroke:#cf222e,color:#6b0d15,stroke-dasharray:4 3",
}
_ARROWS = {"mesh": "<-->", "answer": "-.->", "route": "-->"}


def flowchart(topology: Topology) -> list[str]:
    """Its lines; none if there is nothing to draw or too much to be readable."""
    if not 0 < len(topology.parts) <= MOST_PARTS:
        return []
    ids = {part.id: f"p{number}" for number, part in enumerate(topology.parts)}
    inside = Tree(topology).inside
    lines = ["flowchart LR"]
    for part in inside.get("", ()):
        lines += _part(part, ids, inside, "  ")
    for link in topology.links:
        if link.source in ids and link.target in ids:
            mark = f'|"{_label(MARKS[link.op])}"|' if link.op is not Op.SAME else ""
            lines.append(f"  {ids[link.source]} {_ARROWS.get(link.kind, '---')}{mark} {ids[link.target]}")
    lines += [f"  classDef {op} {style}" for op, style in _STYLES.items()]
    for op in _STYLES:
        changed = [ids[part.id] for part in topology.parts if part.op is op]
        if changed:
            lines.append(f"  class {','.join(changed)} {op}")
    return lines


def _part(part: Part, ids: dict[str, str], inside: dict[str, list[Part]], indent: str) -> list[str]:
    mark = "" if part.op is Op.SAME else f"{MARKS[part.op]} "
    label = f'["{_label(mark + clip(visible(part.title), 60))}"]'
    held = inside.get(part.id, ()) if part.id else ()
    if not held:
        return [f"{indent}{ids[part.id]}{label}"]
    lines = [f"{indent}subgraph {ids[part.id]}{label}"]
    for other in held:
        lines += _part(other, ids, inside, f"{indent}  ")
    return [*lines, f"{indent}end"]


def _label(text: str) -> str:
    """Text within quotes; whatever Mermaid or HTML could take for theirs is written by its number."""
    return _UNSAFE.sub(lambda found: f"#{ord(found.group(0))};", text)
