"""Official releases: what is accepted, refused, resumed and not asked twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.toolchain.conftest import Site, packed, pinned
from toolchain import release
from toolchain.release import Releases, ReleaseUnavailable
from toolchain.store import store_dir


def test_a_release_with_the_pinned_checksum_is_taken_and_extracted(site: Site, store_home: Path) -> None:
    source = pinned(f"{site.url}/tool.tar.gz", site.content).releases["tool-1.2.3"]
    file = Releases().fetch(source)
    target = store_home / "tool"
    release.extract(file, {"tool": target})
    assert target.read_bytes().startswith(b"#!/bin/sh")
    assert target.stat().st_mode & 0o111


@pytest.mark.parametrize("name", ["tool.tar.gz", "tool.tgz", "tool"])
def test_a_release_is_an_archive_or_the_program_itself(name: str, site: Site, store_home: Path) -> None:
    site.content = packed({"tool": b"a program"}) if "." in name else b"a program"
    file = Releases().fetch(pinned(f"{site.url}/{name}", site.content).releases["tool-1.2.3"])
    release.extract(file, {"tool": store_home / "tool"})
    assert (store_home / "tool").read_bytes() == b"a program"
    assert (store_home / "tool").stat().st_mode & 0o111


def test_a_release_with_another_checksum_is_refused_and_deleted(
    site: Site, store_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = pinned(f"{site.url}/tool.tar.gz", b"what was pinned").releases["tool-1.2.3"]
    with pytest.raises(ReleaseUnavailable, match="wrong checksum"):
        Releases().fetch(source)
    assert not any((store_dir() / "downloads").iterdir())
    assert "REFUSED" in capsys.readouterr().err


def test_an_interrupted_download_goes_on_where_it_broke_off(site: Site, store_home: Path) -> None:
    source = pinned(f"{site.url}/tool.tar.gz", site.content).releases["tool-1.2.3"]
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
    file = Releases().fetch(pinned(f"{site.url}/tool.tar.gz", site.content).releases["tool-1.2.3"])
    with pytest.raises(ReleaseUnavailable, match="other"):
        release.extract(file, {"other": store_home / "other"})
