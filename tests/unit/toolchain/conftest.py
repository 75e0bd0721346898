"""A small manifest and an empty store for each test."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain import golang
from toolchain.manifest import Manifest, Module, Program, Release


@pytest.fixture
def store_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's directories that are the test's own; returns the store's directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    # What fake builds write is small, however full the disk is.
    monkeypatch.setattr(golang, "free_space", lambda bytes_needed: None)
    return tmp_path / "cache" / "crossmesh" / "toolchain"


def script(path: Path, output: str) -> Path:
    """An executable that prints a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)
    return path


def pinned(url: str = "http://127.0.0.1:9/tool.tar.gz", content: bytes = b"") -> Manifest:
    """A manifest with one program, which has a release and a module."""
    return Manifest(
        versions={"tool": "1.2.3", "pulumi": "9.9.9", "pulumi-python": "9.9.9", "go": "1.26.4"},
        releases={
            "tool-1.2.3": Release(
                "tool-1.2.3", url, "sha256", hashlib.sha256(content).hexdigest(), "a public text"
            )
        },
        modules={"metallb-0.15.2": Module("metallb-0.15.2", ("-s",))},
        programs={
            "tool": Program(
                "tool",
                "1.2.3",
                ("--version",),
                release="tool-1.2.3",
                member="tool",
                module="metallb-0.15.2",
                package="x/tool",
            )
        },
    )


def packed(files: dict[str, bytes]) -> bytes:
    """A tar archive with these files, by their names in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Site:
    """A release site on the loopback that counts its requests and can break off."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        """What it sends for every path that `files` has not."""
        self.files: dict[str, bytes] = {}
        self.ranges: list[str | None] = []
        self.break_after: int | None = None
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                site.ranges.append(wanted)
                start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
                body = site.files.get(self.path, site.content)[start:]
                self.send_response(206 if wanted else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body if site.break_after is None else body[: site.break_after])

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def site() -> Iterator[Site]:
    """A site with one archive."""
    running = Site(packed({"tool": b"#!/bin/sh\n" * 500}))
    yield running
    running.server.shutdown()
    running.server.server_close()
