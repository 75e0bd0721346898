"""Run the gate over changes of the corpus, as `crossmesh gate --base` does, with the dear parts shared.

The environment before a change is worked out once for all processes of a test run. A change is previewed in a
copy of its own. Two changes that differ in how the gate is asked, or in waivers, are previewed once.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import releases
from access.producer import producer
from gate import judge, run, simulate
from gate.model import GateOptions, Prepared
from gate.preview import Preview
from gate.workspace import Workspace, copy_tree, detached, rebased
from report.examination import Examination
from report.model import Against
from stacks.errors import StackFileError
from stacks.load import load_stack, stack_path
from tests.gate import edits
from tests.gate.cases import Base, Case, Edits, Release, bases

ROOT = Path(__file__).resolve().parents[2]
_KEPT = 2
"""Previews that are kept: those of one pair."""


def isolate(home: Path) -> Iterator[None]:
    """Leave this process no keys and no state of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        patch.setenv("XDG_CACHE_HOME", cache)
        patch.setenv("HOME", str(home))
        patch.delenv("XDG_STATE_HOME", raising=False)
        # Collecting garbage less often saves a tenth of the engine's time; its memory is not what is short.
        patch.setenv("GOGC", "400")
        yield


class Harness:
    """Examines changes. `shared`: a directory of all processes of the test run; `own`: of this process."""

    def __init__(self, shared: Path, own: Path) -> None:
        self._shared = shared
        self._own = own
        self._previews: OrderedDict[str, Preview] = OrderedDict()

    def snapshot(self) -> Path:
        """The project as it is when the test run begins."""
        target = self._shared / "project"
        with _made_once(target) as make:
            if make:
                copy_tree(ROOT, target)
        return target

    def project(self, case: Case, directory: Path) -> Base:
        """Write the project with a case's change to `directory`; return the environment it is made to."""
        base = bases()[case.pair.base]
        shutil.copytree(self.snapshot(), directory)
        for step in (base.edits, case.pair.both, case.change):
            edits.apply(step, directory, base.stack)
        _extend(case.pair.release, directory / "releases")
        return base

    def examine(self, case: Case) -> tuple[Examination, Path]:
        """The gate's answer, and the project with the change."""
        project = Path(tempfile.mkdtemp(dir=self._own)) / "project"
        with pytest.MonkeyPatch.context() as patch:
            # The gate's own process, too, is of the release that the project is of.
            patch.setattr(releases, "ROOT", project / "releases")
            return self._examine(case, project)

    def _examine(self, case: Case, project: Path) -> tuple[Examination, Path]:
        base = self.project(case, project)
        asked = case.change.gate
        options = GateOptions(
            today=asked.today,
            produced_by=producer(project),
            hermetic=True,
            packs=tuple(project / pack for pack in asked.packs),
            approve=asked.approve,
            strict=asked.strict,
            expect_no_changes=asked.expect_no_changes,
            timeout=90,
        )
        try:
            head = load_stack(stack_path(base.stack, project))
        except StackFileError:
            return run.gate(project, base.stack, options, _quiet).examination, project
        before, issuers = self._base(case.pair.base)
        workspace = rebased(before, project, project.parent / "preview")
        declared = load_stack(before.stack_file)
        prepared = Prepared(workspace, Against.BASE, before=declared, issuers=issuers)
        with self._shared_previews(_key(case)):
            return run.examine(project, head, prepared, options, _quiet).examination, project

    def _base(self, name: str) -> tuple[Workspace, Mapping[str, tuple[str, ...]]]:
        """The workspace of an environment that has been made, as far as a simulation goes, and what of it
        rests on which certificates.
        """
        directory = self._shared / "bases" / name
        note = directory / "workspace.json"
        base = bases()[name]
        with _made_once(directory) as make:
            if make:
                project = directory / "project"
                shutil.copytree(self.snapshot(), project)
                edits.apply(base.edits, project, base.stack)
                made = detached(project, directory / "base", directory / "backend", base.stack)
                issuers = simulate.apply(made, timeout=90)
                own = {key: value for key, value in made.environment.items() if os.environ.get(key) != value}
                noted = {"environment": own, "placeholders": made.placeholders, "issuers": issuers}
                note.write_text(json.dumps(noted))
        found = json.loads(note.read_text())
        environment = {**os.environ, **found["environment"]}
        environment.pop("PULUMI_CONFIG_PASSPHRASE", None)
        made = Workspace(directory / "base", base.stack, environment, tuple(found["placeholders"]))
        return made, {urn: tuple(others) for urn, others in found["issuers"].items()}

    @contextmanager
    def _shared_previews(self, key: str) -> Iterator[None]:
        real: Callable[..., Preview] = run.preview  # type: ignore[attr-defined]

        def once(*arguments: Any, **options: Any) -> Preview:
            if key not in self._previews:
                self._previews[key] = real(*arguments, **options)
                while len(self._previews) > _KEPT:
                    self._previews.popitem(last=False)
            return self._previews[key]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run, "preview", once)
            yield


def _extend(release: Release, catalogue: Path) -> None:
    """Add the files of further releases: of the same content, by another version."""
    for program, versions in release.supported.items():
        default = releases.default(program)
        text = (catalogue / program / f"{default}.toml").read_text(encoding="utf-8")
        for version in versions:
            (catalogue / program / f"{version}.toml").write_text(text.replace(default, version))
    configurations = (
        catalogue / "kubernetes" / f"configurations-{releases.minor(releases.default('kubernetes'))}.json"
    )
    for version in release.supported.get("kubernetes", ()):
        described = configurations.with_name(f"configurations-{releases.minor(version)}.json")
        described.write_bytes(configurations.read_bytes())
    for program, minors in release.runs_on_kubernetes.items():
        for file in (catalogue / program).glob("*.toml"):
            runs_on = f"[runs_on.kubernetes]\nversions = {json.dumps(minors)}"
            text = re.sub(r"\[runs_on.kubernetes\]\nversions = .*", runs_on, file.read_text(encoding="utf-8"))
            file.write_text(text)


def _key(case: Case) -> str:
    """The same for changes that the engine sees no difference between."""
    both, change = case.pair.both, case.change
    merged = {name: [getattr(both, name), getattr(change, name)] for name in Edits.model_fields}
    for how in ("write", "append"):
        merged[how] = [{**files} for files in merged[how]]
        for files in merged[how]:
            files.pop(judge.WAIVERS, None)
    seen = [case.pair.base, case.pair.release, merged, change.gate.packs]
    return json.dumps(seen, sort_keys=True, default=lambda model: model.model_dump(mode="json"))


@contextmanager
def _made_once(directory: Path) -> Iterator[bool]:
    """Whether this process is to make what is in a directory; others wait, and start over if it failed."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    done = directory.parent / f".{directory.name}.made"
    with (directory.parent / f".{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make = not done.exists()
        if make:
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
        yield make
        done.touch()


def _quiet(words: str) -> None:
    """Nobody watches."""
