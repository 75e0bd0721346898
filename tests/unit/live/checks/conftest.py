from __future__ import annotations

import http.server
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from live import gateways
from tests.unit.live.checks.support import serving, web


@pytest.fixture
def readiness(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Readiness ports of both regions' gateways; the test says what each answers."""
    status = {"eu": 200, "us": 200}
    with ExitStack() as stack:
        first = http.server.ThreadingHTTPServer(("127.0.0.1", 0), web(lambda host, path: (status["eu"], {})))
        port = stack.enter_context(serving(first))
        second = http.server.ThreadingHTTPServer(
            ("127.0.0.2", port), web(lambda host, path: (status["us"], {}))
        )
        stack.enter_context(serving(second))
        monkeypatch.setattr(gateways, "STATUS_PORT", port)
        yield status
