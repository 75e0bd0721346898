"""Bundles: several images in one file of the docker-archive format.

A layer that several images share is stored once. A layer's name is its digest, which is known only once it
is packed: so each is packed beside the bundle first.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

import zstandard

# A runtime tells a compressed layer by its first bytes and keeps it as it is. At this level a layer of
# programs has a third of its size, which is the time to fetch it, to hash it and to write it to the disk.
_COMPRESSION_LEVEL = 6
# The format wants a creation time; a fixed one keeps equal content equal.
_CREATED = "1970-01-01T00:00:00Z"

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Layer(Protocol):
    """What a bundle needs of a layer: equal layers (by ``==`` and ``hash``) are stored once."""

    def write(self, out: BinaryIO) -> None:
        """Write the layer as one uncompressed tar."""

    def inputs(self) -> Any:
        """Everything that the layer's bytes depend on, as plain JSON data."""


@dataclass(frozen=True, slots=True)
class Config:
    """How an image's program is run: the part of an image's configuration that a runtime reads.

    ``user`` is ``uid:gid`` or empty for root; numbers, because Kubernetes checks ``runAsNonRoot`` on numbers.
    ``environment`` is a sequence of ``NAME=value``. ``version`` and ``title`` become the standard labels.
    """

    title: str
    version: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    environment: tuple[str, ...] = (DEFAULT_PATH,)
    working_directory: str = "/"
    ports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """One image: its full reference (with registry and tag), its layers from the bottom up, its config."""

    reference: str
    layers: tuple[Layer, ...]
    config: Config


def config_document(config: Config, architecture: str, diff_ids: Sequence[str]) -> dict[str, Any]:
    """The image configuration document; ``architecture`` in Go's names, ``diff_ids`` as ``sha256:…``."""
    runtime = {
        "Env": list(config.environment),
        "WorkingDir": config.working_directory,
        "Labels": {
            "org.opencontainers.image.title": config.title,
            "org.opencontainers.image.version": config.version,
        },
        "User": config.user,
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.command),
        "ExposedPorts": {port: {} for port in config.ports},
    }
    return {
        "architecture": architecture,
        "os": "linux",
        "created": _CREATED,
        "config": {key: value for key, value in runtime.items() if value},
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        "history": [{"created": _CREATED, "created_by": "crossmesh lab images"} for _ in diff_ids],
    }


def write_archive(images: Sequence[Image], destination: Path, architecture: str) -> None:
    """Write ``images`` to ``destination`` (replaced if it is there), each distinct layer once.

    The bytes depend on the images and the architecture alone. Raises LabError when a layer cannot be read.
    """
    written: dict[Layer, str] = {}
    manifest: list[dict[str, Any]] = []
    with tarfile.open(destination, "w", format=tarfile.USTAR_FORMAT) as out:
        for image in images:
            for layer in image.layers:
                if layer not in written:
                    written[layer] = _add_layer(out, layer, set(written.values()), destination.parent)
            digests = [written[layer] for layer in image.layers]
            document = config_document(image.config, architecture, [f"sha256:{digest}" for digest in digests])
            content = _canonical(document)
            name = f"{hashlib.sha256(content).hexdigest()}.json"
            if all(name != entry["Config"] for entry in manifest):
                _add(out, name, io.BytesIO(content))
            layers = [f"{digest}.tar" for digest in digests]
            manifest.append({"Config": name, "RepoTags": [image.reference], "Layers": layers})
        _add(out, "manifest.json", io.BytesIO(_canonical(manifest)))


class _Hashing:
    """A write-only stream that hashes what passes through it."""

    def __init__(self, out: zstandard.ZstdCompressionWriter) -> None:
        self._out = out
        self.digest = hashlib.sha256()

    def write(self, chunk: bytes) -> int:
        self.digest.update(chunk)
        self._out.write(chunk)
        return len(chunk)


def _add_layer(out: tarfile.TarFile, layer: Layer, present: set[str], work: Path) -> str:
    """Pack a layer and add it under its digest, which is returned, unless its bytes are there already."""
    with tempfile.TemporaryFile(dir=work) as packed:
        with zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL).stream_writer(
            packed, closefd=False
        ) as stream:
            # The image names a layer by the digest of what is in it, not of how it is packed.
            hashing = _Hashing(stream)
            layer.write(hashing)  # type: ignore[arg-type]  # a layer only ever writes
        digest = hashing.digest.hexdigest()
        if digest not in present:
            _add(out, f"{digest}.tar", packed)
    return digest


def _add(out: tarfile.TarFile, name: str, content: IO[bytes]) -> None:
    info = tarfile.TarInfo(name)
    info.size = content.seek(0, os.SEEK_END)
    content.seek(0)
    out.addfile(info, content)


def _canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
