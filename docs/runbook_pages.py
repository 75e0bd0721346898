"""Pages on runbooks, made from the steps that they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from runbooks.catalogue import RUNBOOKS
from runbooks.model import Runbook

_DIRECTORY = Path(__file__).parent / "runbooks"

_INTRODUCTION = """\
# Runbooks

Made by `make docs` from the steps in `runbooks/`. How they are run, resumed and taken back is in
[the guide](../guides/runbooks.md).

| runbook | what it is for |
|---|---|
"""


def pages() -> Mapping[Path, Callable[[], str]]:
    """The text of each page, by its path."""
    own = {_DIRECTORY / f"{book.name}.md": partial(render, book) for book in RUNBOOKS}
    return {_DIRECTORY / "README.md": _index, **own}


def _index() -> str:
    return _INTRODUCTION + "".join(
        f"| [`{book.name}`]({book.name}.md) | {book.title} |\n" for book in RUNBOOKS
    )


def render(book: Runbook[Any]) -> str:
    """The page of one."""
    given = "".join(f" {one.name}=…" for one in book.parameters if one.default is None)
    lines = [
        f"# {book.title}\n",
        f"{book.says}\n",
        "```sh",
        f"crossmesh runbook run {book.name} --stack NAME{given} --dry-run",
        f"crossmesh runbook run {book.name} --stack NAME{given}",
        "```\n",
        *_parameters(book),
        "## Steps\n",
        "```mermaid",
        *_picture(book),
        "```\n",
        "| step | does | taken back |",
        "|---|---|---|",
        *(f"| {step.name} | {step.says} | {_back(step)} |" for step in book.steps),
        "",
        _ENDING[book.takes_back],
    ]
    return "\n".join(lines)


_ENDING = {
    True: "When a step fails, what the run did is taken back, last step first.\n",
    False: "When a step fails, what the run did stands, and `crossmesh runbook resume` goes on.\n",
}


def _default(value: str | None) -> str:
    return "must be given" if value is None else f"`{value}`" if value else "none"


def _back(step: Any) -> str:
    return f"no: {step.one_way}" if step.one_way else "yes" if step.undo else "nothing to take back"


def _parameters(book: Runbook[Any]) -> list[str]:
    if not book.parameters:
        return []
    return [
        "| parameter | what it is | default |",
        "|---|---|---|",
        *(f"| `{one.name}` | {one.says} | {_default(one.default)} |" for one in book.parameters),
        "",
    ]


def _picture(book: Runbook[Any]) -> list[str]:
    """A flow of Mermaid: forward by the steps, and back where they are taken back."""
    lines = ["flowchart LR", '  begin(["what stands against it is asked"])']
    previous = "begin"
    for number, step in enumerate(book.steps):
        name = f"step{number}"
        lines += [f'  {name}["{step.name}"]', f"  {previous} --> {name}"]
        previous = name
    lines += ['  well(["what must hold afterwards is seen"])', f"  {previous} --> well"]
    if book.takes_back:
        undone = [(number, step) for number, step in enumerate(book.steps) if step.undo]
        lines += ['  back(["as it was before"])'] if undone else []
        lines += [f'  step{number} -. "fails" .-> back' for number, _ in undone]
    return lines
