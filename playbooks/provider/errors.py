"""Errors that reach the user."""

from __future__ import annotations


class ProviderError(Exception):
    """Something that the user can act on: what and where happened, why, and how to go on."""

    def __init__(self, message: str, *, fix: str = "") -> None:
        """message: what, where and why. fix: what to do next, a sentence."""
        super().__init__(f"{message}\n  fix: {fix}" if fix else message)


class CancelledRun(ProviderError):
    """The operation was cancelled by the user or by the end of the engine."""
