"""Rules over applications."""

from __future__ import annotations

import re

from stacks.quantities import amount
from stacks.rules.check import Check


def application_names_begin_with_a_letter(check: Check) -> None:
    """An application's name is its Service's, which Kubernetes wants to begin with a letter."""
    for name in check.environment.applications:
        if name[0].isdigit():
            check.problem(
                ("applications", name),
                f"the name '{name}'",
                "an application's name begins with a letter",
                f"rename it, for example to app-{name}"[:90],
            )


def environment_variables_have_names(check: Check) -> None:
    """Names of environment variables are those that Kubernetes takes: letters, digits, `_ . -`."""
    for name, application in check.environment.applications.items():
        for variable in application.environment:
            better = re.sub(r"[^-._a-zA-Z0-9]", "_", variable).upper().lstrip("0123456789")
            if not re.fullmatch(r"[-._a-zA-Z][-._a-zA-Z0-9]*", variable):
                check.problem(
                    ("applications", name, "environment", variable),
                    f"the name '{variable}'",
                    "a variable's name has letters, digits and _ . -, and begins with no digit",
                    f"write for example {better or 'NAME'}",
                )


def requests_are_within_limits(check: Check) -> None:
    """A pod asks for no more than it may use: Kubernetes refuses it otherwise, in the middle of an `up`."""
    for name, application in check.environment.applications.items():
        path = ("applications", name, "resources")
        limits = application.resources.limits.model_dump(exclude_none=True)
        for kind, most in limits.items():
            asked = getattr(application.resources.requests, kind)
            if check.intact(*path) and amount(asked) > amount(most):
                check.problem(
                    path,
                    f"a request for {asked} of {kind}, and a limit of {most}",
                    "a request is not above its limit",
                    f"write for example limits: {{{kind}: {asked}}}",
                )


RULES = (
    requests_are_within_limits,
    application_names_begin_with_a_letter,
    environment_variables_have_names,
)
