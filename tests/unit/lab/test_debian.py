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


OWN = (
    "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n"
    "Components: main contrib\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """What Debian 12 says of itself."""
    path = tmp_path / "os-release"
    path.write_text('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n')
    return path


def test_another_suite_comes_from_where_this_computers_own_does(etc: Path, release: Path) -> None:
    (etc / "sources.list.d/debian.sources").write_text(OWN)
    (etc / "sources.list").write_text("deb http://mirror.example/security bookworm-security main\n")
    assert debian.sources("trixie", etc, release) == (
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie trixie-updates\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n"
        "Types: deb\nURIs: http://mirror.example/security\nSuites: trixie-security\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )


def test_a_source_of_another_suite_that_is_declared_goes_before(etc: Path, release: Path) -> None:
    (etc / "sources.list.d/debian.sources").write_text(OWN)
    (etc / "sources.list.d/next.list").write_text("deb [signed-by=/k.gpg] http://next.example trixie main\n")
    found = debian.sources("trixie", etc, release)
    assert "http://next.example" in found
    assert "mirror.example" not in found


def test_who_signs_with_a_key_of_his_own_has_no_other_suite(etc: Path, release: Path) -> None:
    vendor = OWN.replace("mirror.example", "vendor.example").replace("debian-archive-keyring", "vendor")
    (etc / "sources.list.d/vendor.sources").write_text(vendor)
    with pytest.raises(LabError, match="serves Debian trixie"):
        debian.sources("trixie", etc, release)


def test_on_another_distribution_nothing_is_guessed(etc: Path, release: Path) -> None:
    (etc / "sources.list.d/debian.sources").write_text(OWN)
    release.write_text("ID=ubuntu\nVERSION_CODENAME=bookworm\n")
    with pytest.raises(LabError, match="serves Debian trixie"):
        debian.sources("trixie", etc, release)
