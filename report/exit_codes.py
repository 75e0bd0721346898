"""Exit codes of `gate`, `drift` and `up`. They are stable: pipelines rest on them.

0 to 9 mean what they mean for Pulumi's own command line (its documentation, "Exit codes"); Pulumi's next
numbers may come at any time, so those of our own start at 10 and stay there.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended. Of several stacks, the one named first in `WORST_FIRST` is taken."""

    CLEAN = 0
    """Nothing stands against the change."""
    TOOL_ERROR = 1
    """Something went wrong that has no code of its own."""
    USAGE = 2
    """Wrong usage, or a declaration or configuration that is not valid."""
    AUTHENTICATION = 3
    """A credential is missing, expired or refused."""
    PREVIEW_FAILED = 4
    """The engine could not preview or apply the change."""
    POLICY = 5
    """A rule failed and nothing waives it."""
    STACK_NOT_FOUND = 6
    """There is no stack of that name."""
    UNEXPECTED_CHANGES = 7
    """Something changes although `--expect-no-changes` was given, or drift was found."""
    CANCELLED = 8
    """Interrupted by the user or the pipeline."""
    TIMEOUT = 9
    """The time that was allowed ran out."""
    NEEDS_APPROVAL = 10
    """A destructive change that nobody has approved."""
    NOT_MEASURABLE = 11
    """Under `--strict`: something could not be measured."""
    STALE = 12
    """A sealed plan is not for what is there now, or what happens is not what was sealed."""
    LOCKED = 13
    """Another run holds the stack."""


WORST_FIRST = (
    ExitCode.CANCELLED,
    ExitCode.TOOL_ERROR,
    ExitCode.USAGE,
    ExitCode.STACK_NOT_FOUND,
    ExitCode.AUTHENTICATION,
    ExitCode.TIMEOUT,
    ExitCode.PREVIEW_FAILED,
    ExitCode.LOCKED,
    ExitCode.STALE,
    ExitCode.POLICY,
    ExitCode.NEEDS_APPROVAL,
    ExitCode.UNEXPECTED_CHANGES,
    ExitCode.NOT_MEASURABLE,
    ExitCode.CLEAN,
)


def worst(codes: list[ExitCode]) -> ExitCode:
    """The code of a run over several stacks."""
    return min(codes, key=WORST_FIRST.index, default=ExitCode.CLEAN)
