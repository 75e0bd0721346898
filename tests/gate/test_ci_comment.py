"""The comment on a merge request: the step as the pipelines run it, against stand-ins of the forges' APIs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from report.formats.markdown import marker
from tests.gate.ci_forges import (
    MERGE_REQUEST,
    PROJECT,
    PULL,
    REPOSITORY,
    TOKEN,
    Forge,
    running,
)
from tests.gate.ci_pipelines import ROOT, Script, github, gitlab

MARKER = "<!-- crossmesh-gate -->"
HEAD, OLDER = "a" * 40, "b" * 40
BRANCH = "feature/ü&x=1#2"
EMOJI = "\N{WHITE HEAVY CHECK MARK}"

Comment = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest) -> Iterator[Forge]:
    """A forge with an open merge request."""
    with running(request.param) as made:
        made.pulls = [
            {"number": 3, "head": {"label": f"platform:{BRANCH}", "sha": OLDER}},
            {"number": PULL, "head": {"label": f"platform:{BRANCH}", "sha": HEAD}},
        ]
        yield made


@pytest.fixture
def hub() -> Iterator[Forge]:
    """GitHub, for what only it does."""
    with running("github") as made:
        made.pulls = [{"number": PULL, "head": {"label": "stranger:main", "sha": HEAD}}]
        yield made


@pytest.fixture
def comment(tmp_path: Path) -> Comment:
    """Runs the step with a report's text; returns how it ended."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    reports_directory = tmp_path / "results" / "reports"
    reports_directory.mkdir(parents=True)

    def run(
        forge: Forge,
        report: str | None,
        *,
        repository: str = REPOSITORY,
        branch: str = BRANCH,
        **more: str,
    ) -> subprocess.CompletedProcess[str]:
        if report is not None:
            (reports_directory / "gate.md").write_text(report, encoding="utf-8")
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        machine = {"PATH": path, "LC_ALL": "C.UTF-8"}
        if forge.kind == "github":
            context = {
                "github.token": TOKEN,
                "github.event.workflow_run.head_repository.full_name": repository,
                "github.event.workflow_run.head_branch": branch,
                "github.event.workflow_run.head_sha": HEAD,
            }
            (script,) = github("crossmesh-gate-comment/comment", context)
            machine |= {
                "GITHUB_ACTIONS": "true",
                "GITHUB_API_URL": forge.url,
                "GITHUB_OUTPUT": str(tmp_path / "output"),
                "GITHUB_REPOSITORY": REPOSITORY,
            }
        else:
            script = gitlab("comment")
            machine |= {
                "GITLAB_CI": "true",
                "CI_API_V4_URL": forge.url,
                "CI_MERGE_REQUEST_IID": MERGE_REQUEST,
                "CI_MERGE_REQUEST_PROJECT_ID": PROJECT,
                "COMMENT_TOKEN": TOKEN,
            }
        return script.but(**more).run(tmp_path, machine)

    return run


def report(text: str) -> str:
    return f"{MARKER}\n{text}\n"


def failed(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """It ended with an error that says this, and keeps the token to itself."""
    assert done.returncode == 1, done.stdout
    assert all(word in done.stderr for word in words), done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_marker_is_that_of_the_reports() -> None:
    assert marker("gate") == MARKER


def test_created_then_updated_in_place_then_left_alone(forge: Forge, comment: Comment) -> None:
    first, second = report("first"), report("second")
    for text, methods in ((first, ["POST"]), (second, ["PATCH", "PUT"]), (second, [])):
        forge.requests.clear()
        done = comment(forge, text)
        assert done.returncode == 0, done.stderr
        assert [sent.method in methods for sent in forge.made("POST", "PATCH", "PUT")] == [True] * bool(
            methods
        )
        assert [entry["body"] for entry in forge.comments] == [text]


def test_it_is_found_on_a_later_page(forge: Forge, comment: Comment) -> None:
    for number in range(230):
        forge.comment(f"comment {number}", "somebody")
    forge.comment(report("old"), forge.me)
    forge.comment("the last word", "somebody")
    assert comment(forge, report("new")).returncode == 0
    pages = [
        sent.query["page"] for sent in forge.made("GET") if "page" in sent.query and "state" not in sent.query
    ]
    assert pages == ["1", "2", "3"]
    assert len(forge.comments) == 232 and forge.comments[230]["body"] == report("new")


def test_a_list_that_fills_its_pages_ends(forge: Forge, comment: Comment) -> None:
    for number in range(200):
        forge.comment(f"comment {number}", "somebody")
    assert comment(forge, report("new")).returncode == 0
    assert forge.comments[200]["body"] == report("new")


def test_a_comment_of_somebody_else_is_left_alone(forge: Forge, comment: Comment) -> None:
    forge.comment(report("all is well, says a stranger"), "stranger")
    forge.comment(f"> {MARKER}\nas the gate said", forge.me)
    assert comment(forge, report("new")).returncode == 0
    assert [entry["body"] for entry in forge.comments][2:] == [report("new")]
    assert not forge.made("PATCH", "PUT")


def test_a_report_of_full_length_arrives_whole(forge: Forge, comment: Comment) -> None:
    text = report(f'{EMOJI} "quoted" \\ | `code` $(nothing) \x0b\n')
    text += "ü" * (60_000 - len(text))
    for _ in range(2):
        assert comment(forge, text).returncode == 0
    assert [entry["body"] for entry in forge.comments] == [text]


def test_the_token_is_in_a_header_only(forge: Forge, comment: Comment) -> None:
    done = comment(forge, report("text"))
    assert forge.requests
    for sent in forge.requests:
        assert TOKEN not in sent.path + str(sent.query) + str(sent.body)
        assert [name for name, value in sent.headers.items() if TOKEN in value] in (
            ["authorization"],
            ["private-token"],
        )
    assert TOKEN not in done.stdout + done.stderr


def test_a_busy_forge_is_asked_again(forge: Forge, comment: Comment) -> None:
    forge.answers = [(502, {})]
    assert comment(forge, report("text")).returncode == 0
    assert len(forge.comments) == 1


def test_adding_is_not_tried_twice(forge: Forge, comment: Comment) -> None:
    """The first try may have arrived."""
    forge.comment("something", "somebody")
    forge.broken["POST"] = 503
    failed(comment(forge, report("text")), "HTTP 503")
    assert len(forge.made("POST")) == 1


def test_a_refusal_is_shown_with_the_forges_words(forge: Forge, comment: Comment) -> None:
    forge.answers = [(403, {})]
    failed(comment(forge, report("text")), "HTTP 403", "as the test wants it")


def test_a_wrong_token_is_no_mystery(forge: Forge, comment: Comment) -> None:
    done = comment(forge, report("text"), COMMENT_TOKEN="another")
    assert done.returncode == 1 and "HTTP 401" in done.stderr and "another" not in done.stderr


def test_a_missing_variable_is_named() -> None:
    done = Script("env -u REPORT python3 docs/examples/ci/steps/comment.py", {}).run(ROOT, os.environ)
    failed(done, "REPORT is not set")


def test_a_redirect_is_not_followed(forge: Forge, comment: Comment) -> None:
    with running(forge.kind) as elsewhere:
        forge.answers = [(307, {"Location": f"{elsewhere.url}/user"})]
        failed(comment(forge, report("text")), "HTTP 307")
        assert not elsewhere.requests


def test_the_token_goes_nowhere_without_tls(forge: Forge, comment: Comment) -> None:
    forge.url = "http://forge.example.com/api"
    failed(comment(forge, report("text")), "over https only")


def test_a_link_in_the_reports_place_is_not_read(forge: Forge, comment: Comment, tmp_path: Path) -> None:
    """It is a fork's pipeline that makes the report."""
    secret = tmp_path / "secret"
    secret.write_text(report("of nobody's concern"))
    (tmp_path / "results" / "reports" / "gate.md").symlink_to(secret)
    failed(comment(forge, None), "gate.md is no file")
    assert not forge.requests


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Something else\n", "does not begin with"),
        (report("x" * 65_000), "a comment takes 65000"),
        (None, "is no file"),
    ],
    ids=["no report", "too long", "missing"],
)
def test_what_is_no_report_is_not_shown(forge: Forge, comment: Comment, text: str | None, words: str) -> None:
    failed(comment(forge, text), words)
    assert not forge.requests


def test_a_report_of_a_fork_is_called_one(hub: Forge, comment: Comment) -> None:
    for _ in range(2):
        done = comment(hub, report("all is well"), repository="stranger/crossmesh", branch="main")
        assert done.returncode == 0, done.stderr
    (made,) = hub.comments
    assert made["body"].startswith(f"{MARKER}\n> Made by code of the fork `stranger/crossmesh`")
    assert made["body"].endswith("all is well\n")
    assert not hub.made("PATCH")


def test_the_pull_request_is_the_one_with_that_head(hub: Forge, comment: Comment, tmp_path: Path) -> None:
    assert comment(hub, report("text"), repository="stranger/crossmesh", branch="main").returncode == 0
    assert (tmp_path / "output").read_text() == f"number={PULL}\n"


def test_nothing_is_said_of_a_commit_that_is_no_longer_the_head(
    hub: Forge, comment: Comment, tmp_path: Path
) -> None:
    hub.pulls[0]["head"]["sha"] = OLDER
    done = comment(hub, report("text"), repository="stranger/crossmesh", branch="main")
    assert done.returncode == 0 and "nothing to comment on" in done.stdout
    assert (tmp_path / "output").read_text() == "number=\n"
    assert not hub.made("POST", "PATCH")
