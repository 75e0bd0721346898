from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.images.layer import Entry, FileLayer, directory, program, symlink, text, write_layer


def written(*entries: Entry) -> bytes:
    out = io.BytesIO()
    write_layer(entries, out)
    return out.getvalue()


def read(content: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {member.name: member for member in archive}


def test_parents_are_added_and_come_before_their_children() -> None:
    names = list(read(written(text("usr/local/bin/a", "x"), directory("usr-extra"))))
    assert names == ["usr", "usr/local", "usr/local/bin", "usr/local/bin/a", "usr-extra"]


def test_the_order_of_the_declaration_and_the_time_of_a_source_do_not_change_the_bytes(
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    source.write_text("same")
    first = written(program("bin/a", source), text("etc/b", "b"))
    os.utime(source, (1, 1))
    source.chmod(0o600)
    assert written(text("etc/b", "b"), program("bin/a", source)) == first


def test_modes_owners_links_and_time_are_as_declared(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("program")
    owned = directory("var/data", uid=1337, gid=1337)
    members = read(written(program("bin/a", source), symlink("bin/b", "a"), owned))
    assert (members["bin/a"].mode, members["bin/a"].uid, members["bin/a"].uname) == (0o755, 0, "")
    assert (members["bin/b"].linkname, members["bin/b"].issym()) == ("a", True)
    assert (members["var/data"].uid, members["var/data"].gid, members["var"].uid) == (1337, 1337, 0)
    assert {member.mtime for member in members.values()} == {0}


@pytest.mark.parametrize("path", ["/etc/passwd", "../escape", "a/../b", "a//b", "a/", ""])
def test_a_path_that_is_not_relative_and_normalised_is_refused(path: str) -> None:
    with pytest.raises(LabError, match="relative"):
        text(path, "x")


def test_a_path_declared_twice_is_refused() -> None:
    with pytest.raises(LabError, match="'etc/a' is declared twice"):
        written(text("etc/a", "1"), text("etc/a", "2"))


def test_a_file_used_as_a_directory_is_refused() -> None:
    with pytest.raises(LabError, match="its parent 'etc' is a file"):
        written(text("etc", "1"), text("etc/a", "2"))


def test_a_source_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"'bin/a'.*absent"):
        written(program("bin/a", tmp_path / "absent"))


def test_a_file_has_one_origin_only() -> None:
    with pytest.raises(LabError, match="either a source or content"):
        Entry("a", "file", 0o644)


def test_the_inputs_change_with_content_mode_and_owner(tmp_path: Path) -> None:
    def inputs(entry: Entry) -> object:
        return FileLayer((entry,)).inputs()

    source = tmp_path / "source"
    source.write_text("1")
    seen = [inputs(program("a", source)), inputs(directory("a")), inputs(directory("a", uid=1)),
            inputs(text("a", "1")), inputs(text("a", "2")), inputs(text("a", "2", mode=0o600))]  # fmt: skip
    source.write_text("other")
    seen.append(inputs(program("a", source)))
    assert all(one != other for index, one in enumerate(seen) for other in seen[index + 1 :])
