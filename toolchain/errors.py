"""The one error of the toolchain."""

from __future__ import annotations


class ToolchainError(Exception):
    """Something about a program: what is wrong, where, and how to fix it, in one message for people."""
