"""Container images for a lab without a registry, as docker-archive bundles built from the toolchain."""

from __future__ import annotations

from lab.images.bundles import BUNDLES, build
from lab.images.errors import ImageError

__all__ = ["BUNDLES", "ImageError", "build"]
