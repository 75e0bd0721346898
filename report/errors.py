"""Errors that the command line turns into one clear message on stderr and an exit code."""

from __future__ import annotations

import click

from report.exit_codes import ExitCode


class OperationsError(click.ClickException):
    """Something that was tried did not work. The message says what, where and why, `fix` how to mend it.

    Exit code 1. Subclasses that mean "the command was given something wrong" have 2, as click's own usage
    errors.
    """

    exit_code = ExitCode.TOOL_ERROR

    def __init__(self, message: str, *, fix: str = "") -> None:
        """fix: what to do next, a sentence; empty where the message says it."""
        super().__init__(message)
        self.fix = fix

    def format_message(self) -> str:
        """What is shown."""
        return str(self)

    def __str__(self) -> str:
        return f"{self.message}\n  fix: {self.fix}" if self.fix else self.message


class ConfigurationError(OperationsError):
    """The stack, its file or the shell's environment is not what the command needs. Exit code 2."""

    exit_code = ExitCode.USAGE


class PulumiError(OperationsError):
    """A `pulumi` command failed; the message carries its own words."""


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
