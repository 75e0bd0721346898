"""The reference of a stack's outputs, made from what reads them."""

from __future__ import annotations

from access.outputs import NodeOutput, Outputs, RegionOutput
from report.schema import texts

_INTRODUCTION = """\
# Outputs of a stack

Made by `make docs`. What `pulumi stack output --stack NAME` shows, and other programs may rest on. Each is
there once `pulumi up` has gone through.
"""


def render() -> str:
    """The page, as the text of its file."""
    tables = {
        "The stack's": Outputs,
        "Of each region, in `regions`": RegionOutput,
        "Of each node, in its region's `nodes`": NodeOutput,
    }
    return "\n".join([_INTRODUCTION, *(_table(title, model) for title, model in tables.items())])


def _table(title: str, model: type) -> str:
    lines = [f"| `{name}` | {meaning} |" for name, meaning in texts(model).items()]
    return "\n".join([f"## {title}\n", "| output | what it is |", "|---|---|", *lines, ""])
