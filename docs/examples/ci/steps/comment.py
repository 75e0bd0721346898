#!/usr/bin/env python3
"""Show the gate's report in the merge request, as one comment that later runs update in place.

Works on GitHub and on GitLab, and needs nothing but Python. The token comes from the environment and leaves
this process in a header only.

REPORT                Markdown file that begins with the marker
COMMENT_TOKEN         may read merge requests and write their comments

On GitHub, after a workflow that may have run the code of a fork (`workflow_run`), so the report is the only
thing that is taken from it, and the merge request is looked up by what GitHub says of that run:

HEAD_REPOSITORY       OWNER/NAME that the commit is in
HEAD_BRANCH           its branch there
HEAD_SHA              the commit
COMMENT_AUTHOR        the token's user; default `github-actions[bot]`

The merge request's number is then the output `number` of the step, empty if none is open for the commit.
On GitLab, in a pipeline of a merge request, GitLab's own variables are all that is needed.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARKER = "<!-- crossmesh-gate -->"
LIMIT = 65_000
"""Characters. GitHub takes 65,536 of a comment; the gate's reports have 60,000 at most."""
_PER_PAGE = 100
_TIMEOUT = 30
_PAUSES = (1, 4)
"""Seconds between tries of a request that can be repeated."""
_BUSY = frozenset({429, 500, 502, 503, 504})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class StepError(Exception):
    """Why the comment could not be made, in words for the pipeline's log."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token to wherever it leads."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Api:
    """A REST API: its URL, and the headers of every request, the token among them."""

    url: str
    headers: Mapping[str, str]

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise StepError(f"{self.url}: the token is sent over https only")

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The answer's JSON. Raises `StepError`; only what can be repeated without harm is tried again."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={**self.headers, "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(_NoRedirect)
        for pause in (*_PAUSES, None):
            last = pause is None or method == "POST"
            try:
                with opener.open(request, timeout=_TIMEOUT) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if last or error.code not in _BUSY:
                    words = error.read(400).decode(errors="replace").strip()
                    raise StepError(f"{method} {path}: HTTP {error.code}: {words}") from None
            except OSError as error:
                if last:
                    raise StepError(f"{method} {path}: {error}") from None
            time.sleep(pause or 0)
        raise AssertionError("the last try returns or raises")

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list that comes in pages."""
        separator = "&" if "?" in path else "?"
        for page in range(1, sys.maxsize):
            found = self.call("GET", f"{path}{separator}per_page={_PER_PAGE}&page={page}")
            yield from found
            if len(found) < _PER_PAGE:
                return


@dataclass(frozen=True)
class Thread:
    """A merge request's comments, and whose of them are ours."""

    api: Api
    comments: str
    """Path to list them, and to add one."""
    comment: str
    """Path of one, without its id."""
    update: str
    """Method that changes one."""
    owner: str
    """The key of a comment that holds its author."""
    author: tuple[str, object]
    """Key and value by which the author is known."""

    def put(self, body: str) -> str:
        """Make the comment say `body`; returns what was done."""
        for found in self.api.pages(self.comments):
            key, value = self.author
            # Anybody can write a comment with the marker; only our own one is changed.
            if (found.get(self.owner) or {}).get(key) != value:
                continue
            if not str(found.get("body")).startswith(MARKER):
                continue
            if found["body"] == body:
                return "is as it should be"
            self.api.call(self.update, f"{self.comment}/{found['id']}", {"body": body})
            return "updated"
        self.api.call("POST", self.comments, {"body": body})
        return "created"


def read_report(path: Path) -> str:
    """The report's text. It may come from the pipeline of a fork: a link in its place would lead anywhere."""
    if path.is_symlink() or not path.is_file():
        raise StepError(f"{path} is no file: the gate has ended before its reports, or was given no Markdown")
    text = path.read_text(encoding="utf-8")
    if not text.startswith(MARKER):
        raise StepError(f"{path} does not begin with {MARKER}: it is no report of the gate")
    if len(text) > LIMIT:
        raise StepError(f"{path} has {len(text)} characters, a comment takes {LIMIT}")
    return text


def github(environment: Mapping[str, str]) -> tuple[Thread | None, str]:
    """The pull request whose head is the commit, and its number; None if no open one has it."""
    repository, head = environment["GITHUB_REPOSITORY"], environment["HEAD_REPOSITORY"]
    api = Api(
        environment["GITHUB_API_URL"],
        {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {environment['COMMENT_TOKEN']}",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    wanted = urllib.parse.quote(f"{head.partition('/')[0]}:{environment['HEAD_BRANCH']}")
    for pull in api.pages(f"/repos/{repository}/pulls?state=open&head={wanted}"):
        # After another push the report is of a commit that nobody is asked to merge.
        if pull["head"]["sha"] == environment["HEAD_SHA"]:
            number = int(pull["number"])
            issues = f"/repos/{repository}/issues"
            author = ("login", environment.get("COMMENT_AUTHOR") or "github-actions[bot]")
            comments = f"{issues}/{number}/comments"
            return Thread(api, comments, f"{issues}/comments", "PATCH", "user", author), str(number)
    return None, ""


def gitlab(environment: Mapping[str, str]) -> Thread:
    """The merge request that the pipeline is for."""
    api = Api(environment["CI_API_V4_URL"], {"PRIVATE-TOKEN": environment["COMMENT_TOKEN"]})
    project, number = environment["CI_MERGE_REQUEST_PROJECT_ID"], environment["CI_MERGE_REQUEST_IID"]
    notes = f"/projects/{project}/merge_requests/{number}/notes"
    return Thread(api, notes, notes, "PUT", "author", ("id", api.call("GET", "/user")["id"]))


def main(environment: Mapping[str, str]) -> None:
    """Make or update the comment. Raises `StepError`."""
    text = read_report(Path(environment["REPORT"]))
    thread: Thread | None
    if environment.get("GITHUB_ACTIONS"):
        thread, number = github(environment)
        with Path(environment["GITHUB_OUTPUT"]).open("a") as output:
            output.write(f"number={number}\n")
        if environment["HEAD_REPOSITORY"] != environment["GITHUB_REPOSITORY"]:
            warning = f"> Made by code of the fork `{environment['HEAD_REPOSITORY']}`, and worth as much."
            text = text.replace(MARKER, f"{MARKER}\n{warning}\n", 1)
    else:
        thread = gitlab(environment)
    if thread is None:
        print(f"No open pull request has {environment['HEAD_SHA']} as its head; nothing to comment on.")
    else:
        print(f"The comment {thread.put(text)}.")


if __name__ == "__main__":
    try:
        main(os.environ)
    except KeyError as missing:
        sys.exit(f"comment.py: {missing.args[0]} is not set")
    except StepError as error:
        sys.exit(f"comment.py: {error}")
