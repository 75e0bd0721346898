"""The shell steps, as the pipelines' jobs run them, with a stand-in for the `crossmesh` command."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from operations.cli import verb
from report.exit_codes import ExitCode
from tests.gate.ci_checkout import Checkout, make
from tests.gate.ci_pipelines import Script, github, gitlab, gitlab_jobs, workflow_jobs

PLAN_SHA256 = hashlib.sha256(b"the plan\n").hexdigest()
NOTHING = "0" * 40
"""What forges say was there before a branch's first push."""
SECRETS = {
    "secrets.PULUMI_BACKEND_URL": "s3://states",
    "secrets.PULUMI_CONFIG_PASSPHRASE": "the passphrase",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A repository with the steps and a `crossmesh` that writes down what it is asked for."""
    return make(tmp_path)


def hub(job: str, context: Mapping[str, str] = SECRETS) -> Script:
    """The last script of a GitHub job: what is left of the others is installing."""
    more = {"github.event.before": NOTHING, "inputs.approve": "", "needs.seal.outputs.sha256": PLAN_SHA256}
    return github(f"crossmesh-gate/{job}", {**more, **context})[-1]


def test_a_pull_request_is_gated_against_the_merges_first_parent(checkout: Checkout) -> None:
    checkout.commit("second")
    done = checkout.run(hub("gate"))
    assert done.returncode == 0, done.stderr
    assert checkout.arguments == [
        "gate",
        "--stack=staging",
        "--stack=production",
        *("--report", "terminal=-"),
        *("--report", "markdown=results/reports/gate.md"),
        *("--report", "json=results/reports/gate.json"),
        *("--report", "sarif=results/reports/gate.sarif"),
        *("--report", "junit=results/reports/gate.xml"),
        *("--report", "svg=results/reports/gate-{stack}.svg"),
        "--hermetic",
        *("--base", "HEAD^1"),
    ]


@pytest.mark.parametrize(
    ("target", "base"),
    [("", "of the branch"), ("of the target", "of the target")],
    ids=["plain", "merged results"],
)
def test_a_merge_request_is_gated_against_where_it_left_the_target(
    checkout: Checkout, target: str, base: str
) -> None:
    machine = {
        "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": target,
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": "of the branch",
    }
    assert checkout.run(gitlab("gate"), **machine).returncode == 0
    assert checkout.arguments[-3:] == ["--hermetic", "--base", base]
    assert (checkout.root / "made").read_text() == "toolchain\n"


def test_the_protected_branch_is_gated_against_the_state_and_sealed(checkout: Checkout) -> None:
    secrets = {"PULUMI_BACKEND_URL": "s3://states", "CI_COMMIT_BEFORE_SHA": NOTHING}
    for script, machine in ((hub("seal"), {}), (gitlab("seal"), secrets)):
        assert checkout.run(script, **machine).returncode == 0
        assert checkout.arguments[:2] == ["gate", "--stack=production"]
        assert checkout.arguments[-2:] == ["--seal", "results/plan/production.plan"]
        assert not {"--hermetic", "--base"} & set(checkout.arguments), (
            "a pending change needs approval as well"
        )
        assert (checkout.root / "results" / "plan").is_dir()
        assert checkout.environment["PULUMI_BACKEND_URL"] == "s3://states"


def test_the_plans_digest_is_handed_on(checkout: Checkout, tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert checkout.run(hub("seal"), GITHUB_OUTPUT=str(output)).returncode == 0
    assert output.read_text() == f"sha256={PLAN_SHA256}\n"
    assert (checkout.root / "results" / "sealed.env").read_text() == f"PLAN_SHA256={PLAN_SHA256}\n"
    job = workflow_jobs()["crossmesh-gate/seal"]
    assert job["outputs"] == {"sha256": "${{ steps.seal.outputs.sha256 }}"}
    assert gitlab_jobs()["seal"]["artifacts"]["reports"]["dotenv"] == "results/sealed.env"


def test_a_refused_plan_has_no_digest(checkout: Checkout, tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert checkout.run(hub("seal"), GITHUB_OUTPUT=str(output), CODE="10").returncode == 10
    assert not output.exists()


def test_the_sealed_plan_is_applied(checkout: Checkout) -> None:
    machine = {"PULUMI_BACKEND_URL": "s3://states", "PLAN_SHA256": PLAN_SHA256}
    for script, more in ((hub("up"), {}), (gitlab("up"), machine)):
        assert checkout.run(script, **more).returncode == 0
        words = [
            "up",
            "--stack",
            "production",
            "--plan",
            "results/plan/production.plan",
            "--sha256",
            PLAN_SHA256,
        ]
        assert checkout.arguments[:8] == [*words, "--yes"]
        assert "junit=results/reports/up.xml" in checkout.arguments


def test_a_plan_that_nobody_vouches_for_is_not_applied(checkout: Checkout) -> None:
    done = checkout.run(hub("up", {**SECRETS, "needs.seal.outputs.sha256": ""}))
    assert done.returncode == ExitCode.AUTHENTICATION and "PLAN_SHA256 is not set" in done.stderr
    assert not (checkout.root / "arguments").exists()


def test_drift_is_looked_for(checkout: Checkout) -> None:
    for script, machine in ((hub("drift"), {}), (gitlab("drift"), {"PULUMI_BACKEND_URL": "s3://states"})):
        assert checkout.run(script, **machine).returncode == 0
        assert checkout.arguments[:4] == ["drift", "--stack", "production", "--strict"]
        assert "junit=results/reports/drift.xml" in checkout.arguments


@pytest.mark.parametrize("job", ["gate", "seal", "up", "drift"])
def test_crossmesh_takes_these_arguments(
    checkout: Checkout, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsed by the command itself, and not run."""
    checkout.run(hub("seal"))
    assert checkout.run(hub(job)).returncode == 0
    monkeypatch.chdir(checkout.root)
    name, *arguments = checkout.arguments
    verb(name).make_context(name, arguments)


@pytest.mark.parametrize("code", list(ExitCode))
def test_the_pipeline_ends_as_the_gate_does(checkout: Checkout, code: ExitCode) -> None:
    done = checkout.run(hub("gate"), CODE=str(code), GITHUB_ACTIONS="true")
    assert done.returncode == code
    annotations = [line for line in done.stdout.splitlines() if line.startswith("::")]
    assert len(annotations) == (code != 0)
    assert all(
        line.startswith(f"::error title=crossmesh ended with exit code {code}::") for line in annotations
    )
    done = checkout.run(gitlab("gate"), CODE=str(code), CI_MERGE_REQUEST_DIFF_BASE_SHA="HEAD")
    assert done.returncode == code
    assert (f"crossmesh ended with exit code {code}: " in done.stderr) == (code != 0)
    assert "::" not in done.stdout


@pytest.mark.parametrize(
    ("code", "word"), [(3, "credential"), (10, "Crossmesh-Approve: "), (12, "again"), (13, "again")]
)
def test_what_to_do_is_said(checkout: Checkout, code: int, word: str) -> None:
    assert word in checkout.run(gitlab("gate"), CODE=str(code)).stderr


def test_the_report_is_shown_on_the_runs_page(checkout: Checkout, tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    for code in ("0", "10"):
        checkout.run(hub("gate"), GITHUB_STEP_SUMMARY=str(summary), CODE=code)
    assert summary.read_text() == "the report\n" * 2


def test_reports_of_an_earlier_run_are_gone(checkout: Checkout) -> None:
    old = checkout.root / "results" / "reports" / "gate-lab.svg"
    old.parent.mkdir(parents=True)
    old.touch()
    assert checkout.run(hub("gate")).returncode == 0
    assert not old.exists()


def test_approvals_are_read_from_the_messages_of_the_change(checkout: Checkout) -> None:
    checkout.commit("before\n\nCrossmesh-Approve: not-of-this-change")
    base = checkout.commit("base")
    checkout.commit("one\n\nCrossmesh-Approve: node-*\nCrossmesh-Approve:type::name  other\r\n")
    checkout.commit(
        "two, squashed\n\n* something\n\nCrossmesh-Approve: third\n\nNot: a trailer\nno Crossmesh-Approve: x"
    )
    # Names of files that the patterns would mean.
    (checkout.root / "node-1").touch()
    done = checkout.run(gitlab("gate"), CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
    assert done.returncode == 0, done.stderr
    assert checkout.approved == ["third", "node-*", "type::name", "other"]


def test_approvals_of_a_run_by_hand(checkout: Checkout) -> None:
    script = hub("seal", {**SECRETS, "inputs.approve": "cluster-* $(touch ran) `touch ran`; touch ran"})
    assert checkout.run(script).returncode == 0
    assert checkout.approved == ["cluster-*", "$(touch", "ran)", "`touch", "ran`;", "touch", "ran"]
    assert not (checkout.root / "ran").exists()


def test_an_option_is_no_approval(checkout: Checkout) -> None:
    base = checkout.commit("base")
    checkout.commit("change\n\nCrossmesh-Approve: --hermetic")
    assert checkout.run(hub("seal", {**SECRETS, "github.event.before": base})).returncode == 0
    assert "--hermetic" not in checkout.arguments and checkout.approved == ["--hermetic"]


@pytest.mark.parametrize("since", [NOTHING, "f" * 40], ids=["first push", "forced push"])
def test_a_commit_that_is_not_there_approves_nothing(checkout: Checkout, since: str) -> None:
    checkout.commit("change\n\nCrossmesh-Approve: something")
    done = checkout.run(hub("seal", {**SECRETS, "github.event.before": since}))
    assert done.returncode == 0
    assert checkout.approved == []
    assert "No approvals are read from commit messages" in done.stderr


@pytest.mark.parametrize("job", ["seal", "up", "drift"])
def test_a_missing_backend_is_a_missing_credential(checkout: Checkout, job: str) -> None:
    """Without it, the plan would create everything."""
    for script in (hub(job, dict.fromkeys(SECRETS, "")), gitlab(job)):
        done = checkout.run(script)
        assert done.returncode == ExitCode.AUTHENTICATION
        assert "PULUMI_BACKEND_URL is not set" in done.stderr
        assert not (checkout.root / "arguments").exists()


def test_the_pipelines_passphrase_reaches_the_command(checkout: Checkout) -> None:
    assert checkout.run(hub("up")).returncode == 0
    assert checkout.environment["PULUMI_CONFIG_PASSPHRASE"] == "the passphrase"
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in checkout.environment
    machine = {"PULUMI_BACKEND_URL": "s3://states", "PULUMI_CONFIG_PASSPHRASE_FILE": "/a/file"}
    assert checkout.run(gitlab("drift"), **machine).returncode == 0
    assert checkout.environment["PULUMI_CONFIG_PASSPHRASE_FILE"] == "/a/file"
    assert "PULUMI_CONFIG_PASSPHRASE" not in checkout.environment


def test_secrets_are_in_no_argument_and_no_output(checkout: Checkout) -> None:
    for job in ("seal", "up", "drift"):
        done = checkout.run(hub(job), GITHUB_ACTIONS="true", CODE="1")
        for text in (done.stdout, done.stderr, *checkout.arguments):
            assert not [secret for secret in SECRETS.values() if secret in text]


def test_the_toolchain_goes_through_an_archive_unchanged(checkout: Checkout, tmp_path: Path) -> None:
    """To the nanosecond: by size and time the toolchain tells that its files are as they were installed."""
    program = tmp_path / "cache" / "crossmesh" / "toolchain" / "program-1" / "program"
    program.parent.mkdir(parents=True)
    program.write_text("a program")
    os.utime(program, ns=(1, 1_234_567_890_123_456_789))
    (tmp_path / "cache" / "crossmesh" / "venv").mkdir()
    (tmp_path / "cache" / "crossmesh" / "other").touch()
    machine = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    before = program.stat().st_mtime_ns
    assert checkout.run(gitlab("gate"), **machine).returncode == 0
    shutil.rmtree(tmp_path / "cache")
    assert checkout.run(gitlab("gate"), **machine).returncode == 0
    assert program.read_text() == "a program" and program.stat().st_mtime_ns == before
    assert not (tmp_path / "cache" / "crossmesh" / "other").exists()
