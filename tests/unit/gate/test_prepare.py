"""What a change is compared with: nothing that was asked for is passed over in silence."""

from __future__ import annotations

import subprocess
import threading
from concurrent.futures import Future
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from access.programs import Executed
from gate import run
from gate.model import GateOptions, GateResult, Prepared
from gate.preview import Preview
from gate.workspace import Workspace
from report.errors import ConfigurationError, LockedError, PreviewError, StackNotFoundError
from report.model import Against
from stacks.load import stack_path
from tests.unit.report.formats.builders import VERSIONS

TODAY = date(2026, 11, 25)
ASK_BACKEND = run._ask_backend


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, without any engine."""
    seen: list[str] = []

    def made(name: str) -> Any:
        def make(*_: Any, ref: str | None = None, **__: Any) -> Workspace:
            seen.append(f"{name} {ref or 'working tree'}")
            return Workspace(Path("/nowhere"), "lab", {})

        return make

    for name in ("attached", "detached", "rebased"):
        monkeypatch.setattr(run, name, made(name))
    monkeypatch.setattr(run, "_locks", lambda _: ())
    monkeypatch.setattr(run.simulate, "apply", lambda *_, **__: {})
    monkeypatch.setattr(run, "preview", lambda *_, **__: Preview((), True, ""))
    return seen


def project(root: Path, text: str | None) -> Path:
    """A project, below a repository's root, whose only commit has this stack file."""
    file = stack_path("lab", root / "platform")
    file.parent.mkdir(parents=True)
    (root / "platform" / "other").touch()
    if text is not None:
        file.write_text(text)
    git = ("git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@t")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        subprocess.run([*git, *arguments], check=True)
    return root / "platform"


def engine_says(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.engine, "_command", lambda arguments, _: ["pulumi", *arguments])
    monkeypatch.setattr(run.engine.programs, "run", lambda *_, **__: Executed(255, "", words))


def prepare(root: Path, tmp_path: Path, known: bool = False, **options: Any) -> Prepared:
    wanted = GateOptions(today=TODAY, produced_by=VERSIONS, base="HEAD", **options)
    return run._prepare(root, tmp_path / "work", "lab", wanted, lambda _: None, (known, ()))


def test_a_base_is_found_in_a_project_below_the_repository_s_root(asked: list[str], tmp_path: Path) -> None:
    root = project(tmp_path / "r", stack_path("lab").read_text())
    found = prepare(root, tmp_path)
    assert (found.against, found.notices) == (Against.BASE, ())
    assert found.before is not None
    assert asked == ["detached HEAD", "rebased working tree"]


def test_a_base_that_this_model_does_not_take_is_still_what_is_compared_with(
    asked: list[str], tmp_path: Path
) -> None:
    text = stack_path("lab").read_text().replace("regions:", "regionz:", 1)
    found = prepare(project(tmp_path / "r", text), tmp_path)
    assert (found.against, found.before) == (Against.BASE, None)
    (notice,) = found.notices
    assert notice.severity == "warning"
    assert "HEAD is no valid declaration here" in notice.message


def test_a_stack_that_the_base_does_not_have_is_said_to_be_new(asked: list[str], tmp_path: Path) -> None:
    found = prepare(project(tmp_path / "r", None), tmp_path)
    assert found.against is Against.NOTHING
    assert [notice.message for notice in found.notices] == [
        "HEAD has no stacks/Pulumi.lab.yaml: the stack is new"
    ]


def test_outside_of_git_there_is_no_base(asked: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'HEAD' is no commit"):
        prepare(tmp_path, tmp_path)


def test_with_a_state_what_the_base_would_do_is_pending(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path / "r", stack_path("lab").read_text())
    found = prepare(root, tmp_path, True)
    assert (found.against, found.pending is None) == (Against.STATE, False)


def test_of_what_is_sealed_nothing_is_anybody_else_s(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` applies all of a plan, so a destructive change wants approval also where the base would do it."""
    root = project(tmp_path / "r", stack_path("lab").read_text())
    found = prepare(root, tmp_path, True, plan=True)
    assert (found.against, found.pending) == (Against.STATE, None)
    assert asked == ["attached working tree"]


def test_what_a_killed_run_left_is_told(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    urn = "urn:pulumi:lab::crossmesh::crossmesh:hosts:HostPhase::eu-worker-1-join"
    left = {"pending_operations": [{"resource": {"urn": urn}, "type": "creating"}]}
    monkeypatch.setattr(run.engine, "stack_state", lambda _: {"deployment": left})
    known, (notice,) = ASK_BACKEND("lab")
    assert (known, notice.severity, notice.urn) == (True, "warning", urn)
    assert "eu-worker-1-join was interrupted while creating" in notice.message
    assert "crossmesh lock clear --stack lab" in notice.message


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("no stack named 'lab' found", ()),
        ("PULUMI_ACCESS_TOKEN must be set for login", ("the engine is logged in nowhere",)),
    ],
)
def test_where_the_backend_knows_nothing_of_a_stack_it_is_previewed_as_new(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, words: str, told: tuple[str, ...]
) -> None:
    engine_says(words, monkeypatch)
    known, notices = ASK_BACKEND("lab")
    assert not known
    assert tuple(notice.message.partition(":")[0] for notice in notices) == told


def test_a_state_that_cannot_be_read_is_not_a_stack_that_is_not_there(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine_says("unexpected end of JSON input", monkeypatch)
    with pytest.raises(PreviewError, match=r"keeps the one before"):
        ASK_BACKEND("lab")


def test_a_lock_stops_before_anything_is_previewed(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.engine, "stack_state", lambda _: {"deployment": {}})
    monkeypatch.setattr(run, "_locks", refuse(LockedError("held")))
    with pytest.raises(LockedError, match="held"):
        ASK_BACKEND("lab")


def gated(root: Path) -> GateResult:
    return run.gate(root, "lab", GateOptions(today=TODAY, produced_by=VERSIONS), lambda _: None)


@pytest.fixture
def refused(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> list[Against]:
    """What was judged against, where the engine refuses to preview beside the backend's state."""
    judged: list[Against] = []
    asked.clear()

    def refuse_attached(*_: Any, **__: Any) -> Preview:
        if asked[-1].startswith("attached"):
            raise StackNotFoundError("no stack named 'lab' found")
        return Preview((), True, "")

    def judge(_: Path, __: Any, prepared: Prepared, *___: Any) -> Any:
        judged.append(prepared.against)

    monkeypatch.setattr(run, "preview", refuse_attached)
    monkeypatch.setattr("gate.judge.judge", judge)
    return judged


def test_a_preview_begins_while_the_backend_is_asked_and_begins_anew_where_it_knows_nothing(
    asked: list[str], refused: list[Against], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_ask_backend", lambda _: (False, ()))
    gated(project(tmp_path / "r", stack_path("lab").read_text()))
    assert (asked, refused) == (["attached working tree", "detached working tree"], [Against.NOTHING])


def test_a_refusal_of_a_stack_that_is_known_is_no_reason_to_preview_it_as_new(
    asked: list[str], refused: list[Against], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_ask_backend", lambda _: (True, ()))
    with pytest.raises(StackNotFoundError):
        gated(project(tmp_path / "r", stack_path("lab").read_text()))
    assert (asked, refused) == (["attached working tree"], [])


def test_a_preview_ends_with_what_the_backend_refuses_meanwhile(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()

    def ask(_: str) -> Any:
        assert began.wait(5)
        raise LockedError("held")

    def preview_(*_: Any, asked: Future[Any], **__: Any) -> Preview:
        began.set()
        asked.result(5)
        raise AssertionError("it was not refused")

    monkeypatch.setattr(run, "_ask_backend", ask)
    monkeypatch.setattr(run, "preview", preview_)
    with pytest.raises(LockedError, match="held"):
        gated(project(tmp_path / "r", stack_path("lab").read_text()))


def refuse(error: Exception) -> Any:
    """What raises an error, whatever it is asked."""

    def raise_it(*_: Any) -> None:
        raise error

    return raise_it
