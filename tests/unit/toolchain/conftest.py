"""A small manifest and an empty store for each test."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from toolchain.manifest import Manifest, Module, Program, Release


@pytest.fixture
def store_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's directories that are the test's own; returns the store's directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
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
