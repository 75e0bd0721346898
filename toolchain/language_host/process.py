"""The processes of programs and plugins, and how they end."""

from __future__ import annotations

import os
import queue
import signal
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_GRACE_SECONDS = 3.0


class _Process:
    """A child of the host."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def terminate(self) -> None:
        """Ask the process to end; harmless when it has."""
        if not self.ended:
            self._process.send_signal(signal.SIGTERM)

    def wait_or_kill(self) -> None:
        """Give the process a moment to end, then end it."""
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait(self) -> int:
        """Wait for the end; the exit code, or minus the number of the signal."""
        return self._process.wait()


class ProgramProcess(_Process):
    """A process that has imported the SDK and waits for the program to run (see `program.py`).

    The request goes through its stdin, which stays open: its end tells the process that the host is gone.
    """

    def __init__(self, python: str) -> None:
        self.python = python
        runner = Path(__file__).with_name("program.py")
        # A process group of its own: the engine interrupts the host's group at the end of every operation,
        # and the host ends its programs itself.
        super().__init__(
            subprocess.Popen([python, "-u", str(runner)], stdin=subprocess.PIPE, process_group=0)
        )

    def run(self, request: Any) -> int:
        """Hand the process its program and wait for its end."""
        message = request.SerializeToString()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(struct.pack("!Q", len(message)) + message)
            self._process.stdin.flush()
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
            subprocess.Popen(
                command,
                cwd=request.pwd or None,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )

    def output(self) -> Iterator[tuple[str, bytes]]:
        """What the plugin writes, as it comes: (`stdout` or `stderr`, data)."""
        chunks: queue.Queue[tuple[str, bytes]] = queue.Queue()

        def pump(name: str, stream: Any) -> None:
            while data := os.read(stream.fileno(), 65536):
                chunks.put((name, data))
            chunks.put((name, b""))

        streams = {"stdout": self._process.stdout, "stderr": self._process.stderr}
        for name, stream in streams.items():
            threading.Thread(target=pump, args=(name, stream), daemon=True).start()
        open_streams = len(streams)
        while open_streams:
            name, data = chunks.get()
            if data:
                yield name, data
            else:
                open_streams -= 1
