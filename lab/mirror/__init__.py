"""The site's mirror: a signed apt repository and image bundles, served by HTTP inside the lab's network."""

from __future__ import annotations

from lab.mirror.service import check, running, start
from lab.mirror.tree import build

__all__ = ["build", "check", "running", "start"]
