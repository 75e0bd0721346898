"""The processes of programs and plugins, and how they end."""

from __future__ import annotations

import os
import selectors
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_GRACE_SECONDS = 3.0


class _Process(subprocess.Popen[bytes]):
    """A child of the host."""

    def wait_or_kill(self) -> None:
        """Give the process a moment to end, then end it."""
        try:
            self.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self.wait()


class ProgramProcess(_Process):
    """A process that has imported the SDK and waits for the program to run (see `program.py`).

    The request goes through its stdin, which stays open: its end tells the process that the host is gone.
    """

    def __init__(self, python: str) -> None:
        self.python = python
        runner = Path(__file__).with_name("program.py")
        # A process group of its own: the engine interrupts the host's group at the end of every operation,
        # and the host ends its programs itself.
        super().__init__([python, "-u", str(runner)], stdin=subprocess.PIPE, process_group=0)

    def run(self, request: Any) -> int:
        """Hand the process its program and wait for its end."""
        message = request.SerializeToString()
        assert self.stdin is not None
        try:
            self.stdin.write(struct.pack("!Q", len(message)) + message)
            self.stdin.flush()
        except BrokenPipeError:
            pass  # it ended already; its exit code says why
        return self.wait()


class PluginProcess(_Process):
    """A plugin: a directory with a `__main__.py`, or a policy pack that the SDK starts."""

    def __init__(self, python: str, request: Any) -> None:
        directory = request.info.program_directory
        entry = os.path.join(directory, request.info.entry_point or ".")
        if request.kind == "analyzer":
            # The SDK's starter takes the engine's address, which is the last argument, and the program.
            command = [python, "-u", "-m", "pulumi.policy", *request.args, entry]
        else:
            command = [python, "-u", entry, *request.args]
        environment = dict(item.split("=", 1) for item in request.env if "=" in item) or dict(os.environ)
        super().__init__(
            command,
            cwd=request.pwd or None,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def output(self) -> Iterator[tuple[str, bytes]]:
        """What the plugin writes, as it comes: (`stdout` or `stderr`, data)."""
        with selectors.DefaultSelector() as selector:
            for name, stream in (("stdout", self.stdout), ("stderr", self.stderr)):
                assert stream is not None
                selector.register(stream, selectors.EVENT_READ, name)
            while selector.get_map():
                for key, _ in selector.select():
                    if data := os.read(key.fd, 65536):
                        yield key.data, data
                    else:
                        selector.unregister(key.fileobj)
