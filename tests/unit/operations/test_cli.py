"""The command line, with a `pulumi` on PATH that answers from files."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import socket
import stat
import subprocess
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from access import paths
from access.root_key import CONFIG_KEY
from live.doctor import model
from operations.cli import crossmesh, verb
from report.model import Finding, Status
from tests.unit.operations.support import ROOT, STACK_FILE, STACK_TEXT, raw_outputs

PULUMI = """#!/usr/bin/env python3
import json, os, pathlib, sys
here = pathlib.Path(os.environ["FAKE_PULUMI"])
arguments = [a for a in sys.argv[1:] if a not in ("--non-interactive", "--color=never")]
stdin = sys.stdin.read()
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
words = " ".join(arguments)
if (here / "refusal").exists():
    sys.exit((here / "refusal").read_text())
if words.startswith("stack ls"):
    print((here / "stacks.json").read_text())
elif words.startswith("stack init"):
    (here / "stacks.json").write_text(json.dumps([{"name": arguments[-1]}]))
elif words.startswith("stack rm"):
    (here / "stacks.json").write_text("[]")
elif words.startswith("stack output"):
    print((here / "outputs.json").read_text())
elif words.startswith("stack export"):
    print((here / "export.json").read_text())
elif words.startswith("stack import"):
    (here / "export.json").write_text(stdin)
elif words.startswith("whoami"):
    print(json.dumps({"url": "file://" + str(here / "backend")}))
elif words.startswith("config set"):
    import yaml
    path = pathlib.Path(arguments[arguments.index("--config-file") + 1])
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


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the reference stack, and a state that the fake `pulumi` answers from."""
    project, state, programs = tmp_path / "project", tmp_path / "state", tmp_path / "bin"
    (project / "stacks").mkdir(parents=True)
    (project / "stacks" / STACK_FILE.name).write_text(STACK_TEXT)
    shutil.copy(ROOT / "Pulumi.yaml", project)
    shutil.copy(ROOT / "pyproject.toml", project)
    (state / "backend").mkdir(parents=True)
    (state / "stacks.json").write_text("[]")
    (state / "outputs.json").write_text(json.dumps(raw_outputs()))
    (state / "export.json").write_text(json.dumps({"deployment": {"resources": []}}))
    programs.mkdir()
    program = programs / "pulumi"
    program.write_text(
        PULUMI.replace("/usr/bin/env python3", shutil.which("python3") or "/usr/bin/env python3")
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_PULUMI", str(state))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    monkeypatch.setattr(paths, "project_root", lambda: project)
    for module in ("access.engine",):
        monkeypatch.setattr(f"{module}.project_root", lambda: project)
    return state


def crossmesh_(*arguments: str) -> Result:
    return CliRunner().invoke(crossmesh, list(arguments), prog_name="crossmesh")


def stack_file(fake: Path) -> Path:
    return fake.parent / "project" / "stacks" / "Pulumi.lab.yaml"


def calls(fake: Path) -> list[list[str]]:
    return [json.loads(line) for line in (fake / "calls").read_text().splitlines()]


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


@pytest.mark.parametrize(
    "words",
    [
        *("ask", "doctor", "drift", "forget", "gate", "kubeconfig", "status", "summary", "up"),
        *("lock show", "lock clear", "secrets init", "secrets remove"),
    ],
)
def test_whoever_looks_at_a_stack_says_with_what_it_may_end(words: str) -> None:
    shown = crossmesh_(*words.split(), "--help").output
    assert {0, 1, 2, 3, 4, 6, 8} <= {int(code) for code in re.findall(r"(?m)^ {4,5}(\d+)  ", shown)}


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


@pytest.mark.parametrize(
    ("options", "code", "begins"),
    [
        ((), 14, "link"),
        (("--json",), 14, "{"),
        (("--report", "markdown=-"), 14, "<!-- crossmesh-doctor -->"),
        (("--json", "--report", "sarif=-"), 2, ""),
    ],
)
def test_a_doctor_prints_one_thing_and_ends_with_what_it_found(
    fake: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], code: int, begins: str
) -> None:
    check = model.Check("nodes/eu", "machines", "nodes of eu are Ready", lambda watch: finding)
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
    lines = crossmesh_("summary", "--stack", "lab").output.splitlines()
    commands = [line.partition("   ")[0].split() for line in map(str.strip, lines) if "--stack" in line]
    assert {command[0] for command in commands} == {"crossmesh", "pulumi"}
    verbs = [words for program, *words in commands if program == "crossmesh"]
    assert {words[0] for words in verbs} == {"ask", "doctor", "kubeconfig", "status"}
    for name, *arguments in verbs:
        assert verb(name).make_context(name, arguments) is not None


@pytest.mark.parametrize("verb", ["summary", "kubeconfig"])
def test_a_gateway_with_a_host_name_breaks_no_verb(fake: Path, verb: str) -> None:
    outputs = raw_outputs()
    outputs["regions"]["eu"]["gatewayAddress"] = "eu-1234.elb.example.com"
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


def test_secrets_init_makes_the_stack_and_a_key_that_is_in_no_argument(fake: Path) -> None:
    before = stack_file(fake).read_text()
    result = crossmesh_("secrets", "init", "--stack", "lab")
    assert result.exit_code == 0, result.output
    assert ["stack", "init", "lab"] in calls(fake)
    key = (fake / "key.pem").read_text()
    assert key.startswith("-----BEGIN PRIVATE KEY-----")
    assert "PRIVATE KEY" not in (fake / "calls").read_text()
    after = stack_file(fake).read_text()
    assert yaml.safe_load(after)["config"][CONFIG_KEY] == {"secure": "v1:sealed"}
    assert [line for line in after.splitlines() if line in before.splitlines()] == before.splitlines()


def test_secrets_init_twice_keeps_the_first_key(fake: Path) -> None:
    crossmesh_("secrets", "init", "--stack", "lab")
    first, text = (fake / "key.pem").read_text(), stack_file(fake).read_text()
    result = crossmesh_("secrets", "init", "--stack", "lab")
    assert result.exit_code == 0
    assert "is there already" in result.output
    assert ((fake / "key.pem").read_text(), stack_file(fake).read_text()) == (first, text)


def test_secrets_remove_leaves_the_file_as_it_was(fake: Path) -> None:
    before = stack_file(fake).read_text()
    crossmesh_("secrets", "init", "--stack", "lab")
    assert crossmesh_("secrets", "remove", "--stack", "lab").exit_code == 0
    assert stack_file(fake).read_text() == before


def test_secrets_remove_is_refused_while_resources_rest_on_the_key(fake: Path) -> None:
    crossmesh_("secrets", "init", "--stack", "lab")
    resources = [{"type": "pulumi:pulumi:Stack"}, {"type": "crossmesh:tls:CertificateAuthority"}]
    (fake / "export.json").write_text(json.dumps({"deployment": {"resources": resources}}))
    result = crossmesh_("secrets", "remove", "--stack", "lab")
    assert result.exit_code == 1
    assert "pulumi destroy --stack lab" in result.output


def lock(fake: Path, pid: int, host: str | None = None) -> Path:
    directory = fake / "backend" / ".pulumi" / "locks" / "organization" / "crossmesh" / "lab"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "one.json"
    content = {
        "pid": pid,
        "username": "operator",
        "hostname": host or socket.gethostname(),
        "timestamp": datetime.now(UTC).isoformat(),
    }
    path.write_text(json.dumps(content))
    return path


def ended_pid() -> int:
    done = subprocess.Popen(["true"])
    done.wait()
    return done.pid


def test_a_stale_lock_is_shown_with_its_owner_and_cleared(fake: Path) -> None:
    path = lock(fake, ended_pid())
    shown = crossmesh_("lock", "show", "--stack", "lab")
    assert shown.exit_code == 0
    assert "operator@" in shown.output
    assert "stale" in shown.output
    assert crossmesh_("lock", "clear", "--stack", "lab").exit_code == 0
    assert not path.exists()


def test_what_a_killed_up_left_half_done_is_settled_with_its_lock_and_without_one(fake: Path) -> None:
    host_phase = {"urn": "urn:a::b::c::eu-worker-1-join", "type": "crossmesh:hosts:HostPhase"}
    left = {"resources": [host_phase], "pending_operations": [{"resource": host_phase, "type": "updating"}]}
    (fake / "stacks.json").write_text('[{"name": "lab"}]')
    for pid in (ended_pid(), None):
        if pid:
            lock(fake, pid)
        (fake / "export.json").write_text(json.dumps({"version": 3, "deployment": left}))
        result = crossmesh_("lock", "clear", "--stack", "lab")
        assert result.exit_code == 0
        assert (
            "eu-worker-1-join was interrupted while updating; the next `up` goes on with it" in result.output
        )
        state = json.loads((fake / "export.json").read_text())["deployment"]
        assert "pending_operations" not in state
        assert state["resources"][0]["initErrors"] == ["interrupted while updating"]


@pytest.mark.parametrize("host", [None, "another-machine"])
def test_a_lock_whose_owner_may_live_is_never_cleared(fake: Path, host: str | None) -> None:
    path = lock(fake, os.getpid() if host is None else ended_pid(), host)
    result = crossmesh_("lock", "clear", "--stack", "lab")
    assert result.exit_code == 1
    assert path.exists()
    assert not any(call[0] == "cancel" for call in calls(fake))


def test_no_lock_is_said(fake: Path) -> None:
    for name in ("show", "clear"):
        result = crossmesh_("lock", name, "--stack", "lab")
        assert result.exit_code == 0
        assert "not locked" in result.output


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
    assert crossmesh_("ledger", "--stack", "lab", "--write").exit_code == 0
    assert path.read_text() == STACK_TEXT


def test_a_bad_stack_file_is_a_usage_error_with_all_its_problems(fake: Path) -> None:
    path = stack_file(fake)
    path.write_text(path.read_text().replace("    domain:", "    domian:"))
    result = crossmesh_("ledger", "--stack", "lab")
    assert result.exit_code == 2
    assert "domian" in result.output


def test_a_stack_is_forgotten_only_when_its_machines_are_said_to_be_gone(fake: Path) -> None:
    (fake / "stacks.json").write_text(json.dumps([{"name": "lab"}]))
    refused = crossmesh_("forget", "--stack", "lab")
    assert refused.exit_code == 2
    assert "pulumi destroy" in refused.output
    assert not (fake / "calls").exists()
    assert crossmesh_("forget", "--stack", "lab", "--machines-are-gone").exit_code == 0
    assert ["stack", "rm", "lab", "--yes", "--force", "--preserve-config"] in calls(fake)
