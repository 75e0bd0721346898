"""Tests of the lab have caches of their own: what they prune is nobody's."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, as on a computer that never had a lab."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own-cache"))
