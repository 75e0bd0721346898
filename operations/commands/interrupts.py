"""Stacks side by side, and what happens when the user or the pipeline interrupts."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import click

from report.exit_codes import ExitCode
from report.progress import Progress, Say

Answer = TypeVar("Answer")


@contextmanager
def interrupts(handle: Callable[[], None]) -> Iterator[None]:
    """Call `handle` at each interrupt (SIGINT, SIGTERM), in the main thread, until the block ends."""
    before = {
        number: signal.signal(number, lambda *_: handle()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def each_stack(
    names: Sequence[str],
    examine: Callable[[str, Say], Answer],
    end: threading.Event,
    stop: Callable[[], None] = lambda: None,
) -> list[Answer]:
    """What `examine` answers for each stack, as many at a time as there are processors.

    An interrupt sets `end` and calls `stop`; when what runs has ended, so does the command.
    """

    def interrupt() -> None:
        first = not end.is_set()
        end.set()
        stop()
        if first:
            raise KeyboardInterrupt

    workers = min(len(names), os.cpu_count() or 1)
    try:
        with Progress(sys.stderr) as progress, interrupts(interrupt), ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda name: examine(name, partial(progress.say, name)), names))
    except KeyboardInterrupt:
        click.echo("Interrupted. Nothing was changed.", err=True)
        sys.exit(ExitCode.CANCELLED)
