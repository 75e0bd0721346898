"""The reference of the `crossmesh` command, made from its help."""

from __future__ import annotations

from collections.abc import Iterator

import click

from operations.cli import crossmesh

_WIDTH = 110
_INTRODUCTION = """\
# The command line

Made by `make docs` from the command's own help. What its exit codes mean: [exit codes](exit-codes.md).
"""


def render() -> str:
    """The page, as the text of its file."""
    parts = [f"## {path}\n\n```text\n{words}\n```\n" for path, words in _helps(crossmesh, "crossmesh")]
    return "\n".join([_INTRODUCTION, *parts])


def _helps(
    command: click.Command, path: str, parent: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    """Each command's full name and help, those with verbs of their own before these."""
    context = click.Context(
        command,
        parent,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        info_name=path.rpartition(" ")[2],
        **command.context_settings,
    )
    yield path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None, "a group knows what it lists"
            yield from _helps(child, f"{path} {name}", context)
