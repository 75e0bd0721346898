"""Logins of registries: secrets of the stack, written as `user:password`."""

from __future__ import annotations

import pulumi
from pulumi import Input, Output

from components.component import late


def login_of(name: str, text: Input[str]) -> Output[dict[str, str]]:
    """`user` and `password`, from the stack secret of that name; secrets.

    Ends the program, before anything is done with it, where the secret is of another form.
    """
    return Output.secret(late(_parted, name=name, text=text))


def _parted(name: str, text: str) -> dict[str, str]:
    user, _, password = text.strip().partition(":")
    if not user or not password or "\n" in password:
        raise pulumi.RunError(
            f"the stack secret crossmesh:{name} is no login: a user, a colon and the password or token, in "
            f"one line. Set it anew by `pulumi config set --secret {name}`, which asks for it."
        )
    return {"user": user, "password": password}
