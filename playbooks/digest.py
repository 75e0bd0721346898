"""The digest of everything that a phase's play consists of, read from the play itself.

What runs is found where Ansible finds it: roles in plays and in `meta`, roles and tasks that tasks include or
import, modules by the names that tasks call them by. So nothing that is added can be forgotten here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from playbooks.phase import COLLECTION, COLLECTION_NAME, PLAYBOOKS, Phase
from stacks import digests

_PLAY_TASKS = ("pre_tasks", "tasks", "post_tasks", "handlers")
_BLOCKS = ("block", "rescue", "always")
_PREFIXES = ("ansible.builtin.", "")
_ROLE_ACTIONS = {f"{prefix}{verb}_role" for prefix in _PREFIXES for verb in ("include", "import")}
_TASK_ACTIONS = {f"{prefix}{verb}_tasks" for prefix in _PREFIXES for verb in ("include", "import")}


class _Loader(yaml.CSafeLoader):
    """Reads what Ansible reads; values of its own tags (`!unsafe`, `!vault`) play no part here."""


_Loader.add_multi_constructor("!", lambda *_: None)


def roles_digest(phase: Phase, playbooks: Path = PLAYBOOKS) -> str:
    """SHA-256 (hex) over names and contents of the phase's play, its roles, and the plugins that these use:
    what does the same to a host with the same variables. Raises `ValueError` where that cannot be told."""
    return digests.of_files(playbooks, Sources(phase, playbooks).files)


class Sources:
    """What a phase's play leads to."""

    def __init__(self, phase: Phase, playbooks: Path = PLAYBOOKS) -> None:
        self._collection = playbooks / COLLECTION.relative_to(PLAYBOOKS)
        self.files: set[Path] = set()
        self.roles: list[str] = []
        """Names of the collection's roles, in order, with those that they lead to."""
        self.modules: set[str] = set()
        """Names of the collection's modules that tasks and handlers call."""
        self._play(playbooks / phase.playbook.relative_to(PLAYBOOKS))
        if self.modules:
            plugins = self._collection / "plugins"
            self.files |= {plugins / "modules" / f"{name}.py" for name in self.modules}
            modules = plugins / "modules"
            self.files |= {file for file in digests.files_below(plugins) if modules not in file.parents}

    def _play(self, file: Path) -> None:
        self.files.add(file)
        for play in _document(file.read_bytes()):
            if imported := play.get("ansible.builtin.import_playbook") or play.get("import_playbook"):
                self._play(file.parent / imported)
            for name in play.get("vars_files") or ():
                self.files.add(file.parent / _plain(name, file))
            for entry in play.get("roles") or ():
                self._role(entry, file)
            for key in _PLAY_TASKS:
                self._tasks(play.get(key), file)

    def _role(self, entry: Any, file: Path) -> None:
        """A role by what names it: a name, or a mapping that has it. Adds what the role leads to."""
        named = (entry.get("role") or entry.get("name")) if isinstance(entry, Mapping) else entry
        collection, _, name = _plain(named, file).rpartition(".")
        directory = self._collection / "roles" / name
        if collection != COLLECTION_NAME or not directory.is_dir():
            msg = (
                f"{file}: the role '{named}' is none of the collection {COLLECTION_NAME}, so that its "
                f"changes would not be seen. Make it one, and name it {COLLECTION_NAME}.{name}."
            )
            raise ValueError(msg)
        if name in self.roles:
            return
        self.roles.append(name)
        self.files |= set(digests.files_below(directory))
        for meta in directory.glob("meta/main.y*ml"):
            for dependency in (_document(meta.read_bytes()) or {}).get("dependencies") or ():
                self._role(dependency, meta)
        for part in ("tasks", "handlers"):
            for tasks in sorted(directory.glob(f"{part}/**/*.y*ml")):
                self._tasks(_document(tasks.read_bytes()), tasks)

    def _tasks(self, tasks: Any, file: Path) -> None:
        for task in tasks or ():
            for block in _BLOCKS:
                self._tasks(task.get(block), file)
            for action, arguments in _actions(task):
                if action in _ROLE_ACTIONS:
                    self._role(arguments, file)
                elif action in _TASK_ACTIONS:
                    self._task_file(arguments, file)
                elif (name := self._module(action)) is not None:
                    self.modules.add(name)

    def _task_file(self, arguments: Any, file: Path) -> None:
        named = arguments.get("file") if isinstance(arguments, Mapping) else arguments
        tasks = (file.parent / _plain(named, file)).resolve()
        # All task files of a role are read anyway.
        if tasks not in self.files:
            self.files.add(tasks)
            self._tasks(_document(tasks.read_bytes()), tasks)

    def _module(self, action: str) -> str | None:
        # Within a collection, its own modules answer to their short names too.
        name = action.removeprefix(f"{COLLECTION_NAME}.")
        return name if (self._collection / "plugins" / "modules" / f"{name}.py").is_file() else None


def _actions(task: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a task may call, with its arguments; keywords among them lead nowhere."""
    yield from task.items()
    for key in ("action", "local_action"):
        value = task.get(key)
        if isinstance(value, Mapping):
            yield str(value.get("module")), value
        elif value:
            yield str(value).split()[0], None


def _plain(name: Any, file: Path) -> str:
    """The name of a role or file, which must not depend on variables."""
    if not isinstance(name, str) or "{{" in name:
        msg = f"{file}: {name!r} depends on variables, so that its changes would not be seen."
        raise ValueError(f"{msg} Name it, with a `when` where it is not always wanted.")
    return name


@lru_cache(maxsize=256)
def _document(content: bytes) -> Any:
    """A YAML file's content. By content, as the same files are looked at for every host."""
    return yaml.load(content, _Loader)
