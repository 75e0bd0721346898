"""Stand-ins for GitHub's and GitLab's REST APIs on loopback, as far as comments on merge requests go."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "token-of-the-test"
REPOSITORY = "platform/crossmesh"
PULL = 17
PROJECT, MERGE_REQUEST, BOT = "41", "7", 99


@dataclass(frozen=True)
class Request:
    """What a step asked for."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Forge:
    """A forge with one merge request. Comments are kept oldest first, and listed in pages."""

    kind: str
    """`github` or `gitlab`."""
    url: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Status and headers of the next answers, instead of what would be right."""
    broken: dict[str, int] = field(default_factory=dict)
    """Status of every answer to a method."""

    def comment(self, body: str, author: object) -> None:
        """Let somebody write a comment: a GitHub login or a GitLab user's id."""
        who = {"user": {"login": author}} if self.kind == "github" else {"author": {"id": author}}
        self.comments.append({"id": 1000 + len(self.comments), "body": body, **who})

    @property
    def me(self) -> object:
        """Whom the token belongs to."""
        return "github-actions[bot]" if self.kind == "github" else BOT

    def made(self, *methods: str) -> list[Request]:
        """The requests with these methods."""
        return [request for request in self.requests if request.method in methods]

    def answer(self, request: Request) -> tuple[int, Any]:
        """What the real one would answer."""
        if request.method in self.broken:
            return self.broken[request.method], {"message": "broken"}
        wanted = (
            {"authorization": f"Bearer {TOKEN}"} if self.kind == "github" else {"private-token": TOKEN}
        ).items()
        if not wanted <= request.headers.items():
            return 401, {"message": "Unauthorized"}
        if self.kind == "github":
            thread = f"/repos/{REPOSITORY}/issues/{PULL}/comments"
            single, change = f"/repos/{REPOSITORY}/issues/comments/", "PATCH"
            if (request.method, request.path) == ("GET", f"/repos/{REPOSITORY}/pulls"):
                heads = [pull for pull in self.pulls if pull["head"]["label"] == request.query["head"]]
                return 200, _page(heads, request)
        else:
            thread = f"/projects/{PROJECT}/merge_requests/{MERGE_REQUEST}/notes"
            single, change = f"{thread}/", "PUT"
            if (request.method, request.path) == ("GET", "/user"):
                return 200, {"id": BOT}
        if request.path == thread and request.method == "GET":
            return 200, _page(self.comments, request)
        if request.path == thread and request.method == "POST":
            self.comment(request.body["body"], self.me)
            return 201, self.comments[-1]
        for comment in self.comments:
            if (request.method, request.path) == (change, f"{single}{comment['id']}"):
                comment["body"] = request.body["body"]
                return 200, comment
        return 404, {"message": "Not Found"}


def _page(entries: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
    size = min(int(request.query.get("per_page", 20)), 100)
    first = (int(request.query.get("page", 1)) - 1) * size
    return entries[first : first + size]


@contextmanager
def running(kind: str) -> Iterator[Forge]:
    """A forge that answers at `forge.url`."""
    forge = Forge(kind)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(
                self.command,
                urllib.parse.unquote(parts.path),
                dict(urllib.parse.parse_qsl(parts.query)),
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(raw) if raw else None,
            )
            forge.requests.append(request)
            status, headers = forge.answers.pop(0) if forge.answers else (0, {})
            body: Any = {"message": "as the test wants it"}
            if not status:
                status, body = forge.answer(request)
            sent = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(sent))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_PUT = _serve

        def log_message(self, *_: object) -> None:
            """Say nothing: the requests are kept."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        forge.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield forge
        finally:
            server.shutdown()
            thread.join()
