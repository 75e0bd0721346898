"""Where a resource comes from: the line of the stack file that asks for it, and that of the program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from components.tokens import COMPONENTS
from report.model import Change, ChangeSet, Finding, Place, Resource
from report.urns import types
from stacks.errors import ENVIRONMENT, KeyPath
from stacks.positions import Document, read

_COMPONENTS = "components"
_CLASS = re.compile(r"class (\w+)")


@dataclass(frozen=True)
class Sources:
    """Looks places up in one stack file and one program; each is read once."""

    document: Document
    file: str
    """The stack file's path, relative to the project's root."""
    program: Mapping[str, Place]
    """Where each component's class is, by its name."""

    def declared(self, resource: Resource, properties: tuple[str, ...] = ()) -> Place:
        """The most specific line that asks for a resource. `properties`: what of it changes."""
        path: KeyPath = (*ENVIRONMENT, *resource.declared)
        return self._line(next((deeper for name in properties if (deeper := self._below(path, name))), path))

    def _line(self, path: KeyPath) -> Place:
        """The line of a key; of what would hold it, where it is not declared.

        Findings name members of lists by their numbers as text: `0`.
        """
        path = tuple(self._index(path[:depth], part) for depth, part in enumerate(path))
        while path and self.document.get(path) is None:
            path = path[:-1]
        return Place(self.file, max(1, self.document.line(path) if path else 1))

    def _index(self, holder: KeyPath, part: str | int) -> str | int:
        is_number = isinstance(part, str) and part.isdigit()
        return int(part) if is_number and isinstance(self.document.get(holder), list) else part

    def told(self, finding: Finding) -> Finding:
        """A finding with its own place, or else with the line of the key that it is about, if of any."""
        line = finding.place or (self._line((*ENVIRONMENT, *finding.declared)) if finding.declared else None)
        return replace(finding, place=line)

    def made(self, resource: Resource) -> Place | None:
        """The class of the component that declares a resource; None outside of this project's program."""
        holders = (
            type.removeprefix(COMPONENTS) for type in reversed(types(resource.urn)) if COMPONENTS in type
        )
        return next((self.program[name] for name in holders if name in self.program), None)

    def _below(self, path: KeyPath, changed: str) -> KeyPath | None:
        """The key of the declaration that a changed property is named for, such as `spec.replicas`."""
        last = changed.replace("]", "").replace("[", ".").split(".")[-1]
        for key in (last, last.rpartition("_")[2]):
            for holder in (path, (*ENVIRONMENT, "globalLoadBalancer"), (*ENVIRONMENT, "versions")):
                value = self.document.get(holder)
                if isinstance(value, Mapping) and key in value:
                    return (*holder, key)
        return None


def open_sources(stack_path: Path, root: Path) -> Sources:
    """Sources of a stack that was loaded."""
    file = stack_path.relative_to(root) if stack_path.is_relative_to(root) else Path(stack_path.name)
    return Sources(read(stack_path), file.as_posix(), _classes(root))


def locate(changes: ChangeSet, sources: Sources) -> ChangeSet:
    """Say of each change where it comes from."""

    def located(change: Change) -> Change:
        properties = tuple(entry.path for entry in change.properties)
        declared, program = sources.declared(change.resource, properties), sources.made(change.resource)
        return replace(change, declared=declared, program=program)

    return replace(changes, changes=tuple(located(change) for change in changes.changes))


def place(findings: Iterable[Finding], changes: ChangeSet, sources: Sources | None) -> tuple[Finding, ...]:
    """Say of each finding on a resource, or on a key, where that is and which line of the stack file.

    One on a resource that names a key itself is about that key: a version that the resource cannot follow.
    """
    resources = {resource.urn: resource for resource in (*changes.before, *changes.after)}

    def placed(finding: Finding) -> Finding:
        resource = resources.get(finding.urn)
        if resource is None:
            return sources.told(finding) if sources else finding
        if sources and finding.declared:
            return replace(sources.told(finding), region=resource.region)
        line = finding.place or (sources.declared(resource) if sources else None)
        return replace(finding, region=resource.region, declared=resource.declared, place=line)

    return tuple(placed(finding) for finding in findings)


@lru_cache
def _classes(root: Path) -> Mapping[str, Place]:
    """Where the classes of the project's components are, by name; read from the text of the modules."""
    return {
        found[1]: Place(path.relative_to(root).as_posix(), number)
        for path in sorted((root / _COMPONENTS).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if (found := _CLASS.match(line))
    }
