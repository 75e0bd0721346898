"""Keys of files that are encrypted here, kept by the secrets provider of a stack: passphrase or a cloud's
keys.

A file has a random key of its own, which lies beside it as the provider encrypted it. What is needed to
decrypt that, the stack file's settings of the provider, lies there too: they are no secret, and a backup
outlives its stack file.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from access import engine
from access.paths import PROJECT_FILE, project_root, stack_file
from report.errors import OperationsError

_SETTINGS = ("secretsprovider", "encryptedkey", "encryptionsalt")
_KEY = "crossmesh:envelope"


def wrapped(stack: str, key: bytes) -> dict[str, Any]:
    """A key as the stack's provider encrypts it. It reaches `pulumi` on its standard input.

    Raises what `engine.pulumi` does.
    """
    settings = _settings(yaml.safe_load(stack_file(stack).read_text(encoding="utf-8")))
    with _directory(stack, settings, {}) as (directory, file):
        engine.pulumi(
            "config", "set", "--secret", _KEY, "--stack", stack, stdin=key.hex(), directory=directory
        )
        made = yaml.safe_load(file.read_text(encoding="utf-8"))
    # With a passphrase, the provider's settings come into being with the first secret.
    return {**_settings(made), "secure": made["config"][_KEY]["secure"]}


def unwrapped(stack: str, envelope: Mapping[str, Any]) -> bytes:
    """The key. Raises what `engine.pulumi` does, `OperationsError` for an envelope that is none."""
    if "secure" not in envelope:
        raise OperationsError("the file's key is not there: its head has no encrypted key")
    settings = _settings(envelope)
    with _directory(stack, settings, {_KEY: {"secure": envelope["secure"]}}) as (directory, _):
        done = engine.pulumi("config", "get", _KEY, "--stack", stack, directory=directory)
    return bytes.fromhex(done.stdout.strip())


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in _SETTINGS if values.get(name)}


@contextmanager
def _directory(
    stack: str, settings: Mapping[str, Any], config: Mapping[str, Any]
) -> Iterator[tuple[Path, Path]]:
    """A project whose stack file has these settings and this configuration alone, and that file."""
    path = stack_file(stack)
    with tempfile.TemporaryDirectory(prefix="crossmesh-") as name:
        directory = Path(name)
        shutil.copyfile(project_root() / PROJECT_FILE, directory / PROJECT_FILE)
        file = directory / path.parent.name / path.name
        file.parent.mkdir()
        file.write_text(yaml.safe_dump({**settings, "config": dict(config)}), encoding="utf-8")
        yield directory, file
