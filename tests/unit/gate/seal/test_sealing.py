"""Sealing a gate's result: when it is, when it is not, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gate.model import GateOptions, GateResult
from gate.seal import sealed
from gate.seal.bound import Bound
from gate.seal.sealed import make_room, sealed_change
from report.errors import ConfigurationError
from report.examination import Verdict
from report.exit_codes import ExitCode
from report.model import Against, ChangeSet, Finding, Op, Place, Risk, Status, Waiver
from stacks import digests
from tests.unit.gate.seal.support import bound, change, examination, plan_of

TODAY = date(2026, 11, 24)
PLAN = json.dumps(plan_of(a=("create",))).encode()


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> list[Bound]:
    """What there is when the plan is sealed; to be changed by tests."""
    found = [bound()]
    monkeypatch.setattr("gate.seal.sealed.bind", lambda root, stack, packs: found[0])
    return found


def seal(path: Path, found: Any = None, plan: bytes | None = PLAN, **options: Any) -> GateResult:
    result = GateResult(found or examination(change("a", Op.CREATE)), plan)
    return sealed.seal(
        Path("/project"),
        path,
        result,
        GateOptions(TODAY, result.examination.producer, plan=True, **options),
        bound(),
    )


def test_a_clean_result_is_sealed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "lab.sealed"
    result = seal(path, approve=("a*",), packs=(Path("/project/pack"), Path("/other/pack")))
    digest = digests.of_bytes(path.read_bytes())
    assert result.examination.sealed == digest
    assert result.examination.verdict.code is ExitCode.CLEAN
    plan = sealed.decode(path.read_bytes())
    assert (plan.stack, plan.bound) == ("lab", bound())
    assert plan.plan == json.loads(PLAN)
    assert plan.changes == (sealed_change(change("a", Op.CREATE)),)
    assert plan.packs == ("pack", "/other/pack")
    assert digest in capsys.readouterr().err


@pytest.mark.parametrize("code", [code for code in ExitCode if code is not ExitCode.CLEAN])
def test_whatever_is_not_clean_is_not_sealed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: ExitCode
) -> None:
    path = tmp_path / "lab.sealed"
    found = examination(verdict=Verdict(code, "for a reason"))
    result = seal(path, found)
    assert result.examination == found
    assert not path.exists()
    assert "for a reason" in capsys.readouterr().err


def test_an_older_plan_goes_before_the_gate_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lab.sealed"
    seal(path)
    make_room(path)
    assert not path.exists()
    assert "older plan, was removed" in capsys.readouterr().err
    make_room(path)
    path.touch()
    make_room(path)
    assert not path.exists()


def test_a_file_that_is_no_plan_is_kept_and_refused(tmp_path: Path) -> None:
    precious = tmp_path / "README.md"
    precious.write_text("# Precious\n")
    with pytest.raises(ConfigurationError, match="no sealed plan"):
        make_room(precious)
    assert precious.read_text() == "# Precious\n"
    with pytest.raises(ConfigurationError, match="no directory"):
        make_room(tmp_path / "nowhere" / "lab.sealed")


@pytest.mark.parametrize(
    ("against", "options", "words"),
    [
        (Against.NOTHING, {}, "crossmesh secrets init --stack lab"),
        (Against.BASE, {"base": "main"}, "crossmesh secrets init --stack lab"),
        (Against.NOTHING, {"hermetic": True}, "leave --hermetic out"),
    ],
)
def test_a_preview_with_stand_ins_is_no_plan_for_the_real_thing(
    tmp_path: Path, against: Against, options: dict[str, Any], words: str
) -> None:
    path = tmp_path / "lab.sealed"
    result = seal(path, examination(changes=ChangeSet(against, (), ())), **options)
    verdict = result.examination.verdict
    assert verdict.code is ExitCode.USAGE
    assert "stand-ins" in verdict.words
    assert words in verdict.words
    assert (path.exists(), result.examination.sealed) == (False, "")


def test_what_changed_while_the_gate_ran_is_not_sealed(tmp_path: Path, now: list[Bound]) -> None:
    now[0] = bound(roles={"phase prepare": "b" * 64})
    result = seal(tmp_path / "lab.sealed")
    assert result.examination.verdict.code is ExitCode.STALE
    assert "roles: phase prepare" in result.examination.verdict.words
    assert not (tmp_path / "lab.sealed").exists()


def test_without_the_engines_plan_nothing_is_sealed(tmp_path: Path) -> None:
    result = seal(tmp_path / "lab.sealed", plan=None)
    assert result.examination.verdict.code is ExitCode.TOOL_ERROR
    assert not (tmp_path / "lab.sealed").exists()


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    result = seal(tmp_path / "nowhere" / "lab.sealed")
    assert result.examination.verdict.code is ExitCode.TOOL_ERROR
    assert f"{tmp_path}/nowhere/lab.sealed cannot be written" in result.examination.verdict.words


def test_files_that_differ_from_the_commit_are_told(
    tmp_path: Path, now: list[Bound], capsys: pytest.CaptureFixture[str]
) -> None:
    now[0] = replace(bound(), dirty=("stacks/Pulumi.lab.yaml",))
    seal(tmp_path / "lab.sealed")
    assert "differ from the commit: stacks/Pulumi.lab.yaml" in capsys.readouterr().err


def test_waivers_that_the_result_rests_on_are_sealed_once(tmp_path: Path) -> None:
    waiver = Waiver("policy/x", "web", "team", "because", date(2027, 1, 1), Place("policies/waivers.yaml", 1))
    findings = (
        Finding("policy/x", Status.WAIVED, "a", urn="1", waiver=waiver),
        Finding("policy/x", Status.WAIVED, "b", urn="2", waiver=waiver),
        Finding("policy/y", Status.PASS, ""),
    )
    seal(tmp_path / "lab.sealed", examination(findings=findings))
    plan = sealed.decode((tmp_path / "lab.sealed").read_bytes())
    assert plan.waivers == (waiver,)


def test_a_change_is_sealed_with_what_it_is_and_the_digest_of_its_inputs() -> None:
    one = replace(change("a", Op.UPDATE, {"v": 1}), risk=Risk.TRAFFIC, approved=True)
    assert sealed_change(one) == sealed_change(one)
    assert sealed_change(one).risk is Risk.TRAFFIC
    assert sealed_change(one).approved
    assert sealed_change(one).inputs != sealed_change(change("a", Op.UPDATE, {"v": 2})).inputs


@pytest.mark.parametrize(("op", "same"), [(Op.CREATE, True), (Op.REPLACE, True), (Op.UPDATE, False)])
def test_what_comes_from_the_engines_seed_is_not_compared_where_the_seed_is_new(op: Op, same: bool) -> None:
    kind = "crossmesh:hosts:HostPhase"
    one, other = (change("a", op, {"salt": salt, "digest": salt, "v": 1}, type=kind) for salt in "xy")
    assert (sealed_change(one).inputs == sealed_change(other).inputs) is same


def test_an_input_of_others_may_be_called_salt() -> None:
    one, other = (change("a", Op.CREATE, {"salt": salt}) for salt in "xy")
    assert sealed_change(one).inputs != sealed_change(other).inputs
