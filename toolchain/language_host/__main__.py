"""`pulumi-language-python`: serves Python programs and plugins to the Pulumi engine.

The engine starts it with its own address as the last argument, reads a port from the first line of stdout,
speaks the LanguageRuntime protocol on it, and sends SIGINT when it needs it no more.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

try:
    import grpc
    from pulumi.runtime.proto import language_pb2_grpc
except ImportError as error:
    print(
        f"The Python at {sys.executable} has no Pulumi SDK ({error}). Activate the project's environment "
        '(eval "$(make -s env)") or set PULUMI_PYTHON_CMD to a Python that has it.',
        file=sys.stderr,
    )
    sys.exit(1)

from host import Host

_ENGINE_CHECK_SECONDS = 0.5


def main() -> None:
    """Serve until the engine asks for the end, or is gone."""
    stop = threading.Event()
    # At the end of every operation the engine interrupts its plugins; that is no error.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    engine = os.getppid()
    host = Host()
    # A plugin's stream holds a thread for as long as the plugin runs.
    server = grpc.server(
        ThreadPoolExecutor(max_workers=32),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while not stop.wait(_ENGINE_CHECK_SECONDS):
        if os.getppid() != engine:
            break
    host.close()
    server.stop(grace=None)
    sys.stdout.flush()
    # Worker threads may still wait on the engine's calls; nothing is left to be saved.
    os._exit(0)


main()
