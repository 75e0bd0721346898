"""The error of this package."""

from __future__ import annotations


class ImageError(RuntimeError):
    """An image bundle cannot be built. The message says what, where, why and how to fix it."""
