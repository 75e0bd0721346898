"""How far a build is: what is compiled of what is to be, by the size of its sources, and what that takes."""

from __future__ import annotations

import time
from collections.abc import Mapping

_ENOUGH = 0.03
"""Share of a build after which its pace says something; the packages before it are small ones."""


class Compiling:
    """One build, from what Go says while it goes on."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        """sizes: bytes of the sources of each package that is to be compiled; empty when nobody could say."""
        self._sizes = dict(sizes)
        self._all, self._count = sum(sizes.values()), len(sizes)
        self._done = 0
        self._began: float | None = None
        self.packages = 0
        """Compiled so far."""

    def compiled(self, package: str) -> str:
        """Count a package that is being compiled now; returns how far the build is, for people."""
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        self.packages += 1
        # What is said first has only begun: the one before it is done.
        words = f"{self.packages} packages compiled"
        if self._all:
            words = f"{self.packages} of {max(self._count, self.packages)} packages ({self.share:.0%})"
            words += self._left(now - self._began)
        self._done += self._sizes.pop(package, 0) if self._all else 0
        return f"{words}, now {package.rsplit('/', 1)[-1]}"

    @property
    def share(self) -> float:
        """Of all that is to be compiled, 0 to 1."""
        return self._done / self._all if self._all else 0.0

    def _left(self, elapsed: float) -> str:
        if self.share < _ENOUGH:
            return ""
        seconds = elapsed * (1 - self.share) / self.share
        return f", about {seconds / 60:.0f} min left" if seconds > 90 else f", about {seconds:.0f} s left"
