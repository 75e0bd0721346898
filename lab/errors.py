"""The one error that the lab shows to people."""

from __future__ import annotations

import click


class LabError(click.ClickException):
    """Something that the lab cannot do: what and why, and, where it is known, how to fix it."""

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(f"{problem}\n  fix: {fix}" if fix else problem)
        self.problem = problem
        self.fix = fix
