"""Building bundles, each kept under the key of everything that is in it."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from lab.images import cache
from lab.images.archive import Image, write_archive
from lab.images.definitions import DEFINITIONS, Sources
from lab.images.errors import ImageError
from lab.images.sources import ToolchainSources
from lab.progress import step

BUNDLES: tuple[str, ...] = tuple(DEFINITIONS)

# Raise it when the archive's layout changes, so that bundles in the old one are not used any more.
_LAYOUT = 2
# How many builds of one bundle stay: this one, and one of another working copy of the project.
_KEPT = 2

# The names that Go and Debian use for a processor, from the kernel's.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """This machine's processor in Debian's and Go's name. Raises ImageError for one that is not known."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise ImageError(f"images are built for {' and '.join(_ARCHITECTURES)}; this machine is {machine}")
    return _ARCHITECTURES[machine]


def build(bundle: str, out_dir: Path, sources: Sources | None = None) -> Path:
    """Build ``bundle`` (one of BUNDLES) and return ``out_dir/<bundle>.tar``, a hard link where possible.

    ``out_dir`` is made when it is missing. ``sources`` defaults to the installed toolchain. When nothing
    has changed since the last build, this takes milliseconds. The caller must not write to the file.
    Raises ImageError, and the toolchain's error where a program is not installed.
    """
    stored = cached(bundle, sources)
    target = Path(out_dir) / f"{bundle}.tar"
    if target.exists() and target.samefile(stored):
        return target
    with cache.replacing(target) as temporary:
        temporary.unlink()
        try:
            os.link(stored, temporary)
        except OSError:
            # Another file system, or one without links.
            shutil.copyfile(stored, temporary)
    return target


def cached(bundle: str, sources: Sources | None = None) -> Path:
    """The bundle's file in the cache; built when it is missing. Parameters and errors as of ``build``."""
    if bundle not in DEFINITIONS:
        raise ImageError(f"there is no bundle {bundle!r}. The bundles are: {', '.join(BUNDLES)}")
    processor = architecture()
    images = DEFINITIONS[bundle](sources or ToolchainSources(processor))
    digests = cache.Digests(cache.root() / "digests.json")
    stored = cache.root() / f"images-{bundle_key(images, processor, digests)}" / f"{bundle}.tar"
    digests.save()
    with cache.locked(f"images-{bundle}"):
        if stored.exists():
            # The directory's time says when the build was used last; the file's own is its readers'.
            os.utime(stored.parent)
        else:
            names = ", ".join(_short(image) for image in images)
            with step(f"{bundle}: packing {names}"), cache.replacing(stored) as temporary:
                write_archive(images, temporary, processor)
        _prune(bundle, stored)
    return stored


def bundle_key(images: tuple[Image, ...], processor: str, digests: cache.Digests) -> str:
    """The key of a bundle: images, configurations, and the content of every file in them."""
    described = [
        {
            "reference": image.reference,
            "config": [getattr(image.config, name) for name in image.config.__slots__],
            "layers": [layer.inputs(digests.of) for layer in image.layers],
        }
        for image in images
    ]
    return cache.key_of({"layout": _LAYOUT, "architecture": processor, "images": described})


def _prune(bundle: str, current: Path) -> None:
    """Remove old builds of the bundle but the last ones. Links made of them elsewhere stay whole."""
    builds = sorted(
        cache.root().glob(f"images-*/{bundle}.tar"), key=lambda path: -path.parent.stat().st_mtime
    )
    for old in [path for path in builds if path != current][_KEPT - 1 :]:
        old.unlink()
        if not any(old.parent.iterdir()):
            old.parent.rmdir()


def _short(image: Image) -> str:
    return image.reference.rsplit("/", 1)[1].split(":")[0]
