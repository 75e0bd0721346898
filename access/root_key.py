"""The key of the mesh's root certificate authority: a secret of the stack, made once."""

from __future__ import annotations

import shutil
import tempfile
from enum import StrEnum
from pathlib import Path

import yaml

from access import engine
from access.paths import PROJECT_FILE, project_root, stack_file
from report.errors import ConfigurationError, OperationsError, StackNotFoundError
from stacks.named_secrets import MESH_ROOT_KEY
from stacks.write import copy_secrets, remove_secrets

CONFIG_KEY = f"crossmesh:{MESH_ROOT_KEY}"


class Algorithm(StrEnum):
    """Algorithms of the root key."""

    EC_P256 = "ec-p256"
    RSA_4096 = "rsa-4096"


def new_key(algorithm: Algorithm) -> str:
    """A new private key, PKCS #8 in PEM."""
    # Loaded here: every gate knows the key's name, few make one.
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if algorithm is Algorithm.EC_P256:
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=4096)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def init(stack: str, algorithm: Algorithm) -> bool:
    """Give the stack a root key, and make the stack where the backend does not know it.

    The key reaches `pulumi` on its standard input and the disk only encrypted. False if there is one already.
    Raises `OperationsError`, and makes nothing, where a new key could not be written into the stack's file.
    """
    path = stack_file(stack)
    has_key = CONFIG_KEY in (yaml.safe_load(path.read_text()).get("config") or {})
    if not has_key:
        require_writable(path)
    with tempfile.TemporaryDirectory(prefix="crossmesh-") as name:
        # `pulumi` writes stack files anew and drops their blank lines: it gets a copy of the project's two
        # files, and what it put there is put into the real one.
        directory = Path(name)
        scratch = directory / path.parent.name / path.name
        scratch.parent.mkdir()
        shutil.copyfile(path, scratch)
        shutil.copyfile(project_root() / PROJECT_FILE, directory / PROJECT_FILE)
        try:
            engine.stack_state(stack)
        except StackNotFoundError:
            # The engine would keep for good which one was chosen in a directory that is gone in a moment.
            engine.pulumi("stack", "init", stack, "--no-select", directory=directory)
        if has_key:
            _require_readable(stack, path)
            return False
        setting = ("config", "set", "--secret", "--path", CONFIG_KEY, "--stack", stack)
        engine.pulumi(*setting, stdin=new_key(algorithm), directory=directory)
        copy_secrets(scratch, path, [MESH_ROOT_KEY])
    return True


def remove(stack: str) -> bool:
    """Take the stack's secrets out of its file; False if none. Raises `OperationsError` while it is up."""
    path = stack_file(stack)
    try:
        deployment = engine.stack_state(stack).get("deployment") or {}
    except StackNotFoundError:
        deployment = {}
    resources = [r for r in deployment.get("resources") or () if r["type"] != "pulumi:pulumi:Stack"]
    if resources:
        raise OperationsError(
            f"stack {stack!r} has {len(resources)} resources, whose certificates rest on the root key. "
            f"Run `pulumi destroy --stack {stack}` first."
        )
    return remove_secrets(path)


def require_writable(path: Path) -> None:
    """Raise `OperationsError` where a stack's file cannot be written: before what goes with that is done."""
    try:
        with tempfile.TemporaryFile(dir=path.resolve().parent):
            pass
    except OSError as error:
        fix = "Run this in a checkout of yours that can be written. Nothing was made or removed."
        raise OperationsError(f"{path} cannot be written: {error.strerror}.", fix=fix) from error


def _require_readable(stack: str, path: Path) -> None:
    done = engine.pulumi("config", "get", CONFIG_KEY, "--stack", stack, check=False)
    if done.returncode != 0:
        raise ConfigurationError(
            f"{path} holds a root key that cannot be decrypted here: {done.stderr.strip()}\n"
            "Use the passphrase or the secrets provider that it was made with. If the environment is gone: "
            f"`crossmesh secrets remove --stack {stack}`, then `crossmesh secrets init --stack {stack}`."
        )
