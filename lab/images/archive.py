"""Bundles: several images in one file of the docker-archive format.

A layer that several images share is stored once. The file is written in one pass: a layer's name is its
digest, which is known only once it is written, so its header is filled in afterwards.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import zstandard

_BLOCK = 512
# A runtime tells a compressed layer by its first bytes and keeps it as it is. At this level a layer of
# programs has a third of its size, which is the time to fetch it, to hash it and to write it to the disk.
_COMPRESSION_LEVEL = 6
# The format wants a creation time; a fixed one keeps equal content equal.
_CREATED = "1970-01-01T00:00:00Z"

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


# From a file to the SHA-256 of its content, in hexadecimal.
Digest = Callable[[Path], str]


class Layer(Protocol):
    """What a bundle needs of a layer: equal layers (by ``==`` and ``hash``) are stored once."""

    def write(self, out: BinaryIO) -> None:
        """Write the layer as one uncompressed tar."""

    def inputs(self, digest: Digest) -> Any:
        """Everything that the layer's bytes depend on, as plain JSON data; ``digest`` hashes a file."""


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
    runtime: dict[str, Any] = {
        "Env": list(config.environment),
        "WorkingDir": config.working_directory,
        "Labels": {
            "org.opencontainers.image.title": config.title,
            "org.opencontainers.image.version": config.version,
        },
    }
    if config.user:
        runtime["User"] = config.user
    if config.entrypoint:
        runtime["Entrypoint"] = list(config.entrypoint)
    if config.command:
        runtime["Cmd"] = list(config.command)
    if config.ports:
        runtime["ExposedPorts"] = {port: {} for port in config.ports}
    return {
        "architecture": architecture,
        "os": "linux",
        "created": _CREATED,
        "config": runtime,
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        "history": [{"created": _CREATED, "created_by": "crossmesh lab images"} for _ in diff_ids],
    }


def write_archive(images: Sequence[Image], destination: Path, architecture: str) -> None:
    """Write ``images`` to ``destination`` (replaced if it is there), each distinct layer once.

    The bytes depend on the images and the architecture alone. Raises ImageError when a layer cannot be read.
    """
    written: dict[Layer, str] = {}
    manifest: list[dict[str, Any]] = []
    with destination.open("w+b") as out:
        configs: set[str] = set()
        for image in images:
            for layer in image.layers:
                if layer not in written:
                    written[layer] = _append_layer(out, layer, set(written.values()))
            digests = [written[layer] for layer in image.layers]
            document = config_document(image.config, architecture, [f"sha256:{digest}" for digest in digests])
            content = _canonical(document)
            name = f"{hashlib.sha256(content).hexdigest()}.json"
            if name not in configs:
                _append_bytes(out, name, content)
                configs.add(name)
            manifest.append(
                {
                    "Config": name,
                    "RepoTags": [image.reference],
                    "Layers": [f"{digest}.tar" for digest in digests],
                }
            )
        _append_bytes(out, "manifest.json", _canonical(manifest))
        out.write(bytes(2 * _BLOCK))


class _Hashing:
    """A write-only stream that hashes what passes through it."""

    def __init__(self, out: zstandard.ZstdCompressionWriter) -> None:
        self._out = out
        self.digest = hashlib.sha256()

    def write(self, chunk: bytes) -> int:
        self.digest.update(chunk)
        self._out.write(chunk)
        return len(chunk)


def _append_layer(out: BinaryIO, layer: Layer, present: set[str]) -> str:
    start = out.tell()
    out.write(bytes(_BLOCK))
    compressor = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL)
    with compressor.stream_writer(out, closefd=False) as compressed:
        # The image names a layer by the digest of what is in it, not of how it is packed.
        stream = _Hashing(compressed)
        layer.write(stream)  # type: ignore[arg-type]  # a layer only ever writes
    digest = stream.digest.hexdigest()
    if digest in present:
        # Two differently declared layers with the same bytes: the first copy serves both.
        out.seek(start)
        out.truncate()
        return digest
    size = out.tell() - start - _BLOCK
    out.write(bytes(-size % _BLOCK))
    end = out.tell()
    out.seek(start)
    out.write(_header(f"{digest}.tar", size))
    out.seek(end)
    return digest


def _append_bytes(out: BinaryIO, name: str, content: bytes) -> None:
    out.write(_header(name, len(content)))
    out.write(content)
    out.write(bytes(-len(content) % _BLOCK))


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o644, 0
    return info.tobuf(format=tarfile.USTAR_FORMAT)


def _canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
