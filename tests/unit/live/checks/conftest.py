from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from live import gateways
from tests.unit.live.checks.support import over_tls


@pytest.fixture
def readiness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Both regions' gateways; the test says with which status each answers."""
    status = {"eu": 200, "us": 200}
    with ExitStack() as stack:
        eu = over_tls(tmp_path, ("127.0.0.1", 0), lambda host, path: (status["eu"], {}))
        port = stack.enter_context(eu)
        us = over_tls(tmp_path, ("127.0.0.2", port), lambda host, path: (status["us"], {}))
        stack.enter_context(us)
        monkeypatch.setattr(gateways, "HTTPS_PORT", port)
        yield status
