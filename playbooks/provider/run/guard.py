"""The operator's end of a run's guard: one ssh connection, which carries all that Ansible sends as well
(multiplexing). So nothing reaches the host any more once it is closed, whoever dies first.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from access import host_lock, ssh
from access.errors import Unanswered
from playbooks.provider.run.request import RunRequest
from report.errors import CancelledError, OperationsError

_SCRIPT = Path(__file__).with_name("guard_script.py")
HEARTBEAT = 4.0
"""Seconds between heartbeats; the guard waits five times that long."""
LOOK_TIMEOUT = 600.0
"""Seconds that a run which only looks at the host may take, and that others wait for it."""
END_TIMEOUT = 25.0
"""Seconds for the guard to end what is left and to say so."""


class HostGuard:
    """The lock on a host, for as long as this object's connection lives."""

    def __init__(self, request: RunRequest, socket: Path, say: Callable[[str], None]) -> None:
        """socket: where ssh puts its control socket. say: called with what is being waited for."""
        self._request = request
        self._socket = socket
        self._say = say
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._errors = socket.with_name("ssh.errors")
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._input: IO[bytes] | None = None
        self._writing = threading.Lock()
        self.interpreter = ""
        self.directory = ""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def ssh_arguments(self) -> list[str]:
        """Return the options with which ssh uses this connection, and fails where it is gone."""
        return [
            *ssh.options(self._request.connection, proxy_command="false"),
            *("-o", "ControlMaster=no", "-o", f"ControlPath={self._socket}"),
        ]

    def lock(self) -> None:
        """Connect and take the host's lock. Raises Unanswered, LockedError where a runbook has the host,
        OperationsError, CancelledError."""
        request = self._request
        ssh.check_files(request.host, request.connection)
        command = ssh.python(request.connection)
        master = ("-M", "-S", str(self._socket), "-o", "ControlPersist=no")
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                ["ssh", *ssh.options(request.connection), *master, "-T", request.connection.address, command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
            )
        self._input = self._process.stdin
        threading.Thread(target=self._read, args=[self._process.stdout], daemon=True).start()
        lock = {
            "shared": request.check,
            "directory": request.remote_directory,
            "look_timeout": LOOK_TIMEOUT,
            "hold": dict(request.hold),
            "hold_seconds": host_lock.SECONDS,
        }
        order = {"run": request.run, "owner": request.owner, **lock}
        self._write(ssh.script(request.connection, _SCRIPT.read_bytes()) + json.dumps(order).encode() + b"\n")
        self._await_lock()
        threading.Thread(target=self._beat, daemon=True).start()

    def end(self) -> None:
        """Release the lock after a run that has ended; what it started on purpose stays."""
        self._write(b"end\n")
        self.finish()

    def abort(self) -> None:
        """Close the guard's input: it ends the run's processes. Returns at once."""
        self._ending.set()
        if self._input:
            with contextlib.suppress(OSError), self._writing:
                self._input.close()

    def finish(self) -> int | None:
        """Wait for the end; return how many processes were ended on the host, None when it did not say."""
        self._ending.set()
        if self._process is None or self._input is None:
            return 0
        deadline = time.monotonic() + END_TIMEOUT
        ended = None
        with contextlib.suppress(queue.Empty):
            while (event := self._events.get(timeout=max(0.1, deadline - time.monotonic()))) is not None:
                ended = event.get("processes", ended) if event["event"] == "ended" else ended
        with contextlib.suppress(OSError):
            self._input.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return ended

    def _await_lock(self) -> None:
        deadline = time.monotonic() + ssh.CONNECT_TIMEOUT + 40
        while True:
            try:
                event = self._events.get(timeout=max(0.1, deadline - time.monotonic()))
            except queue.Empty:
                self.abort()
                msg = f"{self._request.host}: the host accepted a connection, but no python3 answered"
                raise Unanswered(msg, fix="log in to the host and look at its load and its disk") from None
            if event is None:
                # For `finish`, which waits for the end too.
                self._events.put(None)
                raise self._ended_early(self._process.wait() if self._process else 0)
            match event["event"]:
                case "locked":
                    self.interpreter, self.directory = event["python"], event["directory"]
                    return
                case "waiting":
                    deadline += LOOK_TIMEOUT
                    self._say(f"waiting for the lock of {self._request.host}, held by {_owner(event)}")
                case "taken over" if event["processes"]:
                    ended = event["processes"]
                    self._say(f"took over the lock of a dead run; ended {ended} of its processes")
                case "barred" if event["lost"]:
                    raise host_lock.lost(self._request.host, event)
                case "barred":
                    raise host_lock.refusal(self._request.host, event)
                case "held":
                    msg = f"{self._request.host}: another run is changing the host: {_owner(event)}"
                    fix = "wait until it has ended, or end it; the lock is free by itself then"
                    raise OperationsError(msg, fix=fix)

    def _ended_early(self, status: int) -> OperationsError:
        if self._ending.is_set():
            return CancelledError(f"{self._request.host}: cancelled")
        errors = self._errors.read_text(errors="replace")
        return ssh.failure(self._request.host, self._request.connection, status, errors)

    def _write(self, data: bytes) -> None:
        """Write to the guard; a connection that is gone shows in the events."""
        if self._input:
            with contextlib.suppress(OSError, ValueError), self._writing:
                self._input.write(data)

    def _beat(self) -> None:
        while not self._ending.wait(HEARTBEAT):
            self._write(b".\n")

    def _read(self, stdout: IO[bytes]) -> None:
        for line in stdout:
            with contextlib.suppress(ValueError):
                self._events.put(json.loads(line))
        self._events.put(None)


def _owner(event: dict[str, Any]) -> str:
    if not event["owner"]:
        return "a preview, which looks at the host and ends by itself"
    try:
        return str(json.loads(event["owner"])["owner"])
    except (ValueError, KeyError, TypeError):
        return "a run that did not leave its name"
