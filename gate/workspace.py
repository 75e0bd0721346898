"""A place of its own to preview a stack from: a copy of the project, and a state backend.

The engine rewrites stack files and keeps things beside the program. The copy takes all of that, so a gate
leaves no trace, several run side by side, and the user may go on working meanwhile: what git or an editor
puts in a file's place is not seen by a gate that has begun.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import shutil
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from pydantic import ValidationError

from access import engine, git
from access.cluster import REQUEST_SECONDS
from access.programs import Executed
from access.root_key import CONFIG_KEY, Algorithm, new_key
from report.errors import ConfigurationError
from stacks.errors import is_encrypted
from stacks.load import stack_path
from stacks.model import Environment
from stacks.named_secrets import STAND_IN, named_secrets
from stacks.write import copy_secrets

PLACEHOLDER_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "https://255.255.255.255:1"}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
current-context: none
users: [{name: none, user: {token: none}}]
"""
"""Leads to an address that no connection can be made to: the cluster counts as unreachable at once."""

NOT_RUN = frozenset({"benchmarks", "docs", "findings", "solution", "tests"})
"""Directories of the project that no run of the engine reads."""
_ONLY_READ = (".py", ".pyc", ".yml", ".j2", ".json", ".toml")
"""Endings of files of the project that no program writes to. The engine's are `.yaml`."""
_COMPILED = "__pycache__"
_LEFT_OUT = frozenset({_COMPILED, ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache", "node_modules"})
_SALT = re.compile(r"^(encryptionsalt|encryptedkey|secretsprovider):.*\n?", re.MULTILINE)
_ANY = "crossmesh:placeholder"
_ENCRYPTED = ".stand-ins.yaml"
"""The engine's own version of a stack file, with what it encrypted."""
_UNWANTED = frozenset(
    {
        # A plan is applied up to the first thing that goes wrong.
        "PULUMI_CONTINUE_ON_ERROR",
        # A cluster that does not answer is no cluster that was deleted.
        "PULUMI_K8S_DELETE_UNREACHABLE",
        "PULUMI_RUN_PROGRAM",
    }
)


_LOOKED_AT = {"PULUMI_K8S_CLIENT_TIMEOUT": f"{REQUEST_SECONDS:.0f}"}
"""Bound in seconds of each request of the Kubernetes provider to an API server, where the user sets none: as
that of our own. By itself it waits for a connection for half a minute, and tries seven times, one after the
other."""


@dataclass(frozen=True)
class Workspace:
    """Where the engine is run for one stack."""

    directory: Path
    """The copy of the project."""
    stack: str
    environment: Mapping[str, str]
    """Of every program that is run there."""
    placeholders: tuple[str, ...] = ()
    """Names of configured secrets whose values are stand-ins here, sorted."""

    @property
    def stack_file(self) -> Path:
        """The copy of the stack's file."""
        return self.directory / "stacks" / f"Pulumi.{self.stack}.yaml"

    def pulumi(self, *arguments: str, timeout: float = 120, stdin: str = "") -> Executed:
        """Run `pulumi ARGUMENTS` there. Raises as `engine.pulumi` does."""
        where: dict[str, Any] = {"directory": self.directory, "environment": self.environment}
        return engine.pulumi(*arguments, timeout=timeout, stdin=stdin, **where)


@dataclass(frozen=True)
class InPlace:
    """The project's root as a workspace, with files of our own beside it for the time of a run."""

    workspace: Workspace
    config_file: Path
    """A copy of the stack's file: the engine writes such files anew."""
    plan_file: Path
    """Where the engine finds its plan."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What each of the engine's commands is told."""
        return "--stack", self.workspace.stack, "--config-file", str(self.config_file)


def attached(root: Path, directory: Path, stack: str, *, ref: str | None = None) -> Workspace:
    """A copy of the working tree, or of the commit `ref`, for a stack that the backend knows.

    Its real state is used. Where a stack's salts are kept out of git, a commit's file gets those of the
    working tree.
    """
    copy_project(root, directory, ref)
    made = Workspace(directory, stack, {**_LOOKED_AT, **engine.environment(directory)})
    if ref is not None and made.stack_file.is_file():
        _lend_secrets(root / "stacks" / made.stack_file.name, made.stack_file)
    return made


def detached(root: Path, directory: Path, backend: Path, stack: str, *, ref: str | None = None) -> Workspace:
    """A copy of the working tree, or of the commit `ref`, with an empty state of its own in `backend`.

    Secrets have stand-ins: nothing of the real ones is needed, and nothing of them can leak.
    Raises `ConfigurationError` if `ref` has no such stack.
    """
    copy_project(root, directory, ref)
    return _with_stand_ins(apart(directory, backend, stack), f"commit {ref}" if ref else str(root))


def apart(directory: Path, backend: Path, stack: str) -> Workspace:
    """A copy of the project as a workspace with a state of its own in `backend`, which is made where it is
    not there.
    """
    backend.mkdir(parents=True, exist_ok=True)
    passphrase = backend / "passphrase"
    if not passphrase.exists():
        passphrase.touch(mode=0o600)
        passphrase.write_text(secrets.token_urlsafe(32))
    environment = engine.environment(directory)
    environment.pop("PULUMI_CONFIG_PASSPHRASE", None)
    environment["PULUMI_BACKEND_URL"] = f"file://{backend}"
    environment["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase)
    return Workspace(directory, stack, environment)


def rebased(base: Workspace, root: Path, directory: Path) -> Workspace:
    """A copy of the working tree that shares the state and the stand-ins of `base`, a detached workspace."""
    copy_project(root, directory, None)
    environment = {**base.environment, "PYTHONPATH": str(directory)}
    made = Workspace(directory, base.stack, environment)
    return _with_stand_ins(made, str(root), base.directory / _ENCRYPTED)


@contextmanager
def in_place(root: Path, stack: str) -> Iterator[InPlace]:
    """The project as a workspace for `stack`; its own files are gone at the end."""
    environment = {key: text for key, text in engine.environment(root).items() if key not in _UNWANTED}
    with TemporaryDirectory(prefix="crossmesh-up-") as name:
        source = stack_path(stack, root)
        workspace = Workspace(root, stack, environment)
        place = InPlace(workspace, Path(name) / source.name, Path(name) / "plan.json")
        place.config_file.write_bytes(source.read_bytes())
        yield place


def begin(root: Path, directory: Path) -> None:
    """Copy the working tree to where a workspace of it will be: it then finds its files there."""
    copy_tree(root, directory, NOT_RUN, _put)


def copy_project(root: Path, directory: Path, ref: str | None) -> None:
    """Copy the working tree, where that was not begun, or the commit `ref`, to a directory."""
    if ref is None:
        if not directory.exists():
            begin(root, directory)
        return
    with tarfile.open(fileobj=io.BytesIO(git.archive(root, ref))) as archive:
        for member in archive:
            if _inside(member, directory):
                archive.extract(member, directory)


def _inside(member: tarfile.TarInfo, directory: Path) -> bool:
    """Whether a member may be unpacked: not a link that leads elsewhere; no program needs it.

    By hand: `tarfile` has filters for that since Python 3.11.4, and Debian 12 has 3.11.2.
    """
    place = directory / member.name
    target = place.parent / member.linkname if member.issym() else place
    return target.resolve().is_relative_to(directory.resolve())


def _lend_secrets(source: Path, target: Path) -> None:
    """Give a stack file secrets and salts that it lacks and another version of it has."""
    had = (yaml.safe_load(target.read_text()) or {}).get("config") or {}
    lent = (yaml.safe_load(source.read_text()) or {}).get("config") or {}
    names = [
        key.removeprefix("crossmesh:")
        for key, value in lent.items()
        if key.startswith("crossmesh:") and key not in had and is_encrypted(value)
    ]
    if names or not _SALT.search(target.read_text()):
        copy_secrets(source, target, names)


def copy_tree(
    root: Path,
    directory: Path,
    without: Collection[str] = (),
    put: Callable[[str, str], object] = shutil.copy2,
) -> None:
    """Copy what belongs to the project: in a git checkout what git does not ignore, with compiled modules.

    Stack files that git ignores are taken as well: derived ones are generated. without: names in `root`. put:
    copies a file.
    """
    names = git.files(root)
    if names is None:
        here = os.fspath(root)
        shutil.copytree(
            root,
            directory,
            dirs_exist_ok=True,
            ignore=lambda at, found: {*_LEFT_OUT, *(without if at == here else ())} & {*found},
            copy_function=put,
        )
        return
    stacks = (path.relative_to(root).as_posix() for path in (root / "stacks").glob("Pulumi.*.yaml"))
    seen: set[Path] = set()
    for name in {*names, *stacks}:
        source, target = root / name, directory / name
        if name.partition("/")[0] in without or source.parent.name == _COMPILED or not source.is_file():
            continue
        if (parent := source.parent) not in seen:
            seen.add(parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy_compiled(parent, target.parent, put)
        put(os.fspath(source), os.fspath(target))


def _copy_compiled(source: Path, target: Path, put: Callable[[str, str], object]) -> None:
    """Copy the compiled modules of a directory. Whoever loads a module just now may write one anew."""
    for module in (source / _COMPILED).glob("*.pyc"):
        (target / _COMPILED).mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            put(os.fspath(module), os.fspath(target / _COMPILED / module.name))


def _put(source: str, target: str) -> None:
    """A copy of a file; of what no run writes to, where it can be, another link, in a thirtieth of the time.

    A run writes to settings and only reads modules, roles and their like.
    """
    if source.endswith(_ONLY_READ) and not Path(source).is_symlink():
        with contextlib.suppress(OSError):
            # Refused between file systems, and of other users' files.
            os.link(source, target)
            return
    shutil.copy2(source, target)


def _with_stand_ins(made: Workspace, where: str, existing: Path | None = None) -> Workspace:
    """The workspace with stand-ins for its secrets in the copied stack file.

    where: what was copied, in words. existing: the file with the stand-ins of a workspace whose stack is
    shared; None makes the stack. The engine writes files anew. Only what it encrypted is taken from there:
    lines stay where they are, for what is said about them.
    """
    if not made.stack_file.is_file():
        raise ConfigurationError(f"stack {made.stack!r}: {where} has no stacks/{made.stack_file.name}.")
    original = _SALT.sub("", made.stack_file.read_text())
    config = (yaml.safe_load(original) or {}).get("config") or {}
    if existing is None:
        made.stack_file.write_text(yaml.safe_dump({"config": {}}))
        made.pulumi("stack", "init", made.stack)
    else:
        shutil.copyfile(existing, made.stack_file)
    there = (yaml.safe_load(made.stack_file.read_text()) or {}).get("config") or {}
    values = {CONFIG_KEY: new_key(Algorithm.EC_P256), _ANY: STAND_IN}
    values |= {f"crossmesh:{name}": STAND_IN for name in _named(config)}
    values |= {f"crossmesh:{name}": PLACEHOLDER_KUBECONFIG for name in _adopted(config)}
    # Arguments can be seen by others; these values are nobody's secret.
    pairs = [
        part for key, value in values.items() if key not in there for part in ("--secret", f"{key}={value}")
    ]
    if pairs:
        made.pulumi("config", "set-all", "--stack", made.stack, *pairs)
    encrypted_file = made.directory / _ENCRYPTED
    encrypted_file.write_text(made_anew := made.stack_file.read_text())
    encrypted = {key: found["secure"] for key, found in yaml.safe_load(made_anew)["config"].items()}
    names = []
    for key, found in config.items():
        for cipher in _ciphers(found):
            original = original.replace(cipher, encrypted.get(key, encrypted[_ANY]))
            names.append(key)
    salts = "".join(found.group(0) for found in _SALT.finditer(made_anew))
    made.stack_file.write_text(f"{original.rstrip()}\n{salts}")
    # A preview in CI may come before anybody has made the root's key or given a cluster's kubeconfig.
    absent = sorted(key for key in values if key != _ANY and key not in config)
    if absent:
        copy_secrets(encrypted_file, made.stack_file, [key.removeprefix("crossmesh:") for key in absent])
    return replace(made, placeholders=tuple(sorted({*names, *absent})))


def _adopted(config: Mapping[str, object]) -> set[str]:
    """Names of the secrets that are kubeconfigs of adopted clusters."""
    regions = (config.get("crossmesh:environment") or {}).get("regions") or {}  # type: ignore[attr-defined]
    clusters = ((region or {}).get("cluster") or {} for region in regions.values())
    return {cluster["kubeconfigSecret"] for cluster in clusters if "kubeconfigSecret" in cluster}


def _named(config: Mapping[str, object]) -> set[str]:
    """Names of the secrets that the declaration names otherwise, as far as it is right."""
    try:
        environment = Environment.model_validate(config.get("crossmesh:environment"))
    except ValidationError:
        return set()
    return {name for _, name, _ in named_secrets(environment)}


def _ciphers(value: object) -> Iterator[str]:
    if is_encrypted(value):
        yield str(value["secure"])
    elif isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _ciphers(entry)
