"""`crossmesh up`, from the command line to the engine, for which a script stands here."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from access import paths
from gate.seal import sealed
from gate.seal.bound import Bound
from gate.seal.sealed import sealed_change
from operations.commands.up import up
from report.model import Op, Risk
from stacks import digests
from tests.unit.gate.seal.support import CONFIG_MAP, UNKNOWN, bound, change, plan_of, sealed_plan, urn, waiver
from tests.unit.operations.support import ROOT, STACK_FILE, STACK_TEXT

ENGINE = """\
import json, os, pathlib, signal, sys, time
here = pathlib.Path(os.environ["FAKE_ENGINE"])
arguments = [a for a in sys.argv[1:] if a not in ("--non-interactive", "--color=never")]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
words = " ".join(arguments)
if words.startswith("stack ls"):
    print((here / "stacks.json").read_text())
elif words.startswith("whoami"):
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
CANARY = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t"
SUCCEEDED = {"summaryEvent": {"result": "succeeded"}}
FAILED = {"summaryEvent": {"result": "failed"}}
PRELUDE = {"preludeEvent": {}}
CHANGES = (change("a", Op.CREATE), change("b", Op.CREATE))
Event = dict[str, Any] | str


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
        (directory / "backend").mkdir()
        (directory / "stacks.json").write_text(json.dumps([{"name": "lab"}]))
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


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A project with the reference stack, and an engine that does what was sealed."""
    project, state, programs = tmp_path / "project", tmp_path / "state", tmp_path / "bin"
    (project / "stacks").mkdir(parents=True)
    (project / "stacks" / STACK_FILE.name).write_text(STACK_TEXT)
    for name in ("Pulumi.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, project)
    state.mkdir()
    programs.mkdir()
    (programs / "pulumi").write_text(f"#!{sys.executable}\n{ENGINE}")
    (programs / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_ENGINE", str(state))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    for module in ("access.paths", "access.engine", "operations.commands.up"):
        monkeypatch.setattr(f"{module}.project_root", lambda: project)
    monkeypatch.setattr(paths, "project_root", lambda: project)
    monkeypatch.setattr("gate.preview._interrupted", threading.Event())
    made = Engine(state)
    monkeypatch.setattr(
        "gate.seal.up.bind",
        lambda root, stack, packs: bound() if made.now is None else next(made.now),
    )
    return made


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
    return CliRunner().invoke(up, ["--stack", "lab", "--plan", str(path), *arguments], **more)


def apply(engine: Engine, *arguments: str, **given: Any) -> Result:
    return up_(plan(engine, **given), "--yes", *arguments)


def test_what_was_sealed_is_applied(engine: Engine) -> None:
    result = apply(engine)
    assert result.exit_code == 0, result.output
    assert result.stdout == "stack lab: Applied as sealed: 2 steps.\n"
    assert f"done: create kubernetes:core/v1:ConfigMap::a ({urn('a')})" in result.stderr
    (call,) = [call for call in engine.calls if call[0] == "up"]
    for argument in ("--plan", "--skip-preview", "--yes", "--refresh=false", "--json"):
        assert argument in call
    assert json.loads((engine.directory / "plan").read_text()) == plan_of(a=("create",), b=("create",))


def test_the_engine_writes_into_no_file_of_the_project_and_leaves_none(
    engine: Engine, tmp_path: Path
) -> None:
    assert apply(engine).exit_code == 0
    assert (tmp_path / "project" / "stacks" / STACK_FILE.name).read_text() == STACK_TEXT
    assert not list(tmp_path.glob("crossmesh-up-*"))


def test_without_a_plan_it_says_what_to_do(engine: Engine) -> None:
    result = CliRunner().invoke(up, ["--stack", "lab", "--yes"])
    assert result.exit_code == 2
    assert "gate --stack NAME --seal FILE" in result.output
    assert "pulumi up --stack NAME" in result.output


def test_where_nobody_can_be_asked_yes_must_be_said(engine: Engine) -> None:
    result = up_(plan(engine))
    assert result.exit_code == 2
    assert "--yes" in result.output
    assert not (engine.directory / "calls").exists()


@pytest.mark.parametrize(("answer", "code", "applied"), [("y\n", 0, True), ("n\n", 8, False), ("", 8, False)])
def test_on_a_terminal_it_shows_what_was_sealed_and_asks(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, applied: bool
) -> None:
    monkeypatch.setattr("operations.commands.up._can_ask", lambda: True)
    path = plan(
        engine,
        bound=replace(bound(), dirty=("stacks/Pulumi.lab.yaml",)),
        changes=(
            replace(sealed_change(CHANGES[0]), risk=Risk.DESTRUCTIVE, approved=True),
            sealed_change(CHANGES[1]),
        ),
    )
    result = up_(path, input=answer)
    assert result.exit_code == code, result.output
    assert engine.applied is applied
    for words in (
        digests.of_bytes(path.read_bytes()),
        "2 to create",
        "2026-11-24T20:00:00Z",
        "stacks/Pulumi.lab.yaml",
        "::a (" + urn("a") + ") (approved)",
        "policy/two-replicas for web, by platform-team",
    ):
        assert words in result.stderr


def test_a_stale_plan_is_refused_with_all_that_differs(engine: Engine) -> None:
    other = bound(
        roles={"phase prepare": "b" * 64}, toolchain={"helm": "3.18.7", "requirements.lock": "a" * 64}
    )
    engine.now = iter([other])
    result = apply(engine)
    assert result.exit_code == 12
    assert "roles: phase prepare differs" in result.output
    assert "toolchain: helm: 3.18.6 -> 3.18.7" in result.output
    assert not engine.applied


def test_what_changes_before_the_engine_holds_the_stack_stops_it(engine: Engine) -> None:
    engine.does("up", PRELUDE, "sleep 20", begun("create", "a"))
    engine.now = iter([bound(), bound(program={"__main__.py": "b" * 64})])
    result = apply(engine)
    assert result.exit_code == 12
    assert "program: __main__.py differs" in result.output
    assert "Nothing was applied." in result.output
    assert engine.interrupted


def test_a_waiver_that_has_ended_makes_a_plan_stale(engine: Engine) -> None:
    ended = waiver(date(2020, 1, 1))
    result = apply(engine, waivers=(ended,))
    assert result.exit_code == 12
    assert "waivers: policy/two-replicas for web, by platform-team, ended on 2020-01-01" in result.output
    assert not engine.applied


def test_a_plan_of_another_stack_is_refused(engine: Engine) -> None:
    result = apply(engine, stack="production")
    assert result.exit_code == 12
    assert "'production', not for 'lab'" in result.output


def test_a_plan_that_was_touched_is_refused(engine: Engine) -> None:
    path = plan(engine)
    path.write_bytes(path.read_bytes().replace(b'"approved":false', b'"approved":true ', 1))
    result = up_(path, "--yes")
    assert result.exit_code == 12
    assert f"{path}: the sealed plan was touched" in result.output


def test_only_the_plan_that_was_reviewed_is_applied_where_its_digest_is_given(engine: Engine) -> None:
    path = plan(engine)
    digest = digests.of_bytes(path.read_bytes())
    assert up_(path, "--yes", "--sha256", digest.upper()).exit_code == 0
    result = up_(path, "--yes", "--sha256", "0" * 64)
    assert result.exit_code == 12
    assert "another plan" in result.output


def test_a_plan_that_is_not_there_is_wrong_usage(engine: Engine) -> None:
    assert up_(engine.directory / "nothing", "--yes").exit_code == 2


def test_a_stack_that_is_held_is_left_alone(engine: Engine) -> None:
    locks = engine.directory / "backend/.pulumi/locks/organization/crossmesh/lab"
    locks.mkdir(parents=True)
    lock = {"pid": 1, "username": "u", "hostname": "elsewhere", "timestamp": "2026-11-24T20:00:00Z"}
    (locks / "x.json").write_text(json.dumps(lock))
    result = apply(engine)
    assert result.exit_code == 13
    assert "u@elsewhere" in result.output
    assert not engine.applied


def test_a_stack_that_is_taken_meanwhile_is_left_alone(engine: Engine) -> None:
    engine.does("up", "words error: the stack is currently locked by 1 lock(s)")
    result = apply(engine)
    assert result.exit_code == 13
    assert "Nothing was applied." in result.output


def test_what_the_engine_refuses_to_do_beyond_the_plan_is_told_with_what_was_applied(engine: Engine) -> None:
    engine.does(
        "up",
        PRELUDE,
        begun("create", "a"),
        ended("create", "a"),
        said(f"resource {urn('b')} violates plan: properties changed: ++data[{{{CANARY}}}]", "b"),
        FAILED,
    )
    result = apply(engine)
    assert result.exit_code == 12
    assert "deviates from what was sealed" in result.output
    assert "not as they were sealed: data" in result.output
    assert CANARY not in result.output
    assert (
        f"Applied, in this order (1):\n  create kubernetes:core/v1:ConfigMap::a ({urn('a')})" in result.output
    )
    assert f"Not begun (1):\n  create kubernetes:core/v1:ConfigMap::b ({urn('b')})" in result.output
    assert not engine.interrupted


def test_what_the_engine_does_beyond_the_plan_stops_it(engine: Engine) -> None:
    engine.does("up", PRELUDE, begun("create", "a"), ended("create", "a"), begun("delete", "z"), "sleep 20")
    result = apply(engine)
    assert result.exit_code == 12
    assert "delete kubernetes:core/v1:ConfigMap::z" in result.output
    assert "Begun, and not known to have ended (1)" in result.output
    assert engine.interrupted


def test_other_values_than_were_sealed_stop_it_where_the_plan_leaves_them_open(engine: Engine) -> None:
    engine.does("preview", begun("create", "a", w=UNKNOWN), begun("create", "b"), SUCCEEDED)
    engine.does("up", PRELUDE, begun("create", "a", v="2", w="3"), "sleep 20")
    changes = (change("a", Op.CREATE, {"data": {"v": "1", "w": UNKNOWN}}), CHANGES[1])
    found = plan_of(a=("create",), b=("create",))
    found["resourcePlans"][urn("a")]["goal"]["inputDiff"]["adds"]["data"]["w"] = UNKNOWN
    result = apply(engine, changes=tuple(sealed_change(each) for each in changes), plan=found)
    assert result.exit_code == 12
    assert "other values than were sealed: data.v\n" in result.output
    assert engine.interrupted
    resources = json.loads((engine.directory / "plan").read_text())["resourcePlans"]
    assert resources[urn("a")]["goal"]["inputDiff"]["adds"] == {"data": UNKNOWN}
    assert resources[urn("b")]["goal"]["inputDiff"]["adds"] == {"data": {"v": "1"}}


def test_a_step_that_fails_is_told_with_what_was_applied_and_what_was_not(engine: Engine) -> None:
    engine.does(
        "up",
        PRELUDE,
        begun("create", "a"),
        failed("create", "a"),
        said("quota exceeded"),
        said(f"expected resource operations for {urn('b')} but none were seen", "b"),
        FAILED,
    )
    result = apply(engine)
    assert result.exit_code == 4
    assert "quota exceeded" in result.output
    assert "expected resource operations" not in result.output
    assert "Failed or broken off, so that it may be there in part (1)" in result.output
    assert "Not begun (1)" in result.output


def test_a_step_that_does_not_come_about_is_a_deviation(engine: Engine) -> None:
    words = f"expected resource operations for {urn('b')} but none were seen"
    engine.does("up", PRELUDE, begun("create", "a"), ended("create", "a"), said(words, "b"), FAILED)
    result = apply(engine)
    assert result.exit_code == 12
    assert words in result.output


def test_other_changes_than_were_sealed_are_refused_before_anything(engine: Engine) -> None:
    engine.does("preview", begun("create", "a"), SUCCEEDED)
    result = apply(engine)
    assert result.exit_code == 12
    assert "does not come about" in result.output
    assert not engine.applied


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("error: get stack secrets manager: incorrect passphrase", 3),
        ("error: no stack named 'lab' found", 6),
        ("error: something else", 4),
    ],
)
def test_the_engines_refusals_have_codes_of_their_own(engine: Engine, words: str, code: int) -> None:
    engine.does("preview", f"words {words}")
    result = apply(engine)
    assert result.exit_code == code
    assert words in result.output
    assert not engine.applied


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_in_order_and_tells_how_far_it_came(
    engine: Engine, number: signal.Signals
) -> None:
    engine.does("up", PRELUDE, begun("create", "a"), ended("create", "a"), begun("create", "b"), "sleep 20")

    def when_applying() -> None:
        engine.wait_for("up")
        os.kill(os.getpid(), number)

    threading.Thread(target=when_applying, daemon=True).start()
    result = apply(engine)
    assert result.exit_code == 8
    assert engine.interrupted
    assert "Applied, in this order (1)" in result.output
    assert "Begun, and not known to have ended (1)" in result.output


def test_an_interrupt_before_the_first_write_says_that_nothing_was_applied(engine: Engine) -> None:
    engine.does("preview", begun("create", "a"), "sleep 20")

    def when_previewing() -> None:
        engine.wait_for("preview")
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=when_previewing, daemon=True).start()
    result = apply(engine)
    assert result.exit_code == 8
    assert "Nothing was applied." in result.output
    assert not engine.applied


def test_the_time_ends_it_in_order(engine: Engine) -> None:
    engine.does("up", PRELUDE, begun("create", "a"), ended("create", "a"), "sleep 20")
    result = apply(engine, "--timeout", "5")
    assert result.exit_code == 9
    assert engine.interrupted
    assert "Applied, in this order (1)" in result.output


def test_settings_that_would_weaken_a_plan_do_not_reach_the_engine(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_K8S_DELETE_UNREACHABLE", "true")
    monkeypatch.setenv("PULUMI_CONTINUE_ON_ERROR", "true")
    script = (engine.directory.parent / "bin" / "pulumi").read_text()
    guard = 'if arguments[0] in ("up", "preview", "refresh"): assert not {"PULUMI_K8S_DELETE_UNREACHABLE", '
    guard += '"PULUMI_CONTINUE_ON_ERROR"} & set(os.environ)\nwords = '
    (engine.directory.parent / "bin" / "pulumi").write_text(script.replace("words = ", guard, 1))
    assert apply(engine).exit_code == 0


def test_reports_are_written_however_it_ends(engine: Engine, tmp_path: Path) -> None:
    report = tmp_path / "up.json"
    assert apply(engine, "--report", f"json={report}").exit_code == 0
    found = json.loads(report.read_text())
    engine.now = iter([bound(roles={})])
    result = apply(engine, "--report", f"json={report}")
    assert result.exit_code == 12
    again = json.loads(report.read_text())
    assert found != again
    assert "roles: phase prepare" in report.read_text()
    assert stat.S_ISREG(report.stat().st_mode)
