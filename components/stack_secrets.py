"""Secrets of the stack, as the program has them: never looked at, handed on to those that they are for."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import Input, Output

from components.component import late
from stacks.errors import KeyPath
from stacks.model import Secret

_DOCKER_HUB = "docker.io"
"""The registry of images that name none, as kubelet spells their names out before it looks for a login."""


@dataclass(frozen=True)
class StackSecrets:
    """What the declaration names as secret."""

    key: Input[str]
    """A secret that nobody can guess: digests of those that somebody might are made with it."""
    named: Mapping[str, Input[str]]
    """By name."""
    environment: Input[Mapping[str, Any]] | None = None
    """The declaration with what is encrypted in its place; None where nothing is."""

    def text(self, secret: Secret, path: KeyPath) -> Output[str]:
        """A secret text. path: where it is in the environment."""
        if secret.secret:
            return Output.secret(self.named[secret.secret])
        return Output.secret(late(lambda environment: _at(environment, path), environment=self.environment))

    def login(self, name: str) -> Output[dict[str, str]]:
        """`user` and `password` of the stack secret of that name, which has the form `user:password`.

        Ends the program, before anything is done with it, where it has another one.
        """
        return Output.secret(late(_parted, name=name, text=self.named[name]))

    def pull_config(self, name: str, image: str) -> Output[str]:
        """What kubelet pulls an image with, in Docker's format: the login of that stack secret."""
        return Output.secret(late(_docker_config, login=self.login(name), image=image))

    def digest(self, texts: Mapping[str, Input[str]]) -> Output[str]:
        """A digest that changes with the texts, and that tells nothing of them to who has not the key."""
        return Output.unsecret(late(_digest, key=self.key, texts=dict(texts)))


def registry_of(image: str) -> str:
    """The registry of an image, for Docker's format."""
    first, _, rest = image.partition("/")
    own = rest and ("." in first or ":" in first or first == "localhost")
    return first if own else _DOCKER_HUB


def _parted(name: str, text: str) -> dict[str, str]:
    user, _, password = text.strip().partition(":")
    if not user or not password or "\n" in password:
        raise pulumi.RunError(
            f"the stack secret crossmesh:{name} is no login: a user, a colon and the password or token, in "
            f"one line. Set it anew by `pulumi config set --secret {name}`, which asks for it."
        )
    return {"user": user, "password": password}


def _docker_config(login: Mapping[str, str], image: str) -> str:
    auth = b64encode(f"{login['user']}:{login['password']}".encode()).decode()
    return json.dumps({"auths": {registry_of(image): {"auth": auth}}}, sort_keys=True)


def _digest(key: str, texts: Mapping[str, str]) -> str:
    content = json.dumps(["secrets of an application", texts], sort_keys=True)
    return hmac.new(key.encode(), content.encode(), "sha256").hexdigest()


def _at(value: Any, path: KeyPath) -> str:
    for part in path:
        value = value[part]
    return str(value)
