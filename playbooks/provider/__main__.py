"""Serves the provider to the engine, and ends with it: `python -m playbooks.provider ENGINE_ADDRESS`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys

import grpc  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2_grpc

from playbooks.provider.engine import Engine
from playbooks.provider.provider import Crossmesh
from playbooks.provider.run import directory as run_directory
from report.errors import OperationsError

_PARENT_INTERVAL = 0.5
# What the engine itself takes and sends at most; gRPC's own bound for what is received is 4 MiB.
_LARGEST_MESSAGE = 400 * 1024 * 1024
_OPTIONS = (
    ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
    ("grpc.max_send_message_length", _LARGEST_MESSAGE),
)


def main() -> None:
    """Serve until the engine goes. Flags that plugins are given play no part."""
    parser = argparse.ArgumentParser(
        prog="pulumi-resource-crossmesh", description="Pulumi provider plugin (gRPC)"
    )
    parser.add_argument("engine", help="address of the engine")
    asyncio.run(_serve(parser.parse_known_args()[0].engine))


async def _serve(engine_address: str) -> None:
    provider = Crossmesh(Engine(engine_address))
    server = grpc.aio.server(options=_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # The engine sends SIGINT at the end of every operation.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(name, stop.set)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    # Runs complain of what is wrong there; without runs it does not matter.
    with contextlib.suppress(OSError, OperationsError):
        run_directory.remove_leftovers()
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    watcher = asyncio.create_task(_watch_parent(stop))
    await stop.wait()
    watcher.cancel()
    # The workers' pipes close: each of them ends its run by itself, with or without this process.
    provider.hang_up()
    os._exit(0)


async def _watch_parent(stop: asyncio.Event) -> None:
    """Notice that the engine has died: it can be killed without a chance to say so."""
    parent = os.getppid()
    while os.getppid() == parent and parent != 1:
        await asyncio.sleep(_PARENT_INTERVAL)
    stop.set()


if __name__ == "__main__":
    main()
