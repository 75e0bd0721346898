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

from report.errors import OperationsError
from report.exit_codes import ExitCode
from report.progress import Progress, Say
from report.verdict import BROKEN, in_words

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
    broken: Callable[[str, OperationsError], Answer],
    end: threading.Event,
    stop: Callable[[], None] = lambda: None,
) -> list[Answer]:
    """What `examine` answers for each stack, as many at a time as there are processors.

    broken: the answer of a stack for which it raised: those of the others are not lost for it.

    An interrupt sets `end` and calls `stop`; when what runs has ended, so does the command.
    """

    def interrupt() -> None:
        first = not end.is_set()
        end.set()
        stop()
        if first:
            raise KeyboardInterrupt

    def answer(name: str) -> Answer:
        try:
            return examine(name, partial(progress.say, name))
        except BROKEN as error:
            return broken(name, in_words(name, error))

    workers = min(len(names), os.cpu_count() or 1)
    try:
        with Progress(sys.stderr) as progress, interrupts(interrupt), ThreadPoolExecutor(workers) as pool:
            return list(pool.map(answer, names))
    except KeyboardInterrupt:
        click.echo("Interrupted. Nothing was changed.", err=True)
        sys.exit(ExitCode.CANCELLED)
