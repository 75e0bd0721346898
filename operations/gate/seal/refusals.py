"""What the engine says when it does not even begin, as errors with exit codes of their own."""

from __future__ import annotations

import re

from operations.errors import OperationsError
from operations.gate.errors import AuthenticationError, LockedError, StackNotFoundError

_KNOWN: tuple[tuple[re.Pattern[str], type[OperationsError]], ...] = (
    (re.compile(r"passphrase|PULUMI_ACCESS_TOKEN|failed to decrypt", re.I), AuthenticationError),
    (re.compile(r"no stack named|stack '[^']*' not found", re.I), StackNotFoundError),
    (re.compile(r"currently locked|another update is currently in progress", re.I), LockedError),
)


def known(words: str, stack: str) -> OperationsError | None:
    """The error that the engine's words stand for; None if they are none of the known ones."""
    for pattern, error in _KNOWN:
        if pattern.search(words):
            return error(f"stack {stack!r}: {words}")
    return None


def raise_known(words: str, stack: str) -> None:
    """Raise the error that the engine's words stand for; return if they are none of the known ones."""
    error = known(words, stack)
    if error is not None:
        raise error
