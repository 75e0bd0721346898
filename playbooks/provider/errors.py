"""Errors that reach the user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ProviderError(Exception):
    """Something that the user can act on: what and where happened, why, and how to go on."""

    def __init__(self, message: str, *, fix: str = "") -> None:
        """message: what, where and why. fix: what to do next, a sentence."""
        super().__init__(f"{message}\n  fix: {fix}" if fix else message)


class CancelledRun(ProviderError):
    """The operation was cancelled by the user or by the end of the engine."""


class Unfinished(ProviderError):
    """A change was begun and not finished: the engine keeps the resource, and finishes it in the next run."""

    def __init__(self, cause: ProviderError, state: Mapping[str, Any]) -> None:
        """cause: why it was not finished. state: what is to be remembered of the resource."""
        super().__init__(str(cause))
        self.state = state
