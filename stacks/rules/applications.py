"""Rules over applications."""

from __future__ import annotations

import re

from stacks.errors import KeyPath
from stacks.quantities import amount
from stacks.rules.check import Check, repeated

SIDECAR = 1337
"""User and group of Istio's proxy."""


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


def secrets_are_said_in_one_way(check: Check) -> None:
    """A secret text is named or encrypted in its place: of both, or of neither, nobody could tell it."""
    for name, application in check.environment.applications.items():
        for key, texts in (("environment", application.environment), ("files", application.files)):
            for entry, text in texts.items():
                check.said_in_one_way(("applications", name, key, entry), text)


def places_in_containers_are_apart(check: Check) -> None:
    """Files and writable directories have places of their own, by plain paths: one would hide the other."""
    for name, application in check.environment.applications.items():
        at: KeyPath = ("applications", name)
        paths = [((*at, "files", path), path) for path in application.files]
        paths += [((*at, "writable", index), path) for index, path in enumerate(application.writable)]
        for where, path in paths:
            if {".", ".."} & set(path.split("/")):
                check.problem(where, path, "a path has no . and no .. in it", "write it out")
        for (before, _), (where, path) in repeated(paths, lambda entry: entry[1]):
            line = check.line(*before)
            check.problem(where, f"{path} again; line {line} has it", "a path stands once", "remove one")


def users_are_not_the_sidecars(check: Check) -> None:
    """An application beside a sidecar is not user or group 1337: the mesh would take it for the sidecar.

    What that user sends goes past the mesh, in plain text and without its policies.
    """
    for name, application in check.environment.applications.items():
        namespace = check.environment.namespaces.get(application.namespace)
        numbers = {"runAsUser": application.run_as_user, "runAsGroup": application.run_as_group}
        for key, number in numbers.items():
            if namespace is not None and namespace.injection and number == SIDECAR:
                check.problem(
                    ("applications", name, key),
                    f"{SIDECAR}, in namespace '{application.namespace}' with sidecars",
                    f"{SIDECAR} is the sidecar's own: what it sends goes past the mesh",
                    "choose another number",
                )


RULES = (
    secrets_are_said_in_one_way,
    places_in_containers_are_apart,
    users_are_not_the_sidecars,
    requests_are_within_limits,
    application_names_begin_with_a_letter,
    environment_variables_have_names,
)
