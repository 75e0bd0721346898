"""Messages to the engine, which shows them in the terminal beside the resource that they are about."""

from __future__ import annotations

import logging
from typing import Literal

import grpc  # type: ignore[import-untyped]
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

_LOG = logging.getLogger(__name__)


class Engine:
    """The engine's log. A message that cannot be delivered is dropped: it never fails an operation."""

    def __init__(self, address: str) -> None:
        """address: `host:port` of the engine, as it is given to plugins."""
        self._engine = engine_pb2_grpc.EngineStub(grpc.aio.insecure_channel(address))

    async def log(self, kind: Literal["status", "info", "warning"], urn: str, message: str) -> None:
        """Show a message beside a resource. The next one takes the place of a status."""
        severity = engine_pb2.WARNING if kind == "warning" else engine_pb2.INFO
        request = engine_pb2.LogRequest(
            severity=severity, urn=urn, message=message, ephemeral=kind == "status"
        )
        try:
            await self._engine.Log(request, timeout=5)
        except grpc.RpcError as exc:
            _LOG.debug("the engine did not take a message: %s", exc)
