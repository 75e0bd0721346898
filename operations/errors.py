"""Errors that the command line turns into one clear message on stderr and an exit code."""

from __future__ import annotations

import click

FAILED = 1
USAGE = 2


class OperationsError(click.ClickException):
    """Something that was tried did not work. The message says what, where, why and how to mend it.

    Exit code 1. Subclasses that mean "the command was given something wrong" have 2, as click's own usage
    errors.
    """

    exit_code = FAILED


class ConfigurationError(OperationsError):
    """The stack, its file or the shell's environment is not what the command needs. Exit code 2."""

    exit_code = USAGE


class PulumiError(OperationsError):
    """A `pulumi` command failed; the message carries its own words."""


class ClusterAccessError(OperationsError):
    """A cluster cannot be talked to with the kubeconfig of the stack's outputs."""
