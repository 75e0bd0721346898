"""What stands in the way of a rehearsal."""

from __future__ import annotations

from report.errors import OperationsError


class RehearsalError(OperationsError):
    """The twin could not be made, or did not come so far that the change could be tried on it."""
