"""The command line, with a `pulumi` on PATH that answers from files."""

from __future__ import annotations

import errno
import json
import re
import stat
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import click
import pytest

from live.doctor import model
from operations.cli import crossmesh, verb
from report.model import Finding, Status
from tests.unit.operations.fakes import calls, crossmesh_, stack_file
from tests.unit.operations.support import STACK_TEXT, raw_outputs


def test_an_unknown_stack_is_a_usage_error_that_names_the_known_ones(fake: Path) -> None:
    result = crossmesh_("summary", "--stack", "nowhere")
    assert result.exit_code == 2
    assert "lab" in result.output


@pytest.mark.parametrize("words", ["ask", "summary", "kubeconfig --region eu", "lock show", "secrets init"])
@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        ("error: no stack named 'lab' found", 6),
        ("error: incorrect passphrase", 3),
        ("error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions", 3),
        ("error: failed to load checkpoint: unexpected end of JSON input", 4),
        ("error: connection reset by peer", 1),
    ],
)
def test_what_the_engine_refuses_has_its_code_whichever_verb_asked(
    fake: Path, words: str, refusal: str, code: int
) -> None:
    (fake / "refusal").write_text(refusal)
    result = crossmesh_(*words.split(), "--stack", "lab")
    assert result.exit_code == code
    assert refusal in result.output
    assert ("PULUMI_CONFIG_PASSPHRASE_FILE" in result.output) == (code == 3)


def test_a_backend_that_is_not_there_is_not_said_to_hold_no_lock(
    fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{fake}/absent")
    for name in ("show", "clear"):
        result = crossmesh_("lock", name, "--stack", "lab")
        assert result.exit_code == 2
        assert f"{fake}/absent, and there is no such directory" in result.output


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), 8, "interrupted"),
        (click.Abort(), 8, "interrupted"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 1, "No space left on device: '/x'"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "Permission denied: '/x'"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, ""),
    ],
)
def test_a_verb_that_is_broken_off_ends_with_a_sentence_and_its_code(
    fake: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, told: str
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("operations.commands.summary.summarise", broken)
    result = crossmesh_("summary", "--stack", "lab")
    assert result.exit_code == code
    assert told in result.output
    assert "Traceback" not in result.output


def commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that does something, with the words that lead to it."""
    if not isinstance(command, click.Group):
        yield words
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from commands(found, (*words, name))


@pytest.mark.parametrize("words", list(commands(crossmesh)), ids=" ".join)
def test_every_command_says_with_what_it_may_end(words: tuple[str, ...]) -> None:
    shown = crossmesh_(*words, "--help").output
    asks_nobody = words[0] in {"completion", "exposure", "ledger", "releases", "simulate"} or words in {
        ("runbook", "list"),
        ("runbook", "show"),
    }
    engine = set() if asks_nobody else {3, 4, 6, 9}
    codes = {int(code) for code in re.findall(r"(?m)^ {4,5}(\d+)  ", shown)}
    assert {0, 1, 2, 8, *engine} <= codes
    assert engine or codes == {0, 1, 2, 8}


def test_a_gate_that_seals_says_that_it_may_end_as_stale() -> None:
    assert "\n    12  " in crossmesh_("gate", "--help").output


def test_a_stack_that_was_not_brought_up_is_an_error_with_the_command_to_run(fake: Path) -> None:
    (fake / "outputs.json").write_text("{}")
    for name in ("summary", "doctor", "status"):
        result = crossmesh_(name, "--stack", "lab")
        assert result.exit_code == 1
        assert "pulumi up --stack lab" in result.output


def test_why_a_doctor_could_not_look_is_in_its_report_as_well(fake: Path, tmp_path: Path) -> None:
    (fake / "outputs.json").write_text("{}")
    report = tmp_path / "doctor.json"
    result = crossmesh_("doctor", "--stack", "lab", "--report", f"json={report}")
    assert result.exit_code == 1
    (stack,) = json.loads(report.read_text())["stacks"]
    assert (stack["verb"], stack["exitCode"]) == ("doctor", 1)
    assert "pulumi up --stack lab" in stack["findings"][0]["message"]


@pytest.mark.parametrize(("verb", "looks"), [("doctor", "open_platform"), ("preflight", "read_stack")])
def test_what_this_computer_refuses_is_in_the_report_as_well(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, looks: str
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/x")

    monkeypatch.setattr(f"operations.commands.{verb}.{looks}", refused)
    report = tmp_path / "report.json"
    result = crossmesh_(verb, "--stack", "lab", "--report", f"json={report}")
    assert result.exit_code == 1
    assert "Permission denied: '/x'" in result.output
    (stack,) = json.loads(report.read_text())["stacks"]
    assert "Permission denied: '/x'" in stack["findings"][0]["message"]


@pytest.mark.parametrize(
    ("options", "code", "begins"),
    [
        ((), 14, "cause: nodes/eu in eu: it is gone\n"),
        (("--json",), 14, "{"),
        (("--report", "markdown=-"), 14, "<!-- crossmesh-doctor -->"),
        (("--json", "--report", "sarif=-"), 2, ""),
    ],
)
def test_a_doctor_prints_one_thing_and_ends_with_what_it_found(
    fake: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], code: int, begins: str
) -> None:
    key = ("regions", "eu", "cluster")
    check = model.Check(
        "nodes/eu", "machines", "nodes of eu are Ready", lambda watch: finding, region="eu", declared=key
    )
    finding = Finding("doctor/nodes/eu", Status.FAIL, "it is gone", measured="0 of 1")
    checkup = [model.CheckResult(check, finding)], []
    monkeypatch.setattr("operations.commands.doctor.examine", lambda platform, tell: checkup)
    monkeypatch.setattr("operations.commands.doctor.open_platform", lambda stack: nullcontext())
    result = crossmesh_("doctor", "--stack", "lab", *options)
    assert result.exit_code == code
    assert result.stdout.startswith(begins)


def test_without_pulumi_the_environment_is_named(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    result = crossmesh_("summary", "--stack", "lab")
    assert result.exit_code == 2
    assert "make -s env" in result.output


@pytest.mark.parametrize("words", ["incorrect passphrase", "PULUMI_ACCESS_TOKEN must be set for login"])
def test_who_has_no_backend_or_passphrase_is_told_to_name_theirs_and_where_the_lab_s_are(
    fake: Path, words: str
) -> None:
    program = fake.parent / "bin" / "pulumi"
    program.write_text(f"#!/bin/sh\necho 'error: {words}' >&2\nexit 3\n")
    result = crossmesh_("summary", "--stack", "lab")
    assert result.exit_code != 0
    for way in ("pulumi login URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "make -s lab-env"):
        assert way in result.output


def test_the_summary_names_what_there_is_to_ask(fake: Path) -> None:
    result = crossmesh_("summary", "--stack", "lab")
    assert result.exit_code == 0, result.output
    for words in ("https://assetmanagement", "10.101.1.13:53", "us.kubeconfig"):
        assert words in result.output


def test_each_command_of_the_summary_is_one_of_the_project_s_and_parses(fake: Path) -> None:
    """A fresh machine has neither dig nor curl."""
    _, heading, rest = crossmesh_("summary", "--stack", "lab").output.partition("Ask as a client does")
    assert heading
    lines = [line.strip() for line in rest.splitlines() if line.startswith(" ")]
    commands = [line.partition("   ")[0].split() for line in lines]
    assert len(commands) >= 8
    assert all("--stack" in command for command in commands)
    assert {command[0] for command in commands} == {"crossmesh", "pulumi"}
    verbs = [words for program, *words in commands if program == "crossmesh"]
    assert {words[0] for words in verbs} == {"ask", "doctor", "kubeconfig", "status"}
    for name, *arguments in verbs:
        assert verb(name).make_context(name, arguments) is not None


@pytest.mark.parametrize("verb", ["summary", "kubeconfig"])
def test_a_gateway_with_a_host_name_breaks_no_verb(fake: Path, verb: str) -> None:
    outputs = raw_outputs()
    outputs["regions"]["eu"]["gatewayAddresses"] = ["eu-1234.elb.example.com"]
    (fake / "outputs.json").write_text(json.dumps(outputs))
    result = crossmesh_(verb, "--stack", "lab", *(["--region", "eu"] if verb == "kubeconfig" else []))
    assert result.exit_code == 0, result.output
    if verb == "summary":
        assert "gateway eu-1234.elb.example.com" in result.output


def test_a_kubeconfig_is_printed_or_written_for_its_owner_alone(fake: Path, tmp_path: Path) -> None:
    assert "kubeconfig text" in crossmesh_("kubeconfig", "--stack", "lab", "--region", "eu").output
    target = tmp_path / "eu.kubeconfig"
    result = crossmesh_("kubeconfig", "--stack", "lab", "--region", "eu", "--output", str(target))
    assert result.exit_code == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert target.read_text() == "kubeconfig text"


def test_a_kubeconfig_of_an_unknown_region_names_the_known_ones(fake: Path) -> None:
    result = crossmesh_("kubeconfig", "--stack", "lab", "--region", "mars")
    assert result.exit_code == 2
    assert "eu, us" in result.output


def test_who_asks_a_platform_that_exposes_nothing_is_told_so(fake: Path) -> None:
    (fake / "outputs.json").write_text(json.dumps({**raw_outputs(), "url": ""}))
    result = crossmesh_("ask", "--stack", "lab")
    assert result.exit_code == 2
    assert "exposes nothing, so there is no URL to ask for: declare one of `ingresses`" in result.output


def test_the_ledger_says_when_it_is_complete(fake: Path) -> None:
    result = crossmesh_("ledger", "--stack", "lab")
    assert result.exit_code == 0
    assert "  eu-worker-1: 172.30.1.0/24" in result.output
    assert "complete" in result.output


def test_a_ledger_with_gaps_fails_until_it_is_written(fake: Path) -> None:
    path = stack_file(fake)
    path.write_text(path.read_text().replace(", eu-worker-1: 172.30.1.0/24", ""))
    asked = crossmesh_("ledger", "--stack", "lab")
    assert asked.exit_code == 1
    assert "eu-worker-1" in asked.output
    written = crossmesh_("ledger", "--stack", "lab", "--write")
    assert written.exit_code == 0
    assert "written: " in written.output and "no entry" not in written.output
    assert path.read_text() == STACK_TEXT


def test_a_bad_stack_file_is_a_usage_error_with_all_its_problems(fake: Path) -> None:
    path = stack_file(fake)
    path.write_text(path.read_text().replace("    domain:", "    domian:"))
    result = crossmesh_("ledger", "--stack", "lab")
    assert result.exit_code == 2
    assert "domian" in result.output


def test_a_stack_is_forgotten_only_when_its_machines_are_said_to_be_gone(fake: Path) -> None:
    refused = crossmesh_("forget", "--stack", "lab")
    assert refused.exit_code == 2
    assert "pulumi destroy" in refused.output
    assert not (fake / "calls").exists()
    assert crossmesh_("forget", "--stack", "lab", "--machines-are-gone").exit_code == 0
    assert ["stack", "rm", "lab", "--yes", "--force", "--preserve-config"] in calls(fake)
