"""The computer's own apt sources are reused, in both formats, and only those that serve the suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import debian
from lab.errors import LabError


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """An empty /etc/apt."""
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_stanzas_that_serve_the_suite_are_kept_with_their_keys(etc: Path) -> None:
    (etc / "sources.list.d/debian.sources").write_text(
        "# a comment\nTypes: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n"
        "Components: main\nSigned-By: /usr/share/keyrings/x.gpg\n\n"
        "Types: deb\nURIs: http://mirror.example/other\nSuites: trixie\nComponents: main\n"
    )
    found = debian.sources("bookworm", etc)
    assert "http://mirror.example/debian" in found
    assert "Signed-By: /usr/share/keyrings/x.gpg" in found
    assert "other" not in found
    assert "#" not in found


def test_third_parties_are_left_out(etc: Path) -> None:
    (etc / "sources.list.d/vendor.sources").write_text(
        "Types: deb\nURIs: http://vendor.example\nSuites: nodistro\nComponents: main\n"
    )
    (etc / "sources.list.d/vendor.list").write_text("deb http://vendor.example/apt sdk-bookworm main\n")
    with pytest.raises(LabError, match="no apt source of this computer serves Debian bookworm"):
        debian.sources("bookworm", etc)


def test_the_older_one_line_format_is_understood(etc: Path) -> None:
    (etc / "sources.list").write_text(
        "# deb http://commented.example bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib\n"
        "deb-src http://mirror.example/debian bookworm main\n"
    )
    assert debian.sources("bookworm", etc) == (
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n"
        "Signed-By: /k.gpg\n"
    )
