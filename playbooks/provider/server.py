"""Serves the provider to the engine, and ends with it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc  # type: ignore[import-untyped]
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from playbooks.provider.engine import Engine
from playbooks.provider.errors import ProviderError
from playbooks.provider.provider import VERSION, Crossmesh
from playbooks.provider.run import directory as run_directory

_PARENT_INTERVAL = 0.5
_CALLS = ("CheckConfig", "Configure", "Check", "Diff", "Create", "Update", "Delete", "Read", "GetSchema")


class Servicer(ProviderServicer):
    """The SDK's servicer, with errors for people in the place of tracebacks."""

    async def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        """Say that the provider's configuration never differs: it tells about one run and nothing of
        resources."""
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    async def Cancel(self, request: Any, context: Any) -> Any:
        """End all runs; each operation then answers that it was cancelled."""
        return await super().Cancel(request, context)  # type: ignore[no-untyped-call]


def _explained(name: str) -> Callable[..., Awaitable[Any]]:
    """Return the SDK's handler with its errors as plain messages; those of programming keep their
    traceback."""
    handler = getattr(ProviderServicer, name)
    handler = getattr(handler, "__wrapped__", None) or _unwrapped(handler)

    async def call(self: Servicer, request: Any, context: Any) -> Any:
        try:
            return await handler(self, request, context)
        except ProviderError as exc:
            await context.abort(grpc.StatusCode.UNKNOWN, str(exc))
        except NotImplementedError:
            raise
        except Exception:
            await context.abort(
                grpc.StatusCode.INTERNAL, f"the provider broke in {name}:\n{traceback.format_exc()}"
            )

    return call


def _unwrapped(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that the SDK's decorator closed over: it would fold the traceback into the
    message."""
    cells = handler.__closure__ or ()
    inner = [cell.cell_contents for cell in cells if callable(cell.cell_contents)]
    return inner[0] if inner else handler


for _name in _CALLS:
    setattr(Servicer, _name, _explained(_name))


def main(arguments: Sequence[str]) -> None:
    """Serve until the engine goes. arguments: the engine's address, and flags that plugins are given."""
    parser = argparse.ArgumentParser(
        prog="pulumi-resource-crossmesh", description="Pulumi provider plugin (gRPC)"
    )
    parser.add_argument("engine", help="address of the engine")
    known, _ = parser.parse_known_args(arguments)
    asyncio.run(_serve(known.engine))


async def _serve(engine_address: str) -> None:
    provider = Crossmesh(Engine(engine_address))
    server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
    servicer = Servicer([], VERSION, provider, engine_address)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # The engine sends SIGINT at the end of every operation.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(name, stop.set)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    # Runs complain of what is wrong there; without runs it does not matter.
    with contextlib.suppress(OSError, ProviderError):
        run_directory.remove_leftovers()
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    watcher = asyncio.create_task(_watch_parent(stop))
    await stop.wait()
    watcher.cancel()
    # The workers' pipes close: each of them ends its run by itself, whether or not this process is still
    # there.
    provider.hang_up()
    os._exit(0)


async def _watch_parent(stop: asyncio.Event) -> None:
    """Notice that the engine has died: it can be killed without a chance to say so."""
    parent = os.getppid()
    while os.getppid() == parent and parent != 1:
        await asyncio.sleep(_PARENT_INTERVAL)
    stop.set()
