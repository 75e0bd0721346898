"""Messages to the engine, which shows them in the terminal beside the resource that they are about."""

from __future__ import annotations

import logging

import grpc  # type: ignore[import-untyped]
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

_LOG = logging.getLogger(__name__)


class Engine:
    """The engine's log. A message that cannot be delivered is dropped: it never fails an operation."""

    def __init__(self, address: str) -> None:
        """address: `host:port` of the engine, as it is given to plugins."""
        self._engine = engine_pb2_grpc.EngineStub(grpc.aio.insecure_channel(address))

    async def status(self, urn: str, message: str) -> None:
        """Show `message` as what the resource is doing now; the next one takes its place."""
        await self._send(engine_pb2.INFO, urn, message, ephemeral=True)

    async def info(self, urn: str, message: str) -> None:
        """Show `message` and keep it."""
        await self._send(engine_pb2.INFO, urn, message)

    async def warning(self, urn: str, message: str) -> None:
        """Show `message` as a warning."""
        await self._send(engine_pb2.WARNING, urn, message)

    async def _send(
        self, severity: engine_pb2.LogSeverity.ValueType, urn: str, message: str, *, ephemeral: bool = False
    ) -> None:
        request = engine_pb2.LogRequest(severity=severity, urn=urn, message=message, ephemeral=ephemeral)
        try:
            await self._engine.Log(request, timeout=5)
        except grpc.RpcError as exc:
            _LOG.debug("the engine did not take a message: %s", exc)
