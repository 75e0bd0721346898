"""Given certificates, as the program has them: read and held against each other before anything is declared.

Texts of secrets are looked at here, and only here: what is wrong with a key is to be said before a host or a
cluster is touched, and an output is known later. They are handed on as secrets.
"""

from __future__ import annotations

import json

import pulumi

from stacks.certificates import read_certificates, soon_to_end
from stacks.errors import KeyPath, value_at
from stacks.given import Given
from stacks.load import Stack
from stacks.model import Secret

_PREFIX = "crossmesh:"


def read_given(stack: Stack) -> dict[str, Given]:
    """The given certificates of the selected stack, by name; in a preview, those that are known there.

    An `up` is told of those that end soon. Raises `StackFileError`.
    """
    if not stack.environment.certificates:
        return {}
    preview = pulumi.runtime.is_dry_run()
    given = read_certificates(stack, _secret_text, whole=not preview)
    for words in () if preview else soon_to_end(stack, given):
        pulumi.log.warn(words)
    return given


def _secret_text(secret: Secret, path: KeyPath) -> str | None:
    """What a secret of the stack holds. path: of one that is encrypted in its place, in the environment."""
    if secret.secret:
        text = pulumi.runtime.get_config(f"{_PREFIX}{secret.secret}")
    else:
        text = value_at(json.loads(pulumi.runtime.get_config(f"{_PREFIX}environment") or "{}"), path)
    return text if isinstance(text, str) else None
