"""A project with the reference stack, and programs that stand for the engine."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from access import paths
from gate.seal import sealed
from gate.seal.bound import Bound
from gate.seal.sealed import sealed_change
from operations.cli import crossmesh
from report.model import Op
from tests.unit.gate.seal.support import CONFIG_MAP, change, plan_of, sealed_plan, urn
from tests.unit.operations.support import ROOT, STACK_FILE, STACK_TEXT

PULUMI = """\
import json, os, pathlib, sys, time
here = pathlib.Path(os.environ["FAKE_PULUMI"])
arguments = [a for a in sys.argv[1:] if a not in ("--non-interactive", "--color=never")]
stdin = sys.stdin.read()
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
words = " ".join(arguments)
if (here / "slow").exists() and words.startswith((here / "slow").read_text()):
    time.sleep(60)
if (here / "refusal").exists():
    sys.exit((here / "refusal").read_text())
export = here / "export.json"
if words.startswith("stack init"):
    export.write_text("{}")
elif words.startswith("stack ") and not export.exists():
    sys.exit("error: no stack named 'lab' found")
elif words.startswith("stack rm"):
    export.unlink()
elif words.startswith("stack output"):
    print((here / "outputs.json").read_text())
elif words.startswith("stack export"):
    print(export.read_text())
elif words.startswith("stack import"):
    export.write_text(stdin)
elif words.startswith("whoami"):
    print(json.dumps({"url": "file://" + str(here / "backend")}))
elif words.startswith("config set"):
    import yaml
    path = pathlib.Path("stacks", "Pulumi.lab.yaml")
    document = yaml.safe_load(path.read_text())
    document["encryptionsalt"] = "v1:salt"
    document["config"]["crossmesh:meshRootKey"] = {"secure": "v1:sealed"}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    (here / "key.pem").write_text(stdin)
elif words.startswith("config get"):
    print((here / "key.pem").read_text())
elif words.startswith("cancel"):
    for lock in (here / "backend").rglob("*.json"):
        lock.unlink()
else:
    sys.exit(f"unexpected: {words}")
"""
ENGINE = """\
import json, os, pathlib, signal, sys, time
here = pathlib.Path(os.environ["FAKE_PULUMI"])
arguments = [a for a in sys.argv[1:] if a not in ("--non-interactive", "--color=never")]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
words = " ".join(arguments)
if (here / "slow").exists() and words.startswith((here / "slow").read_text()):
    time.sleep(60)
if words.startswith("whoami"):
    print(json.dumps({"url": f"file://{here}/backend"}))
else:
    def interrupted(number, frame):
        (here / "interrupted").touch()
        print(json.dumps({"summaryEvent": {"result": "failed"}}), flush=True)
        sys.exit(1)
    signal.signal(signal.SIGINT, interrupted)
    if arguments[0] == "up":
        (here / "plan").write_bytes(pathlib.Path(arguments[arguments.index("--plan") + 1]).read_bytes())
        pathlib.Path(arguments[arguments.index("--config-file") + 1]).write_text("rewritten by the engine")
    for line in (here / f"{arguments[0]}.events").read_text().splitlines():
        if line.startswith("sleep"):
            (here / f"{arguments[0]}.sleeps").touch()
            time.sleep(float(line.split()[1]))
        elif line.startswith("words"):
            print(line[6:], file=sys.stderr)
        else:
            print(line, flush=True)
    sys.exit(0 if '"succeeded"' in line else 1)
"""
SUCCEEDED = {"summaryEvent": {"result": "succeeded"}}
FAILED = {"summaryEvent": {"result": "failed"}}
PRELUDE = {"preludeEvent": {}}
CHANGES = (change("a", Op.CREATE), change("b", Op.CREATE))
Event = dict[str, Any] | str


def project_with(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the reference stack, and `program` as `pulumi`; where that keeps its things."""
    project, state, programs = tmp_path / "project", tmp_path / "state", tmp_path / "bin"
    (project / "stacks").mkdir(parents=True)
    (project / "stacks" / STACK_FILE.name).write_text(STACK_TEXT)
    for name in ("Pulumi.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, project)
    (state / "backend").mkdir(parents=True)
    programs.mkdir()
    (programs / "pulumi").write_text(f"#!{sys.executable}\n{program}")
    (programs / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_PULUMI", str(state))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    monkeypatch.setattr(paths, "project_root", lambda: project)
    for module in ("access.engine", *(f"operations.commands.{verb}" for verb in ("drift", "gate", "up"))):
        monkeypatch.setattr(f"{module}.project_root", lambda: project)
    return state


def crossmesh_(*arguments: str) -> Result:
    return CliRunner().invoke(crossmesh, list(arguments), prog_name="crossmesh")


def stack_file(fake: Path) -> Path:
    return fake.parent / "project" / "stacks" / "Pulumi.lab.yaml"


def calls(fake: Path) -> list[list[str]]:
    return [json.loads(line) for line in (fake / "calls").read_text().splitlines()]


def begun(op: str, name: str, **data: str) -> Event:
    state = {"type": CONFIG_MAP, "urn": urn(name), "inputs": {"data": {"v": "1", **data}}}
    return {"resourcePreEvent": {"metadata": {"op": op, "urn": urn(name), "new": state}}}


def ended(op: str, name: str) -> Event:
    return {"resOutputsEvent": {"metadata": {"op": op, "urn": urn(name)}}}


def failed(op: str, name: str) -> Event:
    return {"resOpFailedEvent": {"metadata": {"op": op, "urn": urn(name)}}}


def said(message: str, name: str = "a", severity: str = "error") -> Event:
    return {"diagnosticEvent": {"message": message, "severity": severity, "urn": urn(name)}}


class Engine:
    """What the script does, and what it was asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now: Iterator[Bound] | None = None
        self.does("preview", begun("create", "a"), begun("create", "b"), SUCCEEDED)
        self.does("refresh", SUCCEEDED)
        self.does(
            "up",
            PRELUDE,
            *(event for name in "ab" for event in (begun("create", name), ended("create", name))),
            SUCCEEDED,
        )

    def does(self, command: str, *events: Event) -> None:
        """A command's events; texts are `sleep SECONDS` and `words TEXT`."""
        lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
        (self.directory / f"{command}.events").write_text("\n".join(lines))

    def wait_for(self, command: str) -> None:
        """Until a command sleeps, and what it said before has been heard."""
        while not (self.directory / f"{command}.sleeps").exists():
            time.sleep(0.05)
        time.sleep(0.5)

    @property
    def calls(self) -> list[list[str]]:
        """Arguments of each call."""
        return [json.loads(line) for line in (self.directory / "calls").read_text().splitlines()]

    @property
    def applied(self) -> bool:
        """Whether it was told to apply anything."""
        return any(call[0] == "up" for call in self.calls)

    @property
    def interrupted(self) -> bool:
        """Whether it was interrupted."""
        return (self.directory / "interrupted").exists()


def plan(engine: Engine, **given: Any) -> Path:
    """The sealed plan of what the engine does, as a file."""
    given = {
        "changes": tuple(sealed_change(found) for found in CHANGES),
        "plan": plan_of(a=("create",), b=("create",)),
        **given,
    }
    path = engine.directory / "lab.sealed"
    sealed.write(path, sealed_plan(**given))
    return path


def up_(path: Path, *arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(crossmesh, ["up", "--stack", "lab", "--plan", str(path), *arguments], **more)


def apply(engine: Engine, *arguments: str, **given: Any) -> Result:
    return up_(plan(engine, **given), "--yes", *arguments)
