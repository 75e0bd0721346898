from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import zstandard

from lab.images.archive import Config, Image, write_archive
from lab.images.layer import FileLayer, text

SHARED = FileLayer((text("etc/shared", "shared" * 1000),))
IMAGES = (
    Image("registry.example/one:1", (SHARED, FileLayer((text("one", "1"),))), Config("one", "1", ("/one",))),
    Image("registry.example/two:1", (SHARED, FileLayer((text("two", "2"),))), Config("two", "1", user="7:7")),
)


def unpacked(layer: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(layer)


def test_a_shared_layer_is_stored_once_and_every_digest_is_right(tmp_path: Path) -> None:
    write_archive(IMAGES, tmp_path / "bundle.tar", "amd64")
    with tarfile.open(tmp_path / "bundle.tar") as archive:
        content = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    manifest = json.loads(content["manifest.json"])
    assert [image["RepoTags"] for image in manifest] == [
        ["registry.example/one:1"],
        ["registry.example/two:1"],
    ]
    assert manifest[0]["Layers"][0] == manifest[1]["Layers"][0]
    assert len([name for name in content if name.endswith(".tar")]) == 3
    for image in manifest:
        config = json.loads(content[image["Config"]])
        assert image["Config"] == hashlib.sha256(content[image["Config"]]).hexdigest() + ".json"
        unpacked = [
            zstandard.ZstdDecompressor().decompressobj().decompress(content[n]) for n in image["Layers"]
        ]
        layers = [hashlib.sha256(layer).hexdigest() for layer in unpacked]
        assert config["rootfs"]["diff_ids"] == [f"sha256:{digest}" for digest in layers]
        assert image["Layers"] == [f"{digest}.tar" for digest in layers]
        assert (config["os"], config["architecture"]) == ("linux", "amd64")


def test_the_same_images_make_the_same_bytes(tmp_path: Path) -> None:
    write_archive(IMAGES, tmp_path / "a", "amd64")
    write_archive(IMAGES, tmp_path / "b", "amd64")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_layers_declared_differently_with_the_same_bytes_are_one(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("same")
    from lab.images.layer import data

    images = [
        Image(f"x/{name}:1", (FileLayer((entry,)),), Config(name, "1"))
        for name, entry in (("a", text("f", "same")), ("b", data("f", source)))
    ]
    write_archive(images, tmp_path / "bundle.tar", "amd64")
    with tarfile.open(tmp_path / "bundle.tar") as archive:
        names = archive.getnames()
    assert len([name for name in names if name.endswith(".tar")]) == 1
    assert len(names) == len(set(names)) == 4


def test_the_configuration_says_how_the_program_runs(tmp_path: Path) -> None:
    write_archive(IMAGES, tmp_path / "bundle.tar", "arm64")
    with tarfile.open(tmp_path / "bundle.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        one, two = (json.load(archive.extractfile(image["Config"])) for image in manifest)  # type: ignore[arg-type]
    assert one["config"]["Entrypoint"] == ["/one"] and "User" not in one["config"]
    assert two["config"]["User"] == "7:7" and "Entrypoint" not in two["config"]
    assert one["config"]["Env"][0].startswith("PATH=") and one["config"]["WorkingDir"] == "/"
    assert one["config"]["Labels"]["org.opencontainers.image.version"] == "1"
