"""Secrets of the stack that a declaration names, beside those that the platform itself needs."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.errors import KeyPath
from stacks.model import Environment, Secret

MESH_ROOT_KEY = "meshRootKey"
"""The private key of the mesh's root of trust: no declaration names it, every environment has it."""


def named_secrets(environment: Environment) -> Iterator[tuple[KeyPath, str, str]]:
    """Key path in the environment, the secret's name, and what it holds, for each place that names one."""
    at: KeyPath
    for at, ssh in environment.logins():
        if ssh.become_password:
            yield (*at, "becomePassword"), ssh.become_password, "the password that sudo asks for"
    for index, registry in enumerate(environment.sources.registries):
        if registry.login:
            at = ("sources", "registries", index, "login")
            yield at, registry.login, f"the login of registry '{registry.name}', as `user:password`"
    for name, application in environment.applications.items():
        at = ("applications", name)
        for key, texts in (("environment", application.environment), ("files", application.files)):
            for entry, text in texts.items():
                if isinstance(text, Secret) and text.secret:
                    yield (*at, key, entry, "secret"), text.secret, f"{entry} of application '{name}'"
        if application.image_pull_secret:
            login = f"the login of application '{name}' at its image's registry, as `user:password`"
            yield (*at, "imagePullSecret"), application.image_pull_secret, login


def holds_encrypted(environment: Environment) -> bool:
    """Whether a text is encrypted in its place, and not by a name."""
    return any(
        isinstance(text, Secret) and text.secure
        for application in environment.applications.values()
        for text in (*application.environment.values(), *application.files.values())
    )
