"""Secrets of the stack that a declaration names, beside those that the platform itself needs."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.errors import KeyPath
from stacks.model import Environment, GivenParts, Secret

MESH_ROOT_KEY = "meshRootKey"
"""The private key of the mesh's root of trust: no declaration names it, every environment has it."""

STAND_IN = "placeholder:placeholder"
"""What stands for each of these where nobody may know them, as at a gate without the stack's state; of the
form of a login, which the program takes apart."""
_PARTS = {"certificate": "certificate", "chain": "chain", "privateKey": "private key"}
"""Keys of a given certificate whose texts may be secrets, and what they hold."""


def secret_parts(given: GivenParts) -> Iterator[tuple[str, Secret]]:
    """The parts of a given certificate that are secrets of the stack, by their keys."""
    parts = zip(_PARTS, (given.certificate, given.chain, given.private_key), strict=True)
    yield from ((key, part) for key, part in parts if isinstance(part, Secret))


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
    for name, certificate in environment.certificates.items():
        for key, part in secret_parts(certificate.given):
            if part.secret:
                holds = f"the {_PARTS[key]} of certificate '{name}', in PEM"
                yield ("certificates", name, "given", key, "secret"), part.secret, holds


def holds_encrypted(environment: Environment) -> bool:
    """Whether a text is encrypted in its place, and not by a name."""
    return any(
        isinstance(text, Secret) and text.secure
        for application in environment.applications.values()
        for text in (*application.environment.values(), *application.files.values())
    )
