"""The images' sources on this machine: the toolchain, this project's Go sources, Debian's packages."""

from __future__ import annotations

from pathlib import Path

from lab.images.archive import Layer
from lab.images.base import BaseLayer
from lab.images.compiled import compiled


class ToolchainSources:
    """Programs of the installed toolchain. Its own errors (a program is missing) pass through unchanged."""

    def __init__(self, architecture: str) -> None:
        self._architecture = architecture

    def program(self, name: str) -> Path:
        """A program of the toolchain."""
        import toolchain

        return toolchain.program(name)

    def data(self, name: str) -> Path:
        """A data file of the toolchain."""
        import toolchain

        return toolchain.data(name)

    def version(self, name: str) -> str:
        """The version of a part of the toolchain."""
        import toolchain

        return toolchain.version(name)

    def compiled(self, name: str) -> Path:
        """A program of this project, compiled when it has changed."""
        return compiled(name)

    def base(self) -> Layer:
        """The Debian base layer of this machine's architecture."""
        return BaseLayer(self._architecture)
