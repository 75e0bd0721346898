"""Write the reports: files whole or not at all, and standard output for the one that asked for it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console

from report.errors import OperationsError
from report.examination import Examination
from report.formats import document, junit, markdown, picture, sarif, terminal
from report.formats.request import ReportRequest, is_special
from stacks.whole_file import write_whole

_RENDERERS: Mapping[str, Callable[[Sequence[Examination]], str]] = {
    "terminal": terminal.render,
    "markdown": markdown.render,
    "json": document.render,
    "sarif": sarif.render,
    "junit": junit.render,
    "svg": picture.render,
}


def write(requests: Sequence[ReportRequest], examinations: Sequence[Examination]) -> None:
    """Make and write every report; what goes to standard output last, when the files are there.

    Raises `OperationsError` that names the files that could not be written, after the others have been.
    """
    failed = []
    for request in requests:
        if request.to_standard_output:
            continue
        for file, shown in _files(request, examinations):
            try:
                data = _RENDERERS[request.format](shown).encode()
                if is_special(file):
                    file.write_bytes(data)
                else:
                    write_whole(file, data)
            except OSError as error:
                failed.append(
                    f"The {request.format} report could not be written to {file}: {error.strerror}."
                )
    for request in requests:
        if request.to_standard_output:
            try:
                _print(request.format, examinations)
            except BrokenPipeError:
                # Whoever reads has seen enough; the exit code still says it all.
                _leave_standard_output()
            except OSError as error:
                _leave_standard_output()
                failed.append(f"The {request.format} report could not be printed: {error.strerror}.")
    if failed:
        raise OperationsError("\n".join([*failed, "Make room for it, or name another file."]))


def _files(
    request: ReportRequest, examinations: Sequence[Examination]
) -> list[tuple[Path, Sequence[Examination]]]:
    if request.per_stack:
        return [(request.file(examination.stack), [examination]) for examination in examinations]
    return [(request.file(), examinations)]


def _leave_standard_output() -> None:
    """Have what is still to be written go nowhere: it would fail again when the process ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print(format: str, examinations: Sequence[Examination]) -> None:
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    if format == "terminal":
        live = sys.stdout.isatty()
        console = Console(file=sys.stdout, force_terminal=live, width=None if live else terminal.WIDTH)
        text = terminal.render(examinations, console)
        # A log in a narrow encoding loses a mark rather than the report.
        data = text.encode(sys.stdout.encoding or "utf-8", "replace")
    else:
        data = _RENDERERS[format](examinations).encode()
    click.echo(data, nl=False)
