"""The picture of the house, made from the import contract and from where the columns have files."""

from __future__ import annotations

import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
COLUMNS = (
    "addresses",
    "machines",
    "clusters",
    "network",
    "trust",
    "mesh",
    "namespaces",
    "applications",
    "exposure",
    "names",
)
"""The capabilities, in the order in which they rest on each other."""

WORDS = {
    "operations": "verbs of the command",
    "live": "what is: doctor, drift, status",
    "runbooks": "operations on what runs, step by step on a journal",
    "rehearsal": "changes and runbooks, tried on a twin in the lab",
    "gate": "what a change does",
    "policies": "what every object keeps to",
    "components": "resources and manifests",
    "playbooks": "work on hosts, the provider",
    "access": "ways to what is live",
    "report": "what was found, and its forms",
    "stacks": "what is declared",
    "releases": "what can be installed",
}
_LEFT, _TOP, _CELL, _ROW = 250, 96, 68, 34
_STYLE = 'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12"'


def floors() -> list[str]:
    """The rooms that are floors, the topmost first, as the linter holds them."""
    with (_ROOT / "pyproject.toml").open("rb") as stream:
        contracts = tomllib.load(stream)["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["id"] == "floors")
    return [floor for floor in layers if floor in WORDS]


def stands_on(floor: str, column: str) -> bool:
    """Whether a floor has a file, or a package, of a column."""
    room = _ROOT / floor
    return any(room.rglob(f"{column}.py")) or any(room.rglob(f"{column}/__init__.py"))


def render() -> str:
    """The picture, as the text of its file."""
    rows = floors()
    width, height = _LEFT + _CELL * len(COLUMNS) + 20, _TOP + _ROW * len(rows) + 56
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {_STYLE} role="img"'
        ' aria-label="Floors of the project and columns on them">',
        f'  <rect width="{width}" height="{height}" fill="#ffffff"/>',
        '  <text x="16" y="26" font-size="14" font-weight="bold">floors: imports go down</text>',
    ]
    for index, column in enumerate(COLUMNS):
        x = _LEFT + _CELL * index + _CELL // 2
        parts.append(
            f'  <text x="{x}" y="{_TOP - 10}" transform="rotate(-40 {x} {_TOP - 10})">{column}</text>'
        )
    for index, floor in enumerate(rows):
        parts += _row(_TOP + _ROW * index, floor)
    base = _TOP + _ROW * len(rows) + 34
    parts += [
        f'  <text x="16" y="{base}">aside: <tspan font-weight="bold">lab</tspan> (machines on this computer),'
        ' <tspan font-weight="bold">toolchain</tspan> (pinned programs),'
        ' <tspan font-weight="bold">solution</tspan> (services): they know nothing of the platform</text>',
        "</svg>",
        "",
    ]
    return "\n".join(parts)


def _row(y: int, floor: str) -> list[str]:
    parts = [
        f'  <text x="16" y="{y + 21}"><tspan font-weight="bold">{floor}</tspan>'
        f' <tspan font-size="10" fill="#455a64">{WORDS[floor]}</tspan></text>',
    ]
    for index, column in enumerate(COLUMNS):
        fill = "#90caf9" if stands_on(floor, column) else "#f5f5f5"
        x = _LEFT + _CELL * index
        parts.append(
            f'  <rect x="{x + 2}" y="{y + 3}" width="{_CELL - 4}" height="{_ROW - 6}" rx="4" fill="{fill}">'
            f"<title>{floor}: {column}</title></rect>"
        )
    return parts
