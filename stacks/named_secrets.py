"""Secrets of the stack that a declaration names, beside those that the platform itself needs."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.errors import KeyPath
from stacks.model import Environment


def named_secrets(environment: Environment) -> Iterator[tuple[KeyPath, str, str]]:
    """Key path in the environment, the secret's name, and what it holds, for each place that names one."""
    for path, login in environment.logins():
        if login.become_password:
            yield (
                (*path, "becomePassword"),
                login.become_password,
                "the password that sudo asks for",
            )
    for index, registry in enumerate(environment.sources.registries):
        if registry.login:
            path: KeyPath = ("sources", "registries", index, "login")
            yield path, registry.login, f"the login of registry '{registry.name}', as `user:password`"
