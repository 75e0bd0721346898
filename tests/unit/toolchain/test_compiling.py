"""What is said while programs are built: what is done of how much, and how long it will take."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.toolchain.conftest import pinned, script
from toolchain import golang
from toolchain.compiling import Compiling
from toolchain.errors import ToolchainError
from toolchain.manifest import Module

# Go's own words, with a cache that has nothing of two packages.
GO = r"""#!/bin/sh
case "$*" in
  *-n*) printf '%s\n' 'go: downloading example.org/b v1.0.0' '#' '# example.org/a' \
        'mkdir -p' '# example.org/b' >&2 ;;
  "list -deps"*) printf 'example.org/%b\n' 'a\t@\tone.go ' 'b\t@\ttwo.go ' 'c\t@\tone.go two.go ' ;;
  *) printf 'example.org/a\nexample.org/b\n' >&2; [ -z "$FAIL" ] || { echo 'two.go:1:1: wrong' >&2; exit 1; }
     for last in "$@"; do :; done; while [ "$1" != -o ]; do shift; done; echo built > "$2/tool" ;;
esac
"""


@pytest.fixture
def builder(tmp_path: Path, store_home: Path, monkeypatch: pytest.MonkeyPatch) -> golang.Builder:
    (tmp_path / "one.go").write_text("x" * 100)
    (tmp_path / "two.go").write_text("x" * 300)
    go = script(tmp_path / "go", "")
    go.write_text(GO.replace("@", str(tmp_path)))
    made = golang.Builder(pinned())
    made.go = str(go)
    return made


def test_a_build_tells_how_much_of_it_is_done_and_how_long_the_rest_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter((10.0, 20.0, 130.0))
    monkeypatch.setattr("toolchain.compiling.time.monotonic", lambda: next(times))
    compiling = Compiling({"example.org/a": 100, "example.org/b": 300, "example.org/c": 600})
    assert compiling.compiled("example.org/a") == "1 of 3 packages (0%), now a"
    assert compiling.compiled("example.org/b") == "2 of 3 packages (10%), about 90 s left, now b"
    assert compiling.compiled("example.org/c") == "3 of 3 packages (40%), about 3 min left, now c"


def test_without_sizes_packages_are_counted() -> None:
    compiling = Compiling({})
    assert compiling.compiled("example.org/a") == "1 packages compiled, now a"


def test_what_go_would_compile_is_asked_for_first(
    builder: golang.Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(golang.Ticker, "update", lambda _, state: said.append(state))
    (tmp_path / "work").mkdir()
    module = Module("metallb-0.15.2", ("-s",))
    built = builder.build(module, {"tool": "example.org/tool"}, tmp_path / "work")
    assert built["tool"].read_text() == "built\n"
    assert said[0] == "1 modules downloaded, now example.org/b"
    assert [words.partition(",")[0] for words in said[1:]] == [
        "1 of 2 packages (0%)",
        "2 of 2 packages (25%)",
    ]


def test_a_build_that_fails_ends_with_the_compiler_s_words(
    builder: golang.Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "1")
    (tmp_path / "work").mkdir()
    with pytest.raises(ToolchainError, match=r"two\.go:1:1: wrong\nWhat was compiled is kept"):
        builder.build(Module("metallb-0.15.2", ("-s",)), {"tool": "example.org/tool"}, tmp_path / "work")
