"""Errors of the gate that have exit codes of their own."""

from __future__ import annotations

from operations.errors import OperationsError
from operations.gate.exit_codes import ExitCode


class AuthenticationError(OperationsError):
    """A passphrase, token or certificate is missing, expired or refused."""

    exit_code = ExitCode.AUTHENTICATION


class StackNotFoundError(OperationsError):
    """The backend has no stack of that name."""

    exit_code = ExitCode.STACK_NOT_FOUND


class PreviewError(OperationsError):
    """The engine could not tell what a change does, or could not make it."""

    exit_code = ExitCode.PREVIEW_FAILED


class DeadlineError(OperationsError):
    """The time that was allowed ran out."""

    exit_code = ExitCode.TIMEOUT


class StaleError(OperationsError):
    """A sealed plan is not for what is there now, or what happens is not what was sealed."""

    exit_code = ExitCode.STALE


class LockedError(OperationsError):
    """Another run holds the stack."""

    exit_code = ExitCode.LOCKED


class CancelledError(OperationsError):
    """The user or the pipeline interrupted."""

    exit_code = ExitCode.CANCELLED
