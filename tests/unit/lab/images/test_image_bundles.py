from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.images.bundles import build
from lab.images.definitions import OF_RELEASES, Sources, names
from releases import built


def tags(bundle: Path) -> list[str]:
    with tarfile.open(bundle) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
    return [tag for image in manifest for tag in image["RepoTags"]]


@pytest.mark.parametrize("bundle", names({program: built(program) for program, _ in OF_RELEASES.values()}))
def test_every_bundle_can_be_built_and_read(bundle: str, sources: Sources, tmp_path: Path) -> None:
    built = build(bundle, tmp_path / "out", sources)
    assert built == tmp_path / "out" / f"{bundle}.tar" and tags(built)


def test_the_second_build_changes_nothing(sources: Sources, tmp_path: Path, cache_home: Path) -> None:
    first = build("metallb-0.15.2", tmp_path / "out", sources).stat()
    second = build("metallb-0.15.2", tmp_path / "out", sources).stat()
    assert (first.st_ino, first.st_mtime_ns <= second.st_mtime_ns) == (second.st_ino, True)
    assert len(list(cache_home.glob("images-*/metallb-0.15.2.tar"))) == 1


def test_a_changed_program_makes_a_new_bundle_and_leaves_the_old_link_whole(
    sources: Sources, programs: Path, tmp_path: Path
) -> None:
    before = build("metallb-0.15.2", tmp_path / "before", sources).read_bytes()
    (programs / "metallb-speaker").write_text("changed")
    after = build("metallb-0.15.2", tmp_path / "after", sources)
    assert after.read_bytes() != before
    assert (tmp_path / "before" / "metallb-0.15.2.tar").read_bytes() == before


def test_building_into_the_same_directory_replaces_the_bundle(
    sources: Sources, programs: Path, tmp_path: Path
) -> None:
    before = build("solution", tmp_path, sources).read_bytes()
    (programs / "asset-service").write_text("changed")
    assert build("solution", tmp_path, sources).read_bytes() != before
    assert [path.name for path in tmp_path.glob("*.tar")] == ["solution.tar"]
    assert not list(tmp_path.glob(".solution*"))


def test_old_builds_are_removed_but_the_last(
    sources: Sources, programs: Path, tmp_path: Path, cache_home: Path
) -> None:
    for number in range(4):
        (programs / "asset-service").write_text("version" * number)
        build("solution", tmp_path, sources)
        for stored in cache_home.glob("images-*"):
            # Builds of one moment have one age; real ones take longer.
            os.utime(stored, ns=(0, stored.stat().st_mtime_ns - 10**9))
    assert len(list(cache_home.glob("images-*/solution.tar"))) == 2
    assert len(list(cache_home.glob("images-*"))) == 2


def test_a_failed_build_leaves_nothing_that_a_later_one_would_take(
    sources: Sources, tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lab.images.bundles.write_archive", full)
        with pytest.raises(OSError, match="No space"):
            build("solution", tmp_path / "out", sources)
    assert not list(cache_home.glob("images-*/*")) and not list(cache_home.glob("images-*/.*"))
    assert tags(build("solution", tmp_path / "out", sources))


def test_an_unknown_bundle_is_refused_with_the_names_that_there_are(tmp_path: Path, sources: Sources) -> None:
    for bundle in ("kubernets", "kubernetes-node", "istio-1.0.0", "tools-1.34.3"):
        with pytest.raises(LabError, match=rf"no bundle '{bundle}'.*kubernetes-node-1\.34\.3"):
            build(bundle, tmp_path, sources)


def test_an_unknown_processor_is_refused(
    tmp_path: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(LabError, match="riscv64"):
        build("tools", tmp_path, sources)


def test_out_of_the_caches_file_system_the_bundle_is_copied(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refused)
    built = build("solution", tmp_path, sources)
    assert built.stat().st_nlink == 1 and tags(built)
