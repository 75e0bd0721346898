"""Collect what a sealed plan is bound to, from what is there now."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import releases
from access import engine, git
from gate.seal.bound import Bound, BoundKind, Facts, StateDigest, read_state
from gate.workspace import NOT_RUN
from playbooks.digest import roles_digest
from playbooks.inventory import host_plans
from playbooks.work import PHASES
from stacks import digests
from stacks.errors import StackFileError
from stacks.load import load_stack, stack_path
from toolchain import store
from toolchain.manifest import Manifest, parse

_POLICIES = "policies"
_LOCK = "requirements.lock"
_VERSIONS = "toolchain/versions.toml"
_PACKAGES = ("ansible-core", "pulumi", "pulumi-kubernetes")
"""Python packages whose installed version decides what is applied."""

_READ = frozenset({"access", "components", "playbooks", "releases", "stacks", "toolchain"})
"""Directories of which every file counts, whatever it is."""
_UNREAD = NOT_RUN | {"lab", "policies"}
"""Directories of which no file counts. Policies are bound by themselves."""
_IMPORTABLE = frozenset({".py", ".pyc", ".pth", ".so"})
_PROJECT_FILES = frozenset({"Pulumi.yaml", "pyproject.toml"})
_ELSEWHERE = frozenset({"toolchain/versions.toml"})
"""Bound by what they say."""


def bind(root: Path, stack: str, packs: Iterable[Path] = (), *, state: StateDigest | None = None) -> Bound:
    """Everything that a plan for the stack depends on, as it is now.

    packs: directories of the user's policy packs. state: the stack's state; read from the backend if not
    given. Raises as `read_state` does.
    """
    file = stack_path(stack, root)
    catalogue = root / "releases"
    pinned = parse((root / _VERSIONS).read_text(), releases.defaults(catalogue), releases.others(catalogue))
    facts: dict[BoundKind, Facts] = {
        BoundKind.COMMIT: {"HEAD": git.head(root) or "none"},
        BoundKind.CONFIGURATION: {file.relative_to(root).as_posix(): digests.of_file(file)},
        BoundKind.INVENTORY: _inventory(file),
        BoundKind.ROLES: {
            f"phase {phase}": roles_digest(phase, root / "playbooks") for phase in PHASES.values()
        },
        BoundKind.POLICIES: _policies(root, packs),
        BoundKind.CHARTS: _charts(pinned, file),
        BoundKind.TOOLCHAIN: _toolchain(root, pinned),
        BoundKind.PROGRAM: _program(root),
    }
    return Bound(facts, state or read_state(stack), dirty=_dirty(root, file))


def _inventory(file: Path) -> Facts:
    """Digest of what becomes of each host, by host and phase."""
    try:
        loaded = load_stack(file)
    except StackFileError as error:
        return {"all hosts": f"cannot be worked out: {str(error).splitlines()[0]}"}
    found = {}
    for name, plan in host_plans(loaded.environment, loaded.ledger).items():
        for phase in plan.phases:
            what = {"address": plan.address, "region": plan.region, "variables": plan.variables[phase]}
            found[f"host {name}, phase {phase}"] = digests.of_value(what)
    return found


def _policies(root: Path, packs: Iterable[Path]) -> Facts:
    own = digests.files_below(root / _POLICIES)
    found = {path.relative_to(root).as_posix(): digests.of_file(path) for path in own}
    for pack in packs:
        # On another machine, the same pack lies at the same place below the project, or has the same path.
        name = pack.relative_to(root).as_posix() if pack.is_relative_to(root) else str(pack)
        found[f"policy pack {name}"] = digests.of_tree(pack)
    return found


def _charts(pinned: Manifest, file: Path) -> Facts:
    """Content of every chart and manifest that is rendered, by name and version.

    Those of releases that are no default are rendered where the stack names them.
    """
    found = {}
    for entry in pinned.data.values():
        path = store.entry_dir(entry.name, entry.version) / entry.name
        found[f"{entry.name} version"] = entry.version
        found[f"{entry.name} content"] = digests.of_tree(path)
    for key in sorted(_named(file) & pinned.further.keys()):
        further = pinned.further[key]
        path = store.entry_dir(further.name, further.version) / further.name
        found[f"{key} content"] = digests.of_tree(path)
    return found


def _named(file: Path) -> set[str]:
    """Names and versions of the data of the releases that a stack's regions have."""
    try:
        environment = load_stack(file).environment
    except StackFileError:
        return set()
    return {
        f"{data.name}-{data.version}"
        for region in environment.regions
        for program, version in environment.installed_in(region).items()
        if version in releases.versions(program)
        for data in releases.release(program, version).data.values()
    }


def _toolchain(root: Path, pinned: Manifest) -> Facts:
    installed = {f"installed {package}": version(package) for package in _PACKAGES}
    return {
        **pinned.versions,
        **installed,
        "installed engine": engine.pulumi("version").stdout.strip().removeprefix("v"),
        _LOCK: digests.of_file(root / _LOCK),
        _VERSIONS: digests.of_file(root / _VERSIONS),
    }


def _dirty(root: Path, file: Path) -> tuple[str, ...]:
    own = file.relative_to(root).as_posix()
    return tuple(
        name
        for name in git.differing(root)
        if name == own or name.startswith((f"{_POLICIES}/", _LOCK, _VERSIONS)) or counts(name)
    )


def _program(root: Path) -> Facts:
    """Digest of each file that counts. None is what git ignores, nor a report or plan beside the program."""
    names = git.files(root)
    if names is None:
        names = [path.relative_to(root).as_posix() for path in digests.files_below(root)]
    return {name: digests.of_file(root / name) for name in sorted(names) if counts(name)}


def counts(name: str) -> bool:
    """Whether the program could read the file: by its name, relative to the root, with '/'."""
    path = PurePosixPath(name)
    top = path.parts[0]
    if len(path.parts) == 1:
        # A module beside the program would be imported in place of an installed one.
        return name in _PROJECT_FILES or path.suffix in _IMPORTABLE
    # Stack files are bound one by one: that of another stack does not concern this one.
    is_stack_file = path.parent == PurePosixPath("stacks") and path.match("Pulumi.*.yaml")
    if top in _UNREAD or name in _ELSEWHERE or is_stack_file:
        return False
    return top in _READ or path.suffix in _IMPORTABLE
