"""`crossmesh up`, from the command line to the engine, for which a script stands here."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from gate.seal.sealed import sealed_change
from operations.commands.up import up
from report.model import Risk
from stacks import digests
from tests.unit.gate.seal.support import bound, plan_of, urn, waiver
from tests.unit.operations.fakes import (
    CHANGES,
    PRELUDE,
    SUCCEEDED,
    Engine,
    apply,
    begun,
    plan,
    up_,
)
from tests.unit.operations.support import STACK_FILE, STACK_TEXT


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
