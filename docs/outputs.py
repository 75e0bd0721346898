"""The reference of a stack's outputs, made from what reads them."""

from __future__ import annotations

from collections.abc import Mapping

from access.outputs import NODE_OUTPUTS, OUTPUTS, REGION_OUTPUTS

_INTRODUCTION = """\
# Outputs of a stack

Made by `make docs`. What `pulumi stack output --stack NAME` shows, and other programs may rest on. Each is
there once `pulumi up` has gone through.
"""


def render() -> str:
    """The page, as the text of its file."""
    tables = {
        "The stack's": OUTPUTS,
        "Of each region, in `regions`": REGION_OUTPUTS,
        "Of each node, in its region's `nodes`": NODE_OUTPUTS,
    }
    return "\n".join([_INTRODUCTION, *(_table(title, rows) for title, rows in tables.items())])


def _table(title: str, rows: Mapping[str, str]) -> str:
    lines = [f"| `{name}` | {meaning} |" for name, meaning in rows.items()]
    return "\n".join([f"## {title}\n", "| output | what it is |", "|---|---|", *lines, ""])
