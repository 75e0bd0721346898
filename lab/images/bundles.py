"""Building bundles, each kept under the key of everything that is in it."""

from __future__ import annotations

from pathlib import Path

from lab import cache
from lab.images.archive import Image, write_archive
from lab.images.base import architecture
from lab.images.definitions import Sources, images
from lab.progress import step

# Raise it when the archive's layout changes, so that bundles in the old one are not used any more.
_LAYOUT = 2


def build(bundle: str, out_dir: Path, sources: Sources | None = None) -> Path:
    """Build ``bundle``, such as `istio-1.28.3`, and return ``out_dir/<bundle>.tar``, a hard link if possible.

    ``out_dir`` is made when it is missing. ``sources`` defaults to the installed toolchain. When nothing
    has changed since the last build, this takes milliseconds. The caller must not write to the file.
    Raises LabError, and the toolchain's error where a program is not installed.
    """
    stored = cached(bundle, sources)
    target = Path(out_dir) / f"{bundle}.tar"
    if target.exists() and target.samefile(stored):
        return target
    with cache.replacing(target) as temporary:
        temporary.unlink()
        cache.link(stored, temporary)
    return target


def cached(bundle: str, sources: Sources | None = None) -> Path:
    """The bundle's file in the cache; built when it is missing. Parameters and errors as of ``build``."""
    processor = architecture()
    packed = images(bundle, sources or Sources())

    def make(scratch: Path) -> None:
        names = ", ".join(image.reference.rsplit("/", 1)[1].split(":")[0] for image in packed)
        scratch.mkdir()
        with step(f"{bundle}: packing {names}"):
            write_archive(packed, scratch / f"{bundle}.tar", processor)

    # Links made of old builds elsewhere stay whole.
    return cache.entry(f"images-{bundle}", _key(packed, processor), make) / f"{bundle}.tar"


def _key(images: tuple[Image, ...], processor: str) -> str:
    """The key of a bundle: images, configurations, and every file in them."""
    described = [
        {
            "reference": image.reference,
            "config": [getattr(image.config, name) for name in image.config.__slots__],
            "layers": [layer.inputs() for layer in image.layers],
        }
        for image in images
    ]
    return cache.key_of({"layout": _LAYOUT, "architecture": processor, "images": described})
