"""The process of one run: `python -m playbooks.provider.worker`, a request on stdin, events on stdout.

The pipe is open for as long as somebody wants the run. When it is closed, by `cancel` or by the death of who
holds its other end, Ansible is killed, the host's guard ends what runs there, and nothing is left here.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from playbooks.provider.run import directory as run_directory
from playbooks.provider.run import processes
from playbooks.provider.run.events import Progress, mask_of
from playbooks.provider.run.guard import HostGuard
from playbooks.provider.run.request import RunRequest
from report.errors import CancelledError, OperationsError

if TYPE_CHECKING:
    from ansible_runner.runner import Runner

# Seconds after a cancellation until the worker leaves whatever happens.
_LAST_RESORT = 40.0


class Worker:
    """One run, from its request to its outcome."""

    def __init__(self, request: RunRequest, events: TextIO) -> None:
        self._request = request
        self._events = events
        self._secret = [
            request.secret_variables,
            request.bootstrap_kubeconfig,
            request.connection.become_password,
        ]
        self._mask = mask_of(self._secret)
        self._telling = threading.Lock()
        self._guard: HostGuard | None = None
        self._cancelled = threading.Event()

    def watch(self) -> None:
        """Cancel the run when stdin ends or says anything."""
        with contextlib.suppress(OSError):
            os.read(0, 1)
        self.cancel()

    def cancel(self) -> None:
        """End Ansible at once, and what runs on the host by its guard. The main thread then cleans up."""
        self._cancelled.set()
        guard = self._guard
        if guard:
            guard.abort()
        processes.kill_descendants(spare=[guard.pid] if guard and guard.pid else [])
        threading.Timer(_LAST_RESORT, os._exit, [3]).start()

    def run(self) -> None:
        start = time.monotonic()
        try:
            outcome = self._run()
        except CancelledError:
            # It had no lock yet, so nothing of it was begun on the host.
            outcome = self._cancelled_outcome(0)
        except OperationsError as exc:
            outcome = {"status": "failed", "message": str(exc)}
        self._tell("outcome", **{**outcome, "seconds": time.monotonic() - start})

    def _run(self) -> dict[str, Any]:
        with contextlib.suppress(OSError):
            run_directory.remove_leftovers()
        directory = run_directory.create()
        try:
            guard = self._guard = HostGuard(self._request, directory / "ssh", self._say)
            self._say("connecting")
            try:
                guard.lock()
            finally:
                if not guard.interpreter:
                    guard.abort()
                    guard.finish()
            return self._play(guard, directory)
        finally:
            # What Ansible has forked may outlive it, and would make its directories anew.
            processes.kill_descendants()
            shutil.rmtree(directory, ignore_errors=True)

    def _play(self, guard: HostGuard, directory: Path) -> dict[str, Any]:
        start = time.monotonic()
        progress = Progress(self._tell, self._masked)
        ended: Runner | None = None
        left: int | None = 0
        try:
            with self._secrets() as secrets:
                if not self._cancelled.is_set():
                    # Takes a third of a second to import, which the connection to the host hides.
                    from playbooks.provider.run.ansible import run_playbook

                    self._say("starting the playbook")
                    self._tell("begun")
                    is_cancelled = self._cancelled.is_set
                    ended = run_playbook(self._request, secrets, guard, directory, progress, is_cancelled)
        finally:
            if ended and ended.status in ("successful", "failed") and not self._cancelled.is_set():
                guard.end()
            else:
                guard.abort()
                left = guard.finish()
        if ended is None or self._cancelled.is_set():
            return self._cancelled_outcome(left)
        told = {"changed": progress.changed, "tasks": progress.tasks}
        if ended.status == "timeout":
            message = self._too_long(progress.task, time.monotonic() - start)
            return {"status": "failed", "message": message, **told}
        told["changed"] = [*progress.changed, *["a task with secrets"] * progress.hidden_changes]
        if ended.rc == 0:
            return {"status": "successful", "message": "", **told}
        output = "\n".join(progress.output)
        message = progress.failure or output or f"ansible-playbook ended with {ended.rc}"
        return {"status": "failed", "message": message, **told}

    def _too_long(self, task: str, seconds: float) -> str:
        request, where = self._request, f" (in task '{task}')" if task else ""
        if request.patience and seconds < request.timeout:
            return f"nothing was heard of it for {request.patience:.0f} s{where}; it was ended"
        return f"not finished after {request.timeout:.0f} s{where}; it was ended"

    @contextlib.contextmanager
    def _secrets(self) -> Iterator[dict[str, Any]]:
        """Give the run's secret variables, with a join token for as long as it is needed."""
        request = self._request
        if request.check or request.bootstrap_kubeconfig is None:
            # Check mode joins nothing; the role wants a token all the same.
            no_token = {"join_token": "000000.0000000000000000"} if request.check else {}
            yield {**no_token, **request.secret_variables}
            return
        self._say("making a join token")
        with contextlib.ExitStack() as stack:
            token = self._token(stack, request.bootstrap_kubeconfig)
            self._mask = mask_of([*self._secret, token])
            yield {**request.secret_variables, **({"join_token": token} if token else {})}

    def _token(self, stack: contextlib.ExitStack, kubeconfig: str) -> str:
        """A token to join by, until the stack is closed; empty where the host goes on without one."""
        from access.errors import CredentialsRefused, IdentityMismatch, Unanswered
        from playbooks.provider.run.join_token import ATTEMPTS, join_token

        request = self._request
        attempts = 1 if request.tokenless else ATTEMPTS
        try:
            made = join_token(kubeconfig, request.host, self._say, attempts=attempts)
            return stack.enter_context(made)
        except Unanswered:
            if not request.tokenless:
                raise
            self._say("its cluster does not answer: going on without a token to join by")
        except (CredentialsRefused, IdentityMismatch) as error:
            # Of another authority of the cluster, for example: the host knows which are trusted there.
            if not request.tokenless:
                raise
            self._say(f"going on without a token to join by: {error.message}")
        return ""

    def _cancelled_outcome(self, left: int | None) -> dict[str, Any]:
        told = f"{left} processes of the run were ended on the host"
        if left is None:
            told = "the host did not say so in time, but its guard ends what is left of the run by itself"
        elif not left:
            told = "nothing of it runs on the host"
        return {"status": "cancelled", "message": f"cancelled; {told}"}

    def _masked(self, text: str) -> str:
        return self._mask(text)

    def _say(self, text: str) -> None:
        self._tell("status", text=self._masked(text))

    def _tell(self, kind: str, **values: Any) -> None:
        with self._telling, contextlib.suppress(OSError, ValueError):
            self._events.write(json.dumps({"kind": kind, **values}) + "\n")
            self._events.flush()


def main() -> None:
    """Run the request on stdin."""
    processes.adopt_orphans()
    # Events have stdout for themselves; whatever libraries print goes to stderr.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # Not a byte more than the request: the rest of stdin belongs to `watch`.
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        line = stdin.readline().decode()
    if not line:
        return
    worker = Worker(RunRequest.from_json(line), events)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: threading.Thread(target=worker.cancel).start())
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    threading.Thread(target=worker.watch, daemon=True).start()
    worker.run()
    sys.stderr.flush()
    # Threads that still wait for something have nothing left to do.
    os._exit(0)


if __name__ == "__main__":
    main()
