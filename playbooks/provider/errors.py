"""What the engine is told beside an error that reaches the user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from report.errors import OperationsError


class Unfinished(OperationsError):
    """A change was begun and not finished: the engine keeps the resource, and finishes it in the next run."""

    def __init__(self, cause: OperationsError, state: Mapping[str, Any]) -> None:
        """cause: why it was not finished. state: what is to be remembered of the resource."""
        super().__init__(cause.message, fix=cause.fix)
        self.state = state
