"""Files on the operator's machine that a stack names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.errors import StackFileError, render_path
from stacks.files import check_files
from stacks.load import Stack, load_stack
from tests.unit.stacks.conftest import GOOD

Write = Callable[[str], Path]
NAMES = ("apt.asc", "id", "known_hosts")


@pytest.fixture
def stack(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack whose files are all there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "keys").mkdir()
    for name in NAMES:
        (tmp_path / "keys" / name).write_text("key")
        (tmp_path / "keys" / name).chmod(0o600)
    return load_stack(write(GOOD))


def test_files_that_are_there_are_accepted(stack: Stack) -> None:
    check_files(stack)


def test_loading_does_not_need_the_files(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    load_stack(write(GOOD))


def test_all_missing_files_are_named_with_line_purpose_and_fix(stack: Stack, tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / "keys" / name).unlink()
    with pytest.raises(StackFileError) as caught:
        check_files(stack)
    found = [(render_path(problem.path), problem.line) for problem in caught.value.problems]
    assert [path for path, _ in found] == [
        "sources.apt[0].signedBy",
        "sources.apt[1].signedBy",
        "ssh.privateKeyFile",
        "ssh.knownHostsFile",
    ]
    assert all("~/keys" in GOOD.splitlines()[line - 1] for _, line in found)
    assert f"{tmp_path}/keys/id: no such file" in str(caught.value)


def test_an_audit_policy_that_the_api_server_would_not_take_is_refused(
    write: Write, stack: Stack, tmp_path: Path
) -> None:
    policy = tmp_path / "keys" / "audit.yaml"
    text = GOOD.replace(
        "kind: bareMetal", "kind: bareMetal\n          audit: {policyFile: ~/keys/audit.yaml}"
    )
    assert text != GOOD
    declared = load_stack(write(text))
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n")
    check_files(declared)
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: All}]\n")
    with pytest.raises(StackFileError) as caught:
        check_files(declared)
    problem, *_ = caught.value.problems
    assert render_path(problem.path).endswith("cluster.audit.policyFile")
    assert "rules[0].level: one of None, Metadata" in problem.got


def test_a_private_key_that_others_may_read_is_refused(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "keys" / "id").chmod(0o644)
    with pytest.raises(StackFileError) as caught:
        check_files(stack)
    (problem,) = caught.value.problems
    assert "readable for others" in problem.got
    assert problem.fix == f"run `chmod 600 {tmp_path}/keys/id`"


def test_an_empty_file_is_refused(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "keys" / "known_hosts").write_text("")
    with pytest.raises(StackFileError, match="an empty file"):
        check_files(stack)


def test_a_directory_is_no_key(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "keys" / "known_hosts").unlink()
    (tmp_path / "keys" / "known_hosts").mkdir()
    with pytest.raises(StackFileError, match="no regular file"):
        check_files(stack)
