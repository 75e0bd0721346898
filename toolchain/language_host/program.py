"""Runs one Pulumi program: started by the host, waits for the request on stdin, ends with the program.

Exit codes: 0 the program ended well; 32 it failed and the reason was shown; else its own exit code.
"""

from __future__ import annotations

import asyncio
import logging
import os
import runpy
import signal
import struct
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

# The directory of this file must not shadow modules of the program.
sys.path.pop(0)

EXPLAINED = 32
INTERRUPTED = 130


def _interrupted(*_: object) -> NoReturn:
    # Once is enough: a second signal would break off with a traceback what the first has asked for.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _read_request(stream: Any) -> Any:
    from pulumi.runtime.proto import language_pb2

    header = stream.read(8)
    if len(header) < 8:
        sys.exit(0)  # not needed: the host ended without a run
    request = language_pb2.RunRequest()
    request.ParseFromString(stream.read(struct.unpack("!Q", header)[0]))
    return request


def _configure(request: Any) -> None:
    import pulumi.runtime

    pulumi.runtime.set_all_config(dict(request.config), list(request.configSecretKeys))
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=request.monitor_address,
            engine=request.args[0] if request.args else None,
            project=request.project,
            stack=request.stack,
            parallel=request.parallel,
            dry_run=request.dryRun,
            organization=request.organization or "organization",
            root_directory=request.info.root_directory,
        )
    )


def entry_point(request: Any) -> str:
    """The program's file or directory, absolute."""
    directory = request.info.program_directory or request.pwd
    return os.path.normpath(os.path.join(directory, request.info.entry_point or request.program or "."))


def explain(error: BaseException, program: str) -> str:
    """An error with its traceback from the program's first frame on, without the frames that started it."""
    root = program if os.path.isdir(program) else os.path.dirname(program)
    seen: set[int] = set()
    link = summary = traceback.TracebackException.from_exception(error)
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        frames = list(link.stack)
        first = next((i for i, frame in enumerate(frames) if frame.filename.startswith(root + os.sep)), None)
        if first is not None:
            link.stack = traceback.StackSummary.from_list(frames[first:])
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)  # type: ignore[assignment]
    return "".join(summary.format()).rstrip()


async def all_done(await_all_outstanding_tasks: bool = True) -> None:
    """Wait until what the program has registered, and every output, is done. Raises the first error at once.

    In the place of the SDK's own wait (`pulumi.runtime.stack.wait_for_rpcs`), which looks at all outstanding
    outputs again whenever one of them is done. With 10,000 resources that took two thirds of a run.
    """
    from pulumi.runtime.settings import SETTINGS, _get_rpc_manager

    registrations = _get_rpc_manager().rpcs
    while True:
        # Registrations are known only when they have begun.
        await asyncio.sleep(0)
        with SETTINGS.lock:
            tasks = {*registrations, *(SETTINGS.outputs if await_all_outstanding_tasks else ())}
            registrations.clear()
            if await_all_outstanding_tasks:
                SETTINGS.outputs.clear()
        if not tasks:
            return
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()


def run(request: Any) -> int:
    """Run the program of a request; its exit code."""
    import grpc
    import pulumi

    # Futures of a graph that failed half-way are never awaited; asyncio's complaints hide the cause.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    program = entry_point(request)
    sys.argv = [program, *request.args[1:]]
    os.chdir(request.pwd or os.path.dirname(program))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=max(request.parallel, 1) * 4)
    loop.set_default_executor(executor)
    main = os.path.join(program, "__main__.py")
    if os.path.isdir(program) and not os.path.exists(main):
        pulumi.log.error(f"there is no Python program in {program}: it has no __main__.py")
        return EXPLAINED

    def start() -> None:
        runpy.run_path(program, run_name="__main__")

    pulumi.runtime.stack.wait_for_rpcs = all_done
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(start))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return EXPLAINED
    except grpc.RpcError as error:
        # The engine ends the monitor when it cancels or has failed; it has said why.
        if error.code() == grpc.StatusCode.UNAVAILABLE:
            return EXPLAINED
        pulumi.log.error(f"the engine refused a call: {error.details()}\n{explain(error, program)}")
        return EXPLAINED
    except Exception as error:
        pulumi.log.error(f"the program failed:\n{explain(error, program)}")
        return EXPLAINED
    return 0


def main() -> None:
    """Wait for the request, run it, end with its code."""
    code = INTERRUPTED
    try:
        import pulumi
        import pulumi.runtime  # noqa: F401

        request = _read_request(sys.stdin.buffer)
        # Until here a signal just ends the process; from here on the program gets the chance to clean up.
        signal.signal(signal.SIGTERM, _interrupted)
        _watch_parent()
        _configure(request)
        code = run(request)
    except KeyboardInterrupt:
        pass
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of the program (RPC servers, executors) must not hold up the engine.
    os._exit(code)


def _watch_parent() -> None:
    """End this process when its stdin closes, which is when the host is gone."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


if __name__ == "__main__":
    main()
