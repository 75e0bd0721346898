"""Official releases: what is accepted, refused, resumed and not asked twice."""

from __future__ import annotations

import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.toolchain.conftest import pinned
from toolchain import release
from toolchain.release import Releases, ReleaseUnavailable
from toolchain.store import store_dir


def archive(content: bytes) -> bytes:
    """A tar archive with the file `tool`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("./tool")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Site:
    """A release site on the loopback that counts its requests and can break off."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.ranges: list[str | None] = []
        self.break_after: int | None = None
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                site.ranges.append(wanted)
                start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
                body = site.content[start:]
                self.send_response(206 if wanted else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body if site.break_after is None else body[: site.break_after])

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/tool.tar.gz"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def site() -> Iterator[Site]:
    """A site with one archive."""
    running = Site(archive(b"#!/bin/sh\n" * 500))
    yield running
    running.server.shutdown()
    running.server.server_close()


def test_a_release_with_the_pinned_checksum_is_taken_and_extracted(site: Site, store_home: Path) -> None:
    source = pinned(site.url, site.content).releases["tool-1.2.3"]
    file = Releases().fetch(source)
    target = store_home / "tool"
    release.extract(file, {"tool": target})
    assert target.read_bytes().startswith(b"#!/bin/sh")
    assert target.stat().st_mode & 0o111


def test_a_release_with_another_checksum_is_refused_and_deleted(
    site: Site, store_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = pinned(site.url, b"what was pinned").releases["tool-1.2.3"]
    with pytest.raises(ReleaseUnavailable, match="wrong checksum"):
        Releases().fetch(source)
    assert not any((store_dir() / "downloads").iterdir())
    assert "REFUSED" in capsys.readouterr().err


def test_an_interrupted_download_goes_on_where_it_broke_off(site: Site, store_home: Path) -> None:
    source = pinned(site.url, site.content).releases["tool-1.2.3"]
    site.break_after = 40
    with pytest.raises(ReleaseUnavailable):
        Releases().fetch(source)
    site.break_after = None
    file = Releases().fetch(source)
    assert file.read_bytes() == site.content
    assert site.ranges == [None, "bytes=40-"]


def test_a_site_that_does_not_answer_is_asked_once_in_a_run(
    store_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    releases = Releases(timeout=2)
    source = pinned().releases["tool-1.2.3"]
    for _ in range(3):
        with pytest.raises(ReleaseUnavailable, match="unreachable"):
            releases.fetch(source)
    assert capsys.readouterr().err.count("not asked again") == 1


def test_a_member_that_an_archive_lacks_is_named(site: Site, store_home: Path) -> None:
    file = Releases().fetch(pinned(site.url, site.content).releases["tool-1.2.3"])
    with pytest.raises(ReleaseUnavailable, match="other"):
        release.extract(file, {"other": store_home / "other"})
